//! What is promised to senders.

use std::time::Duration;

use hookgate::event::EventId;
use hookgate::queue::{AcceptError, Doing, Keep, Receipt, Standing, Wanted, Went, Which};

use super::{desk, desk_with, ids, rejected};
use crate::conformance::Engine;
use crate::conformance::desk::{Desk, Ending, event, keep};

pub fn a_request_is_accepted_in_its_order<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let events = vec![event("s", "one", None, desk.now), event("s", "two", None, desk.now)];
    let receipts = desk.accept(events);
    assert!(receipts[0].id < receipts[1].id && receipts.iter().all(|receipt| !receipt.duplicate));
    let begun = desk.begun();
    assert_eq!(ids(&begun), [receipts[0].id, receipts[1].id]);
    assert_eq!((&*begun[0].event.event_type, &*begun[1].event.event_type), ("one", "two"));
}

pub fn a_repeat_has_the_id_of_the_first_and_runs_nothing<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let first = desk.send_as("s", "1");
    let delivery = desk.begun_one();
    assert_eq!(desk.send_as("s", "1"), Receipt { id: first.id, duplicate: true });
    desk.done(&delivery);
    assert_eq!(desk.send_as("s", "1"), Receipt { id: first.id, duplicate: true });
    desk.begun_none();
}

pub fn a_repeat_within_a_request_is_a_repeat<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let one = || event("s", "t", Some("1"), 1_600_000_000_000);
    let receipts = desk.accept(vec![one(), one()]);
    assert_eq!(receipts[1], Receipt { id: receipts[0].id, duplicate: true });
    assert_eq!(ids(&desk.begun()), [receipts[0].id]);
}

pub fn a_repeat_is_told_after_a_restart<E: Engine>() {
    let mut desk = desk::<E>();
    let first = desk.send_as("s", "1");
    for ending in [Ending::Closed, Ending::Killed] {
        desk.restart(ending);
        assert_eq!(desk.send_as("s", "1"), Receipt { id: first.id, duplicate: true });
    }
}

pub fn a_repeat_of_what_is_dead_is_delivered_again<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    desk.wants("b", 9);
    let first = desk.send_as("s", "1");
    for delivery in desk.begun() {
        if &*delivery.subscriber == "a" { desk.end(&delivery, rejected()) } else { desk.done(&delivery) }
    }
    assert_eq!(desk.send_as("s", "1"), Receipt { id: first.id, duplicate: true });
    let again = desk.begun_one();
    assert_eq!((&*again.subscriber, again.attempt, again.earlier, again.nth()), ("a", 2, 1, 1));
}

pub fn a_repeat_puts_nothing_back_for_who_wants_nothing<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let first = desk.send_as("s", "1");
    let delivery = desk.begun_one();
    desk.end(&delivery, rejected());
    desk.wants_some("a", &[], None, 9);
    assert!(desk.send_as("s", "1").duplicate);
    desk.begun_none();
    assert_eq!(desk.standing("a", first.id), Some(Standing::Dead));
}

pub fn a_key_of_another_source_is_no_repeat<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    let first = desk.send_as("s", "1");
    let other = desk.send_as("z", "1");
    assert!(!other.duplicate && other.id > first.id);
    assert_eq!(desk.begun().len(), 2);
}

pub fn what_has_no_key_is_no_repeat<E: Engine>() {
    let mut desk = desk_with::<E>("a", 9);
    assert!(desk.send("s") < desk.send("s"));
    assert_eq!(desk.begun().len(), 2);
}

pub fn ids_grow_though_the_clock_goes_back<E: Engine>() {
    let mut desk = desk::<E>();
    let first = desk.send("s");
    desk.now -= 3_600_000;
    let second = desk.send("s");
    desk.restart(Ending::Closed);
    desk.now -= 3_600_000;
    let third = desk.send("s");
    assert!(first < second && second < third, "{first} {second} {third}");
}

pub fn what_nobody_wants_is_kept<E: Engine>() {
    let mut desk = desk::<E>();
    let id = desk.send("s");
    let shown = desk.look(desk.queue().show(id)).unwrap();
    assert_eq!((shown.listed.went, shown.payload.unwrap()), (Went::Unrouted, "s t -".into()));
    desk.wants("a", 9);
    assert_eq!(desk.put_back("a", &[id], Which::All, Doing::ForReal), 1);
    assert_eq!(desk.begun_one().event.id, id);
}

pub fn nothing_new_is_accepted_while_as_much_waits_as_may<E: Engine>() {
    let mut desk = Desk::<E>::new(Keep { open_deliveries: 2, ..keep() });
    desk.wants("a", 9);
    let first = desk.send_as("s", "1");
    desk.send_as("s", "2");
    let (queue, third) = (desk.queue(), event("s", "t", Some("3"), desk.now));
    let (repeat, new) = (event("s", "t", Some("1"), desk.now), third.clone());
    let both = vec![repeat, third];
    let told = desk.ask(async move { queue.accept(both).await });
    assert!(matches!(told, Err(AcceptError::NotNow(_))), "{told:?}");
    // A repeat takes no room.
    assert_eq!(desk.send_as("s", "1"), Receipt { id: first.id, duplicate: true });
    for delivery in desk.begun() {
        desk.done(&delivery);
    }
    assert!(!desk.accept(vec![new])[0].duplicate, "nothing of it was kept");
}

pub fn old_bodies_go_and_their_keys_stay<E: Engine>() {
    let day = Duration::from_secs(86_400);
    let mut desk = Desk::<E>::new(Keep { events: day, repeat_keys: day * 3, ..keep() });
    desk.wants("a", 1);
    let (over, open) = (desk.send_as("s", "1"), desk.send_as("s", "2"));
    let delivery = desk.begun_one();
    desk.done(&delivery);
    for _ in 0..4 {
        desk.pass(43_200_000);
    }
    let shown = |id: EventId| desk.look(desk.queue().show(id)).unwrap();
    assert_eq!((shown(over.id).listed.went, shown(over.id).payload), (Went::LetGo, None));
    assert!(shown(open.id).payload.is_some(), "it is not over");
    assert_eq!(desk.send_as("s", "1"), Receipt { id: over.id, duplicate: true });
    assert_eq!(desk.put_back("a", &[over.id], Which::All, Doing::ForReal), 0);
}

pub fn pages_leave_nothing_out<E: Engine>() {
    let mut desk = desk::<E>();
    let sent: Vec<EventId> = (0..40).map(|n| desk.send(["loud", "quiet"][usize::from(n % 5 == 0)])).collect();
    for source in [None, Some("quiet".to_owned())] {
        let (mut found, mut before, queue) = (Vec::new(), None, desk.queue());
        loop {
            let wanted = Wanted { source: source.clone(), before, limit: 3, ..Wanted::default() };
            let page = desk.look(queue.events(wanted));
            found.extend(page.events.iter().map(|listed| listed.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let quiet = |n: &usize| source.is_none() || n.is_multiple_of(5);
        let expected: Vec<EventId> = (0..40).filter(quiet).map(|n| sent[n]).rev().collect();
        assert_eq!(found, expected);
    }
}
