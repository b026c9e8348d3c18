//! Promises that chance meets rarely, each a sentence.

#![allow(missing_docs, reason = "each name is the sentence")]

mod accepting;
mod aging;
mod by_hand;
mod delivering;
mod keeping;
mod subscribing;

use std::sync::Arc;

use hookgate::attempt::Outcome;
use hookgate::event::{EventId, NewEvent};
use hookgate::queue::{Delivery, Doing, PuttingBack, Receipt, Standing, Which};

use super::Engine;
use super::desk::{Desk, event, keep, patterns};

pub use super::chance::whatever_is_said;
pub use accepting::*;
pub use aging::*;
pub use by_hand::*;
pub use delivering::*;
pub use keeping::*;
pub use subscribing::*;

/// An engine with nothing in it.
fn desk<E: Engine>() -> Desk<E> {
    Desk::new(keep())
}

/// An engine with one who wants everything and has so many slots.
fn desk_with<E: Engine>(name: &'static str, slots: usize) -> Desk<E> {
    let mut desk = desk();
    desk.wants(name, slots);
    desk
}

fn trapped() -> Outcome {
    Outcome::Trapped { why: "unreachable".into() }
}

fn rejected() -> Outcome {
    Outcome::Reject { why: "no".into() }
}

fn ids(deliveries: &[Delivery]) -> Vec<EventId> {
    deliveries.iter().map(|delivery| delivery.event.id).collect()
}

impl<E: Engine> Desk<E> {
    /// Somebody wants everything.
    fn wants(&mut self, name: &'static str, slots: usize) {
        self.wants_some(name, &["*"], None, slots);
    }

    fn wants_some(&mut self, name: &'static str, texts: &[&str], ordered_by: Option<&str>, slots: usize) {
        let (queue, wants, ordered_by) = (self.queue(), Some(patterns(texts)), ordered_by.map(Arc::from));
        self.ask(async move { queue.subscribe(name, wants, ordered_by, slots).await }).unwrap();
    }

    /// An event is sent that has no key.
    fn send(&mut self, source: &str) -> EventId {
        let event = event(source, "t", None, self.now);
        self.accept(vec![event]).remove(0).id
    }

    /// An event is sent with a key.
    fn send_as(&mut self, source: &str, key: &str) -> Receipt {
        let event = event(source, "t", Some(key), self.now);
        self.accept(vec![event]).remove(0)
    }

    /// An event is sent with a value by which there are lanes.
    fn send_in(&mut self, lane: &str) -> EventId {
        let attributes = vec![("key".to_owned(), lane.to_owned())];
        let event = NewEvent { attributes, ..event("s", "t", None, self.now) };
        self.accept(vec![event]).remove(0).id
    }

    fn accept(&mut self, events: Vec<NewEvent>) -> Vec<Receipt> {
        let queue = self.queue();
        self.ask(async move { queue.accept(events).await }).unwrap()
    }

    /// The one delivery that came out.
    fn begun_one(&mut self) -> Delivery {
        let mut begun = self.begun();
        assert_eq!(begun.len(), 1, "{begun:?}");
        begun.remove(0)
    }

    /// Nothing came out.
    fn begun_none(&mut self) {
        let begun = self.begun();
        assert!(begun.is_empty(), "{begun:?}");
    }

    fn put_back(&mut self, name: &str, events: &[EventId], which: Which, doing: Doing) -> usize {
        let (queue, subscribers, events) = (self.queue(), vec![name.into()], events.to_vec());
        let putting = PuttingBack { subscribers, events, which, doing };
        self.ask(async move { queue.put_back(putting).await }).unwrap()[0]
    }

    fn drop_dead(&mut self, name: &'static str, event: EventId) -> usize {
        let queue = self.queue();
        self.ask(async move { queue.drop_dead(name, vec![event]).await }).unwrap()
    }

    /// Where somebody's delivery of an event stands.
    fn standing(&self, name: &str, event: EventId) -> Option<Standing> {
        let queue = self.queue();
        let shown = self.look(queue.show(event)).unwrap();
        let own = shown.deliveries.into_iter().find(|(stand, _)| stand.subscriber == name);
        own.and_then(|(stand, _)| stand.standing)
    }
}

/// The tests of an engine: what is promised by name, and whatever chance says.
#[macro_export]
macro_rules! conformance_suite {
    ($engine:ty) => {
        $crate::conformance_suite! { $engine:
            a_request_is_accepted_in_its_order
            a_repeat_has_the_id_of_the_first_and_runs_nothing
            a_repeat_within_a_request_is_a_repeat
            a_repeat_is_told_after_a_restart
            a_repeat_of_what_is_dead_is_delivered_again
            a_repeat_puts_nothing_back_for_who_wants_nothing
            a_key_of_another_source_is_no_repeat
            what_has_no_key_is_no_repeat
            ids_grow_though_the_clock_goes_back
            what_nobody_wants_is_kept
            nothing_new_is_accepted_while_as_much_waits_as_may
            old_bodies_go_and_their_keys_stay
            pages_leave_nothing_out
            nobody_has_more_in_hand_than_slots
            a_retry_is_not_early
            after_the_last_attempt_it_is_dead
            what_was_given_back_does_not_count
            lines_take_turns
            what_is_due_first_begins_first
            a_lane_is_begun_one_after_another
            a_lane_waits_while_its_first_is_tried_again
            a_lane_goes_on_after_a_death
            lanes_do_not_wait_for_each_other
            what_has_no_value_has_no_lane
            a_lane_is_kept_over_a_restart
            what_ran_when_the_process_ended_is_tried_again
            a_last_attempt_that_is_lost_is_dead
            who_subscribes_later_gets_nothing_from_before
            who_is_gone_misses_nothing
            who_says_nothing_wants_what_it_wanted
            who_is_unknown_and_says_nothing_is_not_there
            who_is_held_begins_nothing_until_then
            a_claim_ends_a_hold
            who_is_not_there_gets_no_slots
            nothing_begins_after_a_rest
            what_waits_for_who_is_gone_too_long_is_dead
            what_was_let_go_of_never_begins
            what_waits_for_who_ended_is_dead_for_ever
            what_waits_for_who_is_disabled_waits
            who_ends_hears_nothing_of_it_later
            a_track_counts_what_was_lost
            the_next_webhook_has_none_of_the_last_ones_attempts
            who_is_paused_begins_nothing_after_a_restart
            nobody_is_paused_who_is_not_there
            what_was_done_is_put_back_with_all_its_attempts
            a_trial_puts_nothing_back
            what_runs_is_not_put_back
            what_waits_is_hurried
            only_the_dead_are_put_back_where_that_is_said
            what_never_was_is_delivered_late
            what_was_put_back_lets_others_go_first_and_does_not_starve
            what_was_put_back_waits_in_its_lane
            what_was_dropped_is_no_more_and_its_attempts_are
            what_was_dropped_is_over_and_was_wanted
            what_a_call_keeps_is_kept_with_its_end
            what_was_overtaken_keeps_nothing
            no_more_is_kept_than_may_be
            what_expired_is_not_there
            what_a_plugin_emits_is_delivered
            an_answer_is_kept_once
            a_repeat_of_what_was_let_go_of_has_its_id_and_runs_nothing
            what_is_older_than_its_key_is_forgotten_and_what_was_kept_is_not
            what_is_open_is_kept_however_old_it_is
            what_was_put_back_by_hand_is_kept_while_it_is_open
            an_answer_is_kept_once_as_long_as_repeats_are_told
            whatever_is_said
        }
    };
    ($engine:ty: $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                $crate::conformance::promises::$name::<$engine>();
            }
        )*
    };
}
