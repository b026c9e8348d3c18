use std::collections::BTreeSet;

use bytes::Bytes;
use rusqlite::Connection;

use super::super::columns::State;
use super::super::events::{Wanted, Went, events};
use super::super::ids::SORTED;
use super::super::reader;
use super::super::salts::Salts;
use super::super::store::{Begins, Store};
use super::block::EVENTS;
use super::*;
use crate::event::{EventId, NewEvent};

/// A queue's file with events in it, and what is known of their texts.
struct Queue {
    folder: tempfile::TempDir,
    store: Store,
    db: Connection,
    texts: Texts,
    chance: Salts,
    payloads: Vec<(i64, String)>,
}

const WORDS: [&str; 8] = ["invoice", "paid", "a4f0", "grüße", "\\u00e9", "customer", "file", "x"];

impl Queue {
    fn new() -> Queue {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hookgate.db");
        let store = Store::open(&file).unwrap();
        assert_eq!(store.subscribe("one", &[]).unwrap(), 1);
        let (db, texts) = (reader::open(&file).unwrap(), Texts::beside(&file));
        Queue { folder, store, db, texts, chance: Salts::of(7), payloads: Vec::new() }
    }

    fn add(&mut self, count: usize) {
        self.store.begin().unwrap();
        for _ in 0..count {
            let words = self.chance.next() % 6;
            let mut payload = format!("{{\"nth\":\"{:08x}\"", self.chance.next());
            (0..words).for_each(|_| payload += WORDS[self.chance.next() as usize % WORDS.len()]);
            let id = EventId::from_i64(1000 + 3 * self.payloads.len() as i64);
            let unwanted = self.chance.next().is_multiple_of(50);
            let kind = self.chance.next() % 3;
            self.store.insert_event(id, &event(&payload, kind), usize::from(!unwanted)).unwrap();
            let state = match self.chance.next() % 8 {
                _ if unwanted => None,
                0 => Some(State::Waiting),
                1 => Some(State::Dead),
                _ => Some(State::Done),
            };
            if let Some(state) = state {
                let begins = Begins { state, attempt: 1, earlier: 0, due_ms: 1, line: 1, lane: None };
                self.store.insert_delivery(1, id, begins).unwrap();
            }
            self.payloads.push((id.to_i64(), payload));
        }
        self.store.commit().unwrap();
    }

    fn keep_up(&self) {
        while self.texts.step(&self.db).unwrap() {}
    }

    /// As the next process finds it.
    fn restarted(mut self) -> Queue {
        self.texts = Texts::beside(&self.folder.path().join("hookgate.db"));
        self.texts.take_up(&self.db).unwrap();
        self
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.texts.folder).map(|entries| entries.map(|entry| entry.unwrap().path()));
        let mut files: Vec<PathBuf> = entries.into_iter().flatten().collect();
        files.sort();
        files
    }

    fn having(&self, text: &str) -> BTreeSet<i64> {
        self.payloads.iter().filter(|(_, payload)| payload.contains(text)).map(|(id, _)| *id).collect()
    }

    /// All that may have a text, if all is known of all.
    fn may_have(&self, text: &str) -> Option<BTreeSet<i64>> {
        let (mut end, mut found) = (Some(self.texts.end()).filter(|end| *end > 0)?, BTreeSet::new());
        while end > 0 {
            let stretch = self.texts.before(end, text.as_bytes())?;
            assert!(stretch.from < end && stretch.ids.iter().all(|id| (stretch.from..end).contains(id)));
            assert!(stretch.ids.is_sorted_by(|newer, older| newer > older));
            found.extend(stretch.ids);
            end = stretch.from;
        }
        Some(found)
    }

    fn found(&self, wanted: &Wanted) -> Vec<i64> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let wanted = Wanted { before, limit: 100, ..wanted.clone() };
            let page = events(&self.db, &self.texts, &wanted).unwrap();
            found.extend(page.events.iter().map(|event| event.id.to_i64()));
            assert!(before.is_none() || page.next.is_none() || page.next < before, "it comes on");
            before = page.next;
            if before.is_none() {
                return found;
            }
        }
    }
}

fn event(payload: &str, kind: u32) -> NewEvent {
    NewEvent {
        source: ["s", "t"][kind as usize / 2].into(),
        provider: "p".into(),
        event_type: ["one", "two", "one"][kind as usize].into(),
        received_at_ms: 1,
        received: std::time::Instant::now(),
        attributes: Vec::new(),
        payload: Bytes::from(payload.to_owned()),
        headers: None,
        repeat_key: None,
        trace: None,
    }
}

#[test]
fn whoever_has_a_text_may_have_it_and_few_others() {
    let mut queue = Queue::new();
    queue.add(2 * EVENTS + 100);
    queue.keep_up();
    assert_eq!(queue.files().len(), 2);
    let rare = queue.payloads[EVENTS / 2].1[2..16].to_owned();
    for text in ["invoice", "grüße", "fileinvoice", "none of it", &rare] {
        let (having, may) = (queue.having(text), queue.may_have(text).unwrap());
        assert!(having.is_subset(&may), "{text}");
        assert!(may.len() <= having.len() + 200, "{text}: {} where {} have it", may.len(), having.len());
    }
    assert_eq!(queue.having(&rare).len(), 1);
    queue.add(10);
    assert!(queue.texts.before(i64::MAX, b"invoice").is_none(), "of the newest nothing is known yet");
    queue.keep_up();
    assert_eq!(queue.texts.end(), queue.payloads.last().unwrap().0 + 1);
}

#[test]
fn a_search_finds_the_same_with_and_without() {
    let mut queue = Queue::new();
    queue.add(EVENTS + 500);
    let wanted = |text: &str| Wanted { text: Some(text.to_owned()), ..Wanted::default() };
    let searches: Vec<Wanted> = ["invoice", "paid", "a4f0", "filepaid", "none of it", "x", "grü"]
        .iter()
        .flat_map(|text| {
            let kind = Some("t:one".parse().unwrap());
            [
                wanted(text),
                Wanted { went: Some(Went::Unrouted), ..wanted(text) },
                Wanted { went: Some(Went::Pending), ..wanted(text) },
                Wanted { went: Some(Went::Dead), ..wanted(text) },
                Wanted { event_type: kind, ..wanted(text) },
                Wanted { after: Some(EventId::from_i64(9_000)), ..wanted(text) },
            ]
        })
        .collect();
    let without: Vec<Vec<i64>> = searches.iter().map(|search| queue.found(search)).collect();
    assert_eq!(without[0].len(), queue.having("invoice").len());
    // Of each text but the one that nobody has, there is something of each kind.
    assert!(without.iter().filter(|found| !found.is_empty()).count() >= 6 * 6 - 3);
    queue.keep_up();
    queue.add(100);
    for (search, without) in searches.iter().zip(without) {
        let found = queue.found(search);
        let known = found.iter().position(|id| *id < queue.texts.end()).unwrap_or(found.len());
        assert_eq!(found[known..], without, "{search:?}");
    }
}

#[test]
fn a_later_process_takes_it_up() {
    let mut queue = Queue::new();
    queue.add(EVENTS + 100);
    queue.keep_up();
    let queue = queue.restarted();
    assert_eq!(queue.texts.end(), queue.payloads[EVENTS - 1].0 + 1);
    let files = queue.files();
    queue.keep_up();
    assert_eq!((queue.files(), queue.texts.end()), (files, queue.payloads.last().unwrap().0 + 1));
    assert!(queue.having("paid").is_subset(&queue.may_have("paid").unwrap()));
}

#[test]
fn what_is_damaged_is_made_anew_and_nothing_is_missed() {
    let mut queue = Queue::new();
    queue.add(EVENTS);
    queue.keep_up();
    let file = queue.files().remove(0);
    let whole = std::fs::read(&file).unwrap();
    // The magic, the number of rows, the ids.
    for at in [0, 9, 100, 60_000] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        queue = queue.restarted();
        assert_eq!((queue.texts.end(), queue.files().len()), (0, 0), "byte {at} is not believed at the start");
        queue.keep_up();
        assert_eq!(std::fs::read(&file).unwrap(), whole);
    }
    // One bit of every row, and rows that are others'.
    let rows = 12 + EVENTS * 8 + 4;
    let (mut flipped, mut swapped) = (whole.clone(), whole.clone());
    flipped[rows..].iter_mut().step_by(EVENTS / 8 + 4).for_each(|byte| *byte ^= 1);
    swapped[rows..].rotate_left(EVENTS / 8 + 4);
    for bytes in [flipped, swapped, whole[..rows + 100].to_vec()] {
        std::fs::write(&file, bytes).unwrap();
        queue = queue.restarted();
        assert!(queue.texts.end() > 0, "rows are read when they are needed");
        assert_eq!(queue.may_have("customer"), None, "and not believed");
        assert_eq!(queue.texts.end(), 0, "nor is anything else then");
        queue.keep_up();
        assert_eq!(std::fs::read(&file).unwrap(), whole);
        assert!(queue.having("customer").is_subset(&queue.may_have("customer").unwrap()));
    }
}

#[test]
fn what_cannot_be_read_now_stays() {
    let mut queue = Queue::new();
    queue.add(EVENTS);
    queue.keep_up();
    let other = reader::open(&queue.folder.path().join("none.db"));
    assert!(other.is_err());
    let empty = Connection::open_in_memory().unwrap();
    assert!(queue.texts.take_up(&empty).is_err(), "there are no tables");
    assert_eq!(queue.files().len(), 1);
}

#[test]
fn an_old_event_that_stays_keeps_its_block_only() {
    let mut queue = Queue::new();
    queue.add(3 * EVENTS);
    queue.keep_up();
    let oldest = queue.payloads[0].0;
    queue.store.run("DELETE FROM body WHERE event > ?1", [oldest]).unwrap();
    (0..6).for_each(|_| queue.keep_up());
    assert_eq!(queue.files().len(), 1);
    let queue = queue.restarted();
    assert_eq!(queue.may_have(&queue.payloads[0].1).unwrap().first(), Some(&oldest));
}

#[test]
fn a_queue_that_was_moved_away_is_not_made_anew() {
    let mut queue = Queue::new();
    queue.add(EVENTS);
    let away = queue.folder.path().with_extension("away");
    std::fs::rename(queue.folder.path(), &away).unwrap();
    let kept = loop {
        match queue.texts.step(&queue.db) {
            Ok(true) => {}
            kept => break kept,
        }
    };
    assert!(kept.is_err() && !queue.folder.path().exists());
    std::fs::rename(&away, queue.folder.path()).unwrap();
    assert!(queue.texts.step(&queue.db).is_ok());
}

#[test]
fn what_is_of_another_queue_is_not_believed() {
    let mut queue = Queue::new();
    queue.add(EVENTS);
    queue.keep_up();
    let mut other = Queue::new();
    // Other events under ids that lie between those of the first.
    other.add(10);
    other.store.insert_event(EventId::from_i64(1001), &event("between", 0), 1).unwrap();
    let newest = EventId::from_i64(1_000_000);
    other.store.insert_event(newest, &event("newest", 0), 1).unwrap();
    let copy = |to: &Queue| {
        std::fs::create_dir_all(&to.texts.folder).unwrap();
        let file = queue.files().remove(0);
        std::fs::copy(&file, to.texts.folder.join(file.file_name().unwrap())).unwrap();
    };
    copy(&other);
    let other = other.restarted();
    assert_eq!((other.texts.end(), other.files().len()), (0, 0), "it lacks an event");
    // Nor is what says more than the queue has: an older copy of it was taken up, and new ids may be among those.
    let mut older = Queue::new();
    older.add(10);
    copy(&older);
    let older = older.restarted();
    assert_eq!((older.texts.end(), older.files().len()), (0, 0), "it is newer");
}

#[test]
fn blocks_of_events_that_are_gone_go_too() {
    let mut queue = Queue::new();
    queue.add(2 * EVENTS);
    queue.keep_up();
    let end = queue.payloads[EVENTS].0;
    queue.store.run("DELETE FROM body WHERE event < ?1", [end]).unwrap();
    (0..2).for_each(|_| queue.keep_up());
    assert_eq!(queue.files().len(), 1);
    let queue = queue.restarted();
    assert_eq!(queue.texts.end(), queue.payloads.last().unwrap().0 + 1);
    std::fs::remove_dir_all(&queue.texts.folder).unwrap();
    assert!(queue.may_have("paid").is_none(), "what somebody deleted is not known any more");
    queue.keep_up();
    assert!(queue.may_have("paid").is_some());
}

#[test]
fn all_pending_are_found_however_many_wait_for_how_many() {
    let queue = Queue::new();
    let count = SORTED as i64 + 10;
    queue.store.begin().unwrap();
    for (subscriber, events) in [(1, count / 2), (2, count)] {
        for id in 1..=events {
            let begins = Begins { state: State::Waiting, attempt: 0, earlier: 0, due_ms: 1, line: 1, lane: None };
            queue.store.insert_delivery(subscriber, EventId::from_i64(id), begins).unwrap();
        }
    }
    queue.store.commit().unwrap();
    assert!(super::super::ids::pending(&queue.db).unwrap().is_none(), "they are too many to be sorted");
}
