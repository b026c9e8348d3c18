//! What is promised of what is old.

use std::time::Duration;

use hookgate::event::EventId;
use hookgate::queue::{Doing, Keep, Receipt, Shown, Standing, Went, Which};

use super::keeping::writing;
use super::{rejected, trapped};
use crate::conformance::Engine;
use crate::conformance::desk::{Desk, Ending, keep};

const DAY_MS: u64 = 86_400_000;

/// An engine that keeps events for a day and keys for three, with one who wants everything and has so many slots.
fn forgetful<E: Engine>(slots: usize) -> Desk<E> {
    let day = Duration::from_millis(DAY_MS);
    let mut desk = Desk::<E>::new(Keep { events: day, repeat_keys: day * 3, ..keep() });
    desk.wants("a", slots);
    desk
}

impl<E: Engine> Desk<E> {
    /// So many days pass, without a leap.
    fn age(&mut self, days: u64) {
        (0..2 * days).for_each(|_| self.pass(DAY_MS / 2));
    }

    fn shown(&self, event: EventId) -> Shown {
        self.look(self.queue().show(event)).unwrap()
    }

    /// Nothing is known of an event any more.
    fn is_forgotten(&self, event: EventId) -> bool {
        let unknown = self.look(self.queue().unknown(vec![event]));
        let shown = self.look(self.queue().show(event));
        // Nobody can get what has no payload any more.
        assert_eq!(unknown.is_empty(), shown.as_ref().is_some_and(|shown| shown.payload.is_some()));
        shown.is_none()
    }
}

pub fn a_repeat_of_what_was_let_go_of_has_its_id_and_runs_nothing<E: Engine>() {
    let mut desk = forgetful::<E>(9);
    let first = desk.send_as("s", "1");
    let delivery = desk.begun_one();
    desk.end(&delivery, rejected());
    desk.age(2);
    let shown = desk.shown(first.id);
    assert_eq!((shown.listed.went, shown.payload, shown.deliveries.len()), (Went::LetGo, None, 0));
    for ending in [Ending::Closed, Ending::Killed] {
        // Until the last moment of three days.
        desk.pass(DAY_MS / 2 - u64::from(ending == Ending::Killed));
        assert_eq!(desk.send_as("s", "1"), Receipt { id: first.id, duplicate: true });
        desk.restart(ending);
        desk.wants("a", 9);
        assert_eq!(desk.send_as("s", "1"), Receipt { id: first.id, duplicate: true });
        desk.begun_none();
    }
}

pub fn what_is_older_than_its_key_is_forgotten_and_what_was_kept_is_not<E: Engine>() {
    let mut desk = forgetful::<E>(9);
    let first = desk.send_as("s", "1");
    let delivery = desk.begun_one();
    assert_eq!(desk.done_with(&delivery, writing("k", "v")), Ok(()));
    desk.age(5);
    assert!(desk.is_forgotten(first.id));
    assert_eq!(desk.put_back("a", &[first.id], Which::All, Doing::ForReal), 0);
    assert_eq!(desk.kept("k").unwrap().bytes, "v");
    let second = desk.send_as("s", "1");
    assert!(!second.duplicate && second.id > first.id);
    assert_eq!(desk.begun_one().event.id, second.id);
}

pub fn what_is_open_is_kept_however_old_it_is<E: Engine>() {
    let mut desk = forgetful::<E>(2);
    let [again, runs, waits] = ["1", "2", "3"].map(|key| desk.send_as("s", key).id);
    let begun = desk.begun();
    desk.queue().claim("a", 1);
    desk.end(&begun[0], trapped());
    let all = [(again, Standing::Pending), (runs, Standing::Running), (waits, Standing::Pending)];
    desk.age(30);
    desk.begun_none();
    for (id, standing) in all {
        assert_eq!((desk.standing("a", id), desk.shown(id).payload.is_some()), (Some(standing), true));
    }
    desk.restart(Ending::Killed);
    desk.age(30);
    desk.wants("a", 9);
    let begun = desk.begun();
    assert_eq!(begun.len(), 3, "{begun:?}");
    begun.iter().for_each(|delivery| desk.done(delivery));
    desk.age(1);
    assert!(all.iter().all(|(id, _)| desk.is_forgotten(*id)));
}

pub fn what_was_put_back_by_hand_is_kept_while_it_is_open<E: Engine>() {
    let mut desk = forgetful::<E>(9);
    let ids = [desk.send("s"), desk.send("s")];
    for delivery in desk.begun() {
        desk.end(&delivery, rejected());
    }
    desk.queue().gone("a");
    assert_eq!(desk.put_back("a", &ids[..1], Which::Dead, Doing::ForReal), 1);
    desk.age(2);
    assert_eq!(ids.map(|id| desk.standing("a", id)), [Some(Standing::Pending), None]);
    assert_eq!(desk.shown(ids[1]).listed.went, Went::LetGo);
    desk.age(10);
    assert!(desk.is_forgotten(ids[1]));
    desk.restart(Ending::Closed);
    desk.wants("a", 9);
    let again = desk.begun_one();
    assert_eq!((again.event.id, again.attempt, &again.event.payload[..]), (ids[0], 2, &b"s t -"[..]));
    desk.done(&again);
    desk.age(2);
    assert!(desk.is_forgotten(ids[0]));
}

pub fn an_answer_is_kept_once_as_long_as_repeats_are_told<E: Engine>() {
    let mut desk = forgetful::<E>(0);
    desk.wants_some("a", &[], None, 0);
    let first = desk.send_as("s", "1");
    assert_eq!(desk.answered(first.id, writing("k", "first")), Ok(()));
    desk.age(2);
    assert_eq!(desk.shown(first.id).listed.went, Went::LetGo);
    assert!(desk.send_as("s", "1").duplicate);
    assert_eq!(desk.answered(first.id, writing("k", "again")), Ok(()));
    assert_eq!(desk.kept("k").unwrap().bytes, "first");
    desk.age(3);
    assert!(desk.is_forgotten(first.id));
}
