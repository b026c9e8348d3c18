//! What is promised to subscribers: who is there, who was, who is registered.

use std::time::Duration;

use hookgate::queue::{Keep, Registration, Standing, Subscribing};

use super::{desk, desk_with, ids, rejected};
use crate::conformance::Engine;
use crate::conformance::desk::{Desk, Ending, event, keep, patterns};

pub fn who_subscribes_later_gets_nothing_from_before<E: Engine>() {
    let mut desk = desk::<E>();
    desk.send("s");
    desk.wants("a", 9);
    desk.begun_none();
    desk.wants_some("a", &["z:*"], None, 9);
    desk.send("s");
    let wanted = desk.send("z");
    assert_eq!(desk.begun_one().event.id, wanted);
}

pub fn who_is_gone_misses_nothing<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    desk.queue().gone("a");
    desk.step();
    let sent = [desk.send("s"), desk.send("s")];
    desk.begun_none();
    desk.restart(Ending::Killed);
    let third = desk.send("s");
    desk.wants("a", 9);
    assert_eq!(ids(&desk.begun()), [sent[0], sent[1], third]);
}

pub fn who_says_nothing_wants_what_it_wanted<E: Engine>() {
    let mut desk = desk::<E>();
    desk.wants_some("a", &["z:*"], None, 0);
    desk.restart(Ending::Closed);
    let queue = desk.queue();
    desk.ask(async move { queue.subscribe("a", None, None, 9).await }).unwrap();
    let (_, wanted) = (desk.send("s"), desk.send("z"));
    assert_eq!(desk.begun_one().event.id, wanted);
}

pub fn who_is_unknown_and_says_nothing_is_not_there<E: Engine>() {
    let mut desk = desk::<E>();
    let queue = desk.queue();
    desk.ask(async move { queue.subscribe("a", None, None, 9).await }).unwrap();
    desk.send("s");
    desk.begun_none();
    let queue = desk.queue();
    assert!(desk.ask(async move { queue.subscribers().await }).is_empty());
}

pub fn who_is_held_begins_nothing_until_then<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    desk.queue().hold("a", desk.now + 100, 1);
    let (first, _) = (desk.send("s"), desk.send("s"));
    desk.pass(99);
    desk.begun_none();
    desk.pass(1);
    assert_eq!(desk.begun_one().event.id, first);
}

pub fn a_claim_ends_a_hold<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    desk.queue().hold("a", desk.now + 100, 1);
    desk.send("s");
    desk.send("s");
    desk.begun_none();
    desk.queue().claim("a", 5);
    desk.step();
    assert_eq!(desk.begun().len(), 2);
}

pub fn who_is_not_there_gets_no_slots<E: Engine>() {
    let mut desk = desk_with::<E>("a", 0);
    desk.send("s");
    desk.queue().claim("a", 5);
    desk.queue().hold("a", 0, 5);
    desk.step();
    desk.begun_none();
}

pub fn nothing_begins_after_a_rest<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    desk.queue().rest();
    let id = desk.send("s");
    desk.wants("a", 9);
    desk.queue().claim("a", 9);
    desk.pass(10_000);
    desk.begun_none();
    desk.restart(Ending::Closed);
    desk.wants("a", 9);
    assert_eq!(desk.begun_one().event.id, id);
}

pub fn what_waits_for_who_is_gone_too_long_is_dead<E: Engine>() {
    let mut desk = Desk::<E>::new(Keep { subscriptions: Duration::from_secs(60), ..keep() });
    desk.wants("a", 0);
    let id = desk.send("s");
    desk.queue().gone("a");
    desk.step();
    desk.pass(59_000);
    assert_eq!(desk.standing("a", id), Some(Standing::Pending));
    desk.pass(3_000);
    assert_eq!(desk.standing("a", id), Some(Standing::Dead));
    let later = desk.send("s");
    assert_eq!(desk.standing("a", later), None);
}

pub fn what_was_let_go_of_never_begins<E: Engine>() {
    let mut desk = Desk::<E>::new(Keep { subscriptions: Duration::from_secs(60), ..keep() });
    desk.wants("a", 0);
    for _ in 0..5 {
        desk.accept((0..500).map(|_| event("s", "t", None, desk.now)).collect());
    }
    desk.queue().gone("a");
    desk.step();
    desk.pass(62_000);
    // However long it takes to give all of it up, and whatever is said meanwhile.
    let queue = desk.queue();
    let _ = desk.ask(async move { queue.subscribe("a", Some(patterns(&["*"])), None, 9).await });
    desk.begun_none();
    desk.restart(Ending::Killed);
    for _ in 0..100 {
        let queue = desk.queue();
        let is_back = desk.ask(async move { queue.subscribe("a", Some(patterns(&["*"])), None, 9).await }).is_ok();
        desk.begun_none();
        if is_back {
            break;
        }
        desk.pass(1_000);
    }
    let new = desk.send("s");
    assert_eq!(desk.begun_one().event.id, new);
}

impl<E: Engine> Desk<E> {
    /// A webhook's registration changes.
    fn register(&mut self, id: &str, is_kept: Option<&[u8]>, subscribing: Subscribing, tells: Option<&str>) {
        let event = tells.map(|event_type| event("hookgate", event_type, None, self.now));
        let body = is_kept.map(<[u8]>::to_vec);
        let registration =
            Registration { kind: "webhook", id: id.into(), body, subscribing: Some(subscribing), event, note: None };
        let queue = self.queue();
        self.ask(async move { queue.register(registration).await }).unwrap();
    }

    /// A webhook wants everything.
    fn registered(&mut self, id: &str, slots: usize) {
        let subscriber = format!("webhook:{id}").into();
        self.register(id, Some(b"it"), Subscribing::Wants { subscriber, patterns: patterns(&["*"]), slots }, None);
    }
}

pub fn what_waits_for_who_ended_is_dead_for_ever<E: Engine>() {
    let mut desk = desk::<E>();
    desk.registered("w", 1);
    let (runs, waits) = (desk.send("s"), desk.send("s"));
    desk.begun_one();
    desk.register("w", None, Subscribing::Ends { subscriber: "webhook:w".into() }, None);
    assert_eq!(desk.standing("webhook:w", waits), Some(Standing::Dead));
    assert_eq!(desk.standing("webhook:w", runs), Some(Standing::Running));
    assert!(desk.look(desk.queue().records("webhook")).is_empty());
    desk.restart(Ending::Killed);
    assert_eq!(desk.standing("webhook:w", runs), Some(Standing::Dead));
}

pub fn what_waits_for_who_is_disabled_waits<E: Engine>() {
    let mut desk = desk::<E>();
    desk.registered("w", 0);
    let before = desk.send("s");
    desk.register("w", Some(b"off"), Subscribing::Waits { subscriber: "webhook:w".into() }, None);
    let after = desk.send("s");
    assert_eq!(desk.standing("webhook:w", before), Some(Standing::Pending));
    assert_eq!(desk.standing("webhook:w", after), None);
    desk.restart(Ending::Closed);
    desk.registered("w", 9);
    assert_eq!(desk.begun_one().event.id, before);
}

pub fn who_ends_hears_nothing_of_it_later<E: Engine>() {
    let mut desk = desk::<E>();
    desk.registered("w", 0);
    desk.register("w", None, Subscribing::Ends { subscriber: "webhook:w".into() }, Some("ended"));
    let counts = desk.look(desk.queue().counts());
    assert_eq!((counts.pending, counts.running), (0, 0), "nothing waits for it");
}

pub fn a_track_counts_what_was_lost<E: Engine>() {
    let mut desk = desk::<E>();
    desk.registered("w", 1);
    desk.send("s");
    desk.begun_one();
    desk.restart(Ending::Killed);
    desk.registered("w", 1);
    desk.pass(10_000);
    let delivery = desk.begun_one();
    assert_eq!(delivery.attempt, 2);
    desk.done(&delivery);
    let (track, open) = desk.look(desk.queue().track("webhook:w"));
    assert_eq!((track.deliveries, track.done, track.attempts, open), (1, 1, 1, 0));
}

pub fn the_next_webhook_has_none_of_the_last_ones_attempts<E: Engine>() {
    let mut desk = desk::<E>();
    desk.registered("old", 1);
    let id = desk.send("s");
    let delivery = desk.begun_one();
    desk.end(&delivery, rejected());
    assert_eq!(desk.drop_dead("webhook:old", id), 1);
    desk.register("old", None, Subscribing::Ends { subscriber: "webhook:old".into() }, None);
    desk.restart(Ending::Closed);
    desk.registered("new", 1);
    let shown = desk.look(desk.queue().show(id)).unwrap();
    assert!(shown.deliveries.is_empty(), "{:?}", shown.deliveries);
}
