//! What is promised of deliveries: when they begin, in which order, and how often.

use std::time::Duration;

use hookgate::attempt::Outcome;
use hookgate::queue::{Settlement, Standing};

use super::{desk, desk_with, ids, rejected, trapped};
use crate::conformance::Engine;
use crate::conformance::desk::{Desk, Ending};

pub fn nobody_has_more_in_hand_than_slots<E: Engine>() {
    let mut desk = desk_with::<E>("a", 2);
    let sent: Vec<_> = (0..5).map(|_| desk.send("s")).collect();
    let begun = desk.begun();
    assert_eq!(ids(&begun), sent[..2]);
    desk.done(&begun[1]);
    assert_eq!(ids(&desk.begun()), sent[2..3]);
    desk.queue().claim("a", 4);
    desk.step();
    assert_eq!(ids(&desk.begun()), sent[3..]);
}

pub fn a_retry_is_not_early<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    desk.send("s");
    let first = desk.begun_one();
    desk.end(&first, Outcome::Retry { why: "busy".into(), after: Some(Duration::from_millis(1_500)) });
    desk.pass(1_499);
    desk.begun_none();
    desk.pass(1);
    let second = desk.begun_one();
    assert_eq!((second.event.id, second.attempt, second.nth()), (first.event.id, 2, 2));
}

pub fn after_the_last_attempt_it_is_dead<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    let id = desk.send("s");
    for (attempt, wait) in [(1, 1_000), (2, 30_000), (3, 400_000)] {
        let delivery = desk.begun_one();
        assert_eq!(delivery.attempt, attempt);
        desk.end(&delivery, trapped());
        desk.pass(wait);
    }
    desk.begun_none();
    assert_eq!(desk.standing("a", id), Some(Standing::Dead));
    assert_eq!(desk.look(desk.queue().show(id)).unwrap().deliveries[0].1.len(), 3);
}

pub fn what_was_given_back_does_not_count<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    desk.send("s");
    for _ in 0..5 {
        let delivery = desk.begun_one();
        assert_eq!(delivery.attempt, 1);
        desk.settle(&delivery, Settlement::Returned);
    }
}

pub fn lines_take_turns<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    (0..10).for_each(|_| {
        desk.send("loud");
    });
    (0..2).for_each(|_| {
        desk.send("quiet");
    });
    let mut sources = Vec::new();
    while let Some(delivery) = desk.begun().pop() {
        sources.push(delivery.event.source.to_string());
        desk.done(&delivery);
    }
    let quiet: Vec<usize> = (0..12).filter(|n| sources[*n] == "quiet").collect();
    assert!(quiet[1] <= 4, "{sources:?}");
}

pub fn what_is_due_first_begins_first<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    let retried = desk.send("s");
    let delivery = desk.begun_one();
    desk.end(&delivery, trapped());
    let before = desk.send("s");
    let busy = desk.begun_one();
    assert_eq!(busy.event.id, before);
    desk.pass(500);
    let early = desk.send("s");
    desk.pass(700);
    let late = desk.send("s");
    desk.done(&busy);
    let mut order = Vec::new();
    while let Some(delivery) = desk.begun().pop() {
        order.push(delivery.event.id);
        desk.done(&delivery);
    }
    assert_eq!(order, [early, retried, late]);
}

/// One whose deliveries have lanes.
fn ordered<E: Engine>(slots: usize) -> Desk<E> {
    let mut desk = desk();
    desk.wants_some("a", &["*"], Some("key"), slots);
    desk
}

pub fn a_lane_is_begun_one_after_another<E: Engine>() {
    let mut desk = ordered::<E>(9);
    for id in [desk.send_in("x"), desk.send_in("x"), desk.send_in("x")] {
        let delivery = desk.begun_one();
        assert_eq!(delivery.event.id, id);
        assert!(delivery.lane.is_some());
        desk.done(&delivery);
    }
    desk.begun_none();
}

pub fn a_lane_waits_while_its_first_is_tried_again<E: Engine>() {
    let mut desk = ordered::<E>(9);
    let (first, second) = (desk.send_in("x"), desk.send_in("x"));
    let delivery = desk.begun_one();
    desk.end(&delivery, trapped());
    desk.pass(999);
    desk.begun_none();
    desk.pass(1);
    let again = desk.begun_one();
    assert_eq!((again.event.id, again.attempt), (first, 2));
    desk.done(&again);
    assert_eq!(desk.begun_one().event.id, second);
}

pub fn a_lane_goes_on_after_a_death<E: Engine>() {
    let mut desk = ordered::<E>(9);
    let (_, second) = (desk.send_in("x"), desk.send_in("x"));
    let delivery = desk.begun_one();
    desk.end(&delivery, rejected());
    assert_eq!(desk.begun_one().event.id, second);
}

pub fn lanes_do_not_wait_for_each_other<E: Engine>() {
    let mut desk = ordered::<E>(9);
    let sent = [desk.send_in("x"), desk.send_in("x"), desk.send_in("y")];
    assert_eq!(ids(&desk.begun()), [sent[0], sent[2]]);
}

pub fn what_has_no_value_has_no_lane<E: Engine>() {
    let mut desk = ordered::<E>(9);
    let (_, loose) = (desk.send_in("x"), desk.send("s"));
    let begun = desk.begun();
    assert_eq!((begun[1].event.id, begun[1].lane), (loose, None));
}

pub fn a_lane_is_kept_over_a_restart<E: Engine>() {
    let mut desk = ordered::<E>(9);
    let (first, second) = (desk.send_in("x"), desk.send_in("x"));
    desk.begun_one();
    desk.restart(Ending::Killed);
    desk.wants_some("a", &["*"], Some("key"), 9);
    let third = desk.send_in("x");
    desk.begun_none();
    desk.pass(1_000);
    for id in [first, second, third] {
        let delivery = desk.begun_one();
        assert_eq!(delivery.event.id, id);
        desk.done(&delivery);
    }
}

pub fn what_ran_when_the_process_ended_is_tried_again<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    let (id, begun) = (desk.send("s"), desk.now);
    desk.begun_one();
    desk.now += 5_000;
    desk.restart(Ending::Killed);
    desk.wants("a", 1);
    desk.pass(999);
    desk.begun_none();
    desk.pass(1);
    let again = desk.begun_one();
    assert_eq!((again.event.id, again.attempt), (id, 2));
    let tried = desk.look(desk.queue().show(id)).unwrap().deliveries.remove(0).1;
    assert_eq!((tried[0].number, tried[0].outcome, tried[0].started_at_ms), (1, "lost", begun));
}

pub fn a_last_attempt_that_is_lost_is_dead<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    let id = desk.send("s");
    for wait in [1_000, 30_000, 400_000] {
        desk.begun_one();
        desk.restart(Ending::Closed);
        desk.wants("a", 1);
        desk.pass(wait);
    }
    desk.begun_none();
    assert_eq!(desk.standing("a", id), Some(Standing::Dead));
}
