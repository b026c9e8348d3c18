//! What is promised to operators: what they hold, put back and drop.

use hookgate::queue::{Doing, Standing, Wanted, Went, Which};

use super::{desk, desk_with, rejected, trapped};
use crate::conformance::Engine;
use crate::conformance::desk::{Desk, Ending};

impl<E: Engine> Desk<E> {
    fn pause(&mut self, name: &'static str) -> bool {
        let queue = self.queue();
        self.ask(async move { queue.pause(name, None).await }).unwrap()
    }

    fn resume(&mut self, name: &'static str) -> bool {
        let queue = self.queue();
        self.ask(async move { queue.resume(name, None).await }).unwrap()
    }
}

pub fn who_is_paused_begins_nothing_after_a_restart<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    assert!(desk.pause("a"));
    desk.send("s");
    desk.restart(Ending::Killed);
    desk.wants("a", 9);
    desk.queue().claim("a", 9);
    desk.pass(1_000);
    desk.begun_none();
    assert_eq!(desk.look(desk.queue().paused()), ["a"]);
    assert!(desk.resume("a"));
    desk.begun_one();
    assert!(desk.look(desk.queue().paused()).is_empty());
}

pub fn nobody_is_paused_who_is_not_there<E: Engine>() {
    let mut desk = desk::<E>();
    assert!(!desk.pause("a") && !desk.resume("a"));
    assert!(desk.look(desk.queue().paused()).is_empty());
}

pub fn what_was_done_is_put_back_with_all_its_attempts<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    let id = desk.send("s");
    let delivery = desk.begun_one();
    desk.done(&delivery);
    assert_eq!(desk.put_back("a", &[id], Which::All, Doing::ForReal), 1);
    for (attempt, nth, wait) in [(2, 1, 1_000), (3, 2, 30_000), (4, 3, 400_000)] {
        let delivery = desk.begun_one();
        assert_eq!((delivery.attempt, delivery.nth()), (attempt, nth));
        desk.end(&delivery, trapped());
        desk.pass(wait);
    }
    assert_eq!(desk.standing("a", id), Some(Standing::Dead));
}

pub fn a_trial_puts_nothing_back<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    let id = desk.send("s");
    let delivery = desk.begun_one();
    desk.done(&delivery);
    assert_eq!(desk.put_back("a", &[id], Which::All, Doing::OnTrial), 1);
    desk.pass(1_000);
    desk.begun_none();
    assert_eq!(desk.standing("a", id), Some(Standing::Done));
}

pub fn what_runs_is_not_put_back<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let id = desk.send("s");
    for which in [Which::All, Which::Dead, Which::Missing] {
        assert_eq!(desk.put_back("a", &[id], which, Doing::ForReal), 0);
    }
    desk.begun_one();
}

pub fn what_waits_is_hurried<E: Engine>() {
    let mut desk = desk_with::<E>("a", 1);
    let id = desk.send("s");
    let delivery = desk.begun_one();
    desk.end(&delivery, trapped());
    assert_eq!(desk.put_back("a", &[id], Which::Dead, Doing::ForReal), 0);
    desk.begun_none();
    assert_eq!(desk.put_back("a", &[id], Which::All, Doing::ForReal), 1);
    let again = desk.begun_one();
    // It is the next attempt of the same round.
    assert_eq!((again.attempt, again.nth()), (2, 2));
}

pub fn only_the_dead_are_put_back_where_that_is_said<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let sent = [desk.send("s"), desk.send("s")];
    let begun = desk.begun();
    desk.done(&begun[0]);
    desk.end(&begun[1], rejected());
    assert_eq!(desk.put_back("a", &sent, Which::Dead, Doing::ForReal), 1);
    assert_eq!(desk.begun_one().event.id, sent[1]);
}

pub fn what_never_was_is_delivered_late<E: Engine>() {
    let mut desk = desk::<E>();
    let sent = [desk.send("s"), desk.send("z")];
    desk.wants_some("a", &["z:*"], None, 9);
    assert_eq!(desk.put_back("a", &sent, Which::Dead, Doing::ForReal), 0);
    // The other one it does not subscribe to.
    assert_eq!(desk.put_back("a", &sent, Which::Missing, Doing::ForReal), 1);
    assert_eq!(desk.begun_one().event.id, sent[1]);
    assert_eq!(desk.put_back("b", &sent, Which::Missing, Doing::ForReal), 0);
}

pub fn what_was_put_back_lets_others_go_first_and_does_not_starve<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let old = desk.send("s");
    let delivery = desk.begun_one();
    desk.done(&delivery);
    desk.queue().claim("a", 1);
    (0..10).for_each(|_| {
        desk.send("s");
    });
    assert_eq!(desk.put_back("a", &[old], Which::All, Doing::ForReal), 1);
    let mut begun = Vec::new();
    while let Some(delivery) = desk.begun().pop() {
        begun.push(delivery.event.id);
        desk.done(&delivery);
    }
    let place = begun.iter().position(|id| *id == old).unwrap();
    // One was begun before it was put back.
    assert_eq!((begun.len(), place), (11, 1 + 7), "{begun:?}");
}

pub fn what_was_put_back_waits_in_its_lane<E: Engine>() {
    let mut desk = desk::<E>();
    desk.wants_some("a", &["*"], Some("key"), 9);
    let old = desk.send_in("x");
    let delivery = desk.begun_one();
    desk.done(&delivery);
    let (runs, waits) = (desk.send_in("x"), desk.send_in("x"));
    let running = desk.begun_one();
    assert_eq!(running.event.id, runs);
    assert_eq!(desk.put_back("a", &[old], Which::All, Doing::ForReal), 1);
    desk.begun_none();
    desk.done(&running);
    for id in [old, waits] {
        let delivery = desk.begun_one();
        assert_eq!(delivery.event.id, id);
        desk.done(&delivery);
    }
}

pub fn what_was_dropped_is_no_more_and_its_attempts_are<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let id = desk.send("s");
    let delivery = desk.begun_one();
    assert_eq!(desk.drop_dead("a", id), 0, "it runs");
    desk.end(&delivery, rejected());
    assert_eq!((desk.drop_dead("a", id), desk.drop_dead("a", id)), (1, 0));
    let shown = desk.look(desk.queue().show(id)).unwrap();
    let (stand, tried) = &shown.deliveries[0];
    assert_eq!((stand.standing, tried.len(), tried[0].outcome), (None, 1, "reject"));
    assert_eq!(desk.put_back("a", &[id], Which::Dead, Doing::ForReal), 0);
    assert_eq!(desk.put_back("a", &[id], Which::Missing, Doing::ForReal), 1);
    let again = desk.begun_one();
    assert_eq!((again.attempt, again.nth()), (2, 1));
    desk.done(&again);
    let shown = desk.look(desk.queue().show(id)).unwrap();
    let tried: Vec<_> = shown.deliveries[0].1.iter().map(|tried| (tried.number, tried.outcome)).collect();
    assert_eq!(tried, [(1, "reject"), (2, "done")]);
}

pub fn what_was_dropped_is_over_and_was_wanted<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let id = desk.send("s");
    let delivery = desk.begun_one();
    desk.end(&delivery, rejected());
    desk.drop_dead("a", id);
    for (went, found) in [(None, 1), (Some(Went::Unrouted), 0), (Some(Went::Dead), 0), (Some(Went::Done), 1)] {
        let page = desk.look(desk.queue().events(Wanted { went, limit: 9, ..Wanted::default() }));
        assert_eq!(page.events.len(), found, "{went:?}");
        assert!(page.events.iter().all(|listed| listed.went == Went::Done), "{went:?}");
    }
}
