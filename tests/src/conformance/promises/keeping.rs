//! What is promised to plugins of what they keep and emit.

use hookgate::attempt::Outcome;
use hookgate::effects::{CAUSE, DEPTH, Effects, Emitted, Quota, Range, Read, Value};
use hookgate::event::{EventId, UnixMs};
use hookgate::queue::{Delivery, NotKept, Settlement, Standing};
use hookgate::schedule::Verdict;

use super::desk_with;
use crate::conformance::Engine;
use crate::conformance::desk::{Desk, Ending, attempt};

fn value(text: &'static str, expires_ms: Option<UnixMs>) -> Value {
    Value { bytes: text.into(), expires_ms }
}

pub(super) fn writing(key: &str, text: &'static str) -> Effects {
    Effects {
        writes: [(key.to_owned(), Some(value(text, None)))].into(),
        quota: Quota { bytes: 10, keys: 2 },
        ..Effects::default()
    }
}

fn reading(key: &str, seen: Option<&'static str>, effects: Effects) -> Effects {
    let read = Read::Key { key: key.into(), seen: seen.map(|text| value(text, None)) };
    Effects { reads: vec![read], ..effects }
}

impl<E: Engine> Desk<E> {
    pub(super) fn done_with(&mut self, delivery: &Delivery, effects: Effects) -> Result<(), NotKept> {
        let settlement = Settlement::Judged { verdict: Verdict::Done, attempt: attempt(self.now, Outcome::Done) };
        let (queue, delivery) = (self.queue(), delivery.clone());
        self.ask(async move { queue.settle_with(&delivery, settlement, effects).await })
    }

    pub(super) fn answered(&mut self, event: EventId, effects: Effects) -> Result<(), NotKept> {
        let (queue, attempt) = (self.queue(), attempt(self.now, Outcome::Done));
        self.ask(async move { queue.remember(&"a".into(), event, attempt, effects).await })
    }

    pub(super) fn kept(&self, key: &str) -> Option<Value> {
        self.queue().memory().get("a", key, self.now).unwrap()
    }
}

pub fn what_a_call_keeps_is_kept_with_its_end<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let id = desk.send("s");
    let delivery = desk.begun_one();
    assert_eq!(desk.done_with(&delivery, writing("k", "v")), Ok(()));
    for _ in 0..2 {
        assert_eq!(desk.standing("a", id), Some(Standing::Done));
        assert_eq!(desk.kept("k"), Some(value("v", None)));
        assert_eq!(desk.queue().memory().used("a"), Ok(Quota { bytes: 2, keys: 1 }));
        desk.restart(Ending::Killed);
    }
}

pub fn what_was_overtaken_keeps_nothing<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let (_, second) = (desk.send("s"), desk.send("s"));
    let begun = desk.begun();
    assert_eq!(desk.done_with(&begun[0], reading("k", None, writing("k", "1"))), Ok(()));
    let emits = Emitted { event_type: "made".into(), attributes: Vec::new(), payload: "x".into() };
    let effects = Effects { emitted: vec![emits], ..reading("k", None, writing("other", "2")) };
    assert_eq!(desk.done_with(&begun[1], effects), Err(NotKept::Overtaken));
    assert_eq!((desk.kept("other"), desk.standing("a", second)), (None, Some(Standing::Running)));
    desk.begun_none();
    assert_eq!(desk.done_with(&begun[1], reading("k", Some("1"), writing("k", "2"))), Ok(()));
    assert_eq!(desk.kept("k"), Some(value("2", None)));
}

pub fn no_more_is_kept_than_may_be<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    desk.send("s");
    let delivery = desk.begun_one();
    assert_eq!(desk.done_with(&delivery, writing("k", "ten letters")), Err(NotKept::Overtaken));
    assert_eq!((desk.kept("k"), desk.done_with(&delivery, writing("k", "nine let."))), (None, Ok(())));
}

pub fn what_expired_is_not_there<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    (0..2).for_each(|_| {
        desk.send("s");
    });
    let (begun, until) = (desk.begun(), desk.now + 1_000);
    let effects = Effects { writes: [("k".into(), Some(value("v", Some(until))))].into(), ..writing("k", "v") };
    assert_eq!(desk.done_with(&begun[0], effects), Ok(()));
    let range = Range { prefix: String::new(), after: None, limit: 9 };
    for (pass, is_there) in [(999, true), (1, false)] {
        desk.pass(pass);
        assert_eq!(desk.kept("k").is_some(), is_there);
        let keys = desk.queue().memory().keys("a", &range, desk.now).unwrap();
        assert_eq!(!keys.is_empty(), is_there);
    }
    assert_eq!(desk.done_with(&begun[1], reading("k", None, writing("k", "new"))), Ok(()));
}

pub fn what_a_plugin_emits_is_delivered<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    desk.wants_some("b", &["plugin:made"], None, 9);
    let cause = desk.send("s");
    let delivery = desk.begun_one();
    let own = ("own".to_owned(), "1".to_owned());
    let emits = Emitted { event_type: "made".into(), attributes: vec![own.clone()], payload: "x".into() };
    let effects = Effects { emitted: vec![emits], depth: 3, ..Effects::default() };
    assert_eq!(desk.done_with(&delivery, effects), Ok(()));
    let begun = desk.begun();
    let names: Vec<&str> = begun.iter().map(|delivery| &*delivery.subscriber).collect();
    assert!(names.contains(&"a") && names.contains(&"b") && names.len() == 2, "{names:?}");
    let event = &begun[0].event;
    assert_eq!((&*event.source, &*event.provider, &*event.event_type), ("plugin:a", "plugin", "made"));
    for expected in [own, (DEPTH.to_owned(), "3".to_owned()), (CAUSE.to_owned(), cause.to_string())] {
        assert!(event.attributes.contains(&expected), "{:?}", event.attributes);
    }
}

pub fn an_answer_is_kept_once<E: Engine>() {
    let mut desk = desk_with::<E>("a", 0);
    let id = desk.send("s");
    assert_eq!(desk.answered(id, writing("k", "first")), Ok(()));
    assert_eq!(desk.answered(id, writing("k", "again")), Ok(()));
    assert_eq!(desk.kept("k"), Some(value("first", None)));
    let other = desk.send("s");
    assert_eq!(desk.answered(other, reading("k", None, writing("k", "late"))), Err(NotKept::Overtaken));
    let shown = desk.look(desk.queue().show(id)).unwrap();
    let (stand, tried) = &shown.deliveries[0];
    assert_eq!((stand.standing, tried[0].number), (Some(Standing::Pending), 0));
}
