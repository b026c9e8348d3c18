//! What holds for every trace, without a collector.

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::mpsc;

use super::*;

const SENDERS: TraceParent = TraceParent { trace_id: [7; 16], span_id: [9; 8], flags: TraceParent::SAMPLED };

/// A way to tell with room for so many, and where what is told comes out.
fn telling(share: f64, room: usize) -> (Telemetry, Counters, mpsc::Receiver<Span>) {
    let (spans, told) = mpsc::channel(room);
    let counters = Counters::default();
    let telling = Telling { spans, share: Share::new(share), counters: counters.clone() };
    (Telemetry(Some(Arc::new(telling))), counters, told)
}

fn event(n: i64) -> EventId {
    EventId::from_i64(n)
}

#[test]
fn ids_are_the_same_in_every_process_and_differ_for_every_step() {
    let ids = |n| Ids::new(event(n), None, Origin::Sent);
    let step = |name, subscriber, attempt| Step { name, subscriber, attempt };
    let onward = |n, step| ids(n).onward(step, Share::new(1.0));
    let steps = [step("call", "a", 1), step("call", "a", 2), step("call", "b", 1), step("wait", "a", 1), Step::ACCEPT];
    let all: std::collections::BTreeSet<_> = steps.iter().map(|step| onward(1, *step).span_id).collect();
    assert_eq!(all.len(), steps.len());
    assert_eq!(onward(1, steps[0]), onward(1, steps[0]));
    assert_ne!(onward(1, steps[0]).trace_id, onward(2, steps[0]).trace_id);
    // These must never change: attempts of tomorrow stand under spans of today.
    assert_eq!(onward(1, Step::ACCEPT).to_string(), "00-ef35c0d51df6a382d8779c4aaff2635c-407fad7992d58821-01");
}

#[test]
fn a_share_is_about_that_share_and_exact_at_its_ends() {
    let taken = |share: f64| {
        let (telemetry, _, _told) = telling(share, 1);
        (0..10_000).filter(|n| telemetry.trace(event(*n), None, Origin::Sent).is_some()).count()
    };
    assert_eq!((taken(0.0), taken(1.0)), (0, 10_000));
    assert!((2_000..3_000).contains(&taken(0.25)), "{}", taken(0.25));
}

#[test]
fn the_share_decides_whatever_a_sender_says_and_what_we_made_follows_what_made_it() {
    let unkept = TraceParent { flags: 0, ..SENDERS };
    // A trace's id is the sender's choice, too: this one is below any share.
    let lowest = TraceParent { trace_id: *b"anything\0\0\0\0\0\0\0\0", ..SENDERS };
    for share in [0.0, 0.25, 1.0] {
        let (telemetry, _, _told) = telling(share, 1);
        for n in 0..100 {
            let unsaid = telemetry.trace(event(n), None, Origin::Sent).is_some();
            for said in [SENDERS, unkept, lowest] {
                assert_eq!(telemetry.trace(event(n), Some(said), Origin::Sent).is_some(), unsaid, "{share} {said}");
                let onward = telemetry.onward(event(n), Some(said), Origin::Sent, Step::ACCEPT).unwrap();
                assert_eq!(
                    (onward.trace_id, onward.is_sampled()),
                    (said.trace_id, unsaid),
                    "its trace is gone on with"
                );
            }
            assert!(telemetry.trace(event(n), Some(SENDERS), Origin::Made).is_some());
            assert!(telemetry.trace(event(n), Some(unkept), Origin::Made).is_none());
        }
    }
}

#[test]
fn what_was_made_stands_under_what_made_it_and_has_no_root_of_its_own() {
    let (telemetry, _, mut told) = telling(1.0, 10);
    let now = Moment::now();
    let call = Step { name: "call", subscriber: "a", attempt: 1 };
    let mut parent_of = |parent, origin, step| {
        let trace = telemetry.trace(event(1), parent, origin).unwrap();
        trace.span(step, Kind::Internal, now, now).tell();
        told.try_recv().unwrap().parent_span_id
    };
    let root = telemetry.onward(event(1), None, Origin::Sent, Step::ACCEPT).unwrap().span_id;
    assert!(parent_of(None, Origin::Sent, Step::ACCEPT).is_empty());
    assert_eq!(parent_of(Some(SENDERS), Origin::Sent, Step::ACCEPT), SENDERS.span_id);
    assert_eq!(parent_of(None, Origin::Sent, call), root);
    assert_eq!(parent_of(Some(SENDERS), Origin::Sent, call), root);
    assert_eq!(parent_of(Some(SENDERS), Origin::Made, call), SENDERS.span_id);
    assert!(parent_of(None, Origin::Made, call).is_empty());
}

#[test]
fn what_finds_no_room_is_counted_and_waits_for_nobody() {
    let (telemetry, counters, _told) = telling(1.0, 2);
    let trace = telemetry.trace(event(1), None, Origin::Sent).unwrap();
    for _ in 0..5 {
        trace.span(Step::ACCEPT, Kind::Server, Moment::now(), Moment::now()).tell();
    }
    assert_eq!(counters.spans.get(&ResultLabel { result: "dropped" }).unwrap().get(), 3);
}

#[test]
fn a_span_never_ends_before_it_begins() {
    let (telemetry, _, mut told) = telling(1.0, 1);
    let now = Moment::now();
    let later = Moment { at: now.at + Duration::from_millis(5), unix_ns: now.unix_ns - 1_000_000_000 };
    telemetry.trace(event(1), None, Origin::Sent).unwrap().span(Step::ACCEPT, Kind::Server, now, later).tell();
    let span = told.try_recv().unwrap();
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 5_000_000);
    assert_eq!(now.back_to(now.unix_ms() + 10).unix_ns, now.unix_ns, "a clock that was set back");
    assert_eq!(now.back_to(now.unix_ms() - 10).unix_ms(), now.unix_ms() - 10);
}
