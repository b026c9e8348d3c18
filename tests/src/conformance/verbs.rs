//! What can be said to a queue, drawn by chance. Numbers name what there is by then, counted around.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Union;

use hookgate::attempt::Outcome;
use hookgate::event::{NewEvent, UnixMs};
use hookgate::queue::{Doing, Went, Which};

use super::desk::{self, Ending};

/// Who may subscribe: plugins first, then webhooks.
pub(super) const NAMES: [&str; 4] = ["first", "second", "webhook:w1", "webhook:w2"];

/// The ids of the webhooks among them.
pub(super) const WEBHOOKS: [&str; 2] = ["w1", "w2"];

/// Where events come from: sources and their providers.
pub(super) const SOURCES: [(&str, &str); 3] = [("loud", "p"), ("quiet", "p"), ("other", "q")];

/// What they are called.
pub(super) const TYPES: [&str; 3] = ["a.made", "a.gone", "b"];

/// What is subscribed to.
pub(super) const WANTS: [&[&str]; 6] = [&["*"], &["a.*"], &["loud:*"], &["p:a.made", "b"], &["plugin:*"], &[]];

/// What an event has lanes by, and another attribute.
pub(super) const ATTRIBUTES: [&str; 2] = ["key", "other"];

/// An event that is sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub source: usize,
    pub event_type: usize,
    /// Its repeat key; none, where it is 0.
    pub key: u8,
    /// The values of its attributes; none, where it is 0.
    pub values: (u8, u8),
}

impl Sent {
    /// What is sent at a time.
    pub fn event(&self, now: UnixMs) -> NewEvent {
        let (source, provider) = SOURCES[self.source];
        let key = (self.key > 0).then(|| self.key.to_string());
        let event = desk::event(source, TYPES[self.event_type], key.as_deref(), now);
        let values = [self.values.0, self.values.1];
        let given = ATTRIBUTES.iter().zip(values).filter(|(_, value)| *value > 0);
        let attributes = given.map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
        NewEvent { provider: provider.into(), attributes, ..event }
    }
}

/// How an attempt ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ends {
    Done,
    Trapped,
    Retry { after_ms: UnixMs },
    Reject,
    Returned,
}

impl Ends {
    /// Its outcome, unless it is given back.
    pub fn outcome(self) -> Option<Outcome> {
        Some(match self {
            Ends::Done => Outcome::Done,
            Ends::Trapped => Outcome::Trapped { why: "unreachable".into() },
            Ends::Retry { after_ms } => {
                Outcome::Retry { why: "busy".into(), after: Some(Duration::from_millis(after_ms)) }
            }
            Ends::Reject => Outcome::Reject { why: "no".into() },
            Ends::Returned => return None,
        })
    }
}

/// What a call read before it wrote.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reads {
    Nothing,
    /// What is so.
    Value,
    Keys,
    /// What is not so any more.
    Stale,
}

/// What a call wants kept.
#[derive(Debug, Clone)]
pub(super) struct Keeping {
    pub reads: Reads,
    pub key: u8,
    /// Its length; removed, where there is none.
    pub value: Option<u8>,
    pub emits: Vec<u8>,
}

/// What becomes of a webhook's subscriptions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Becomes {
    Same,
    Wants { wants: usize, slots: usize },
    Waits,
    Ends,
}

/// What is looked for among events.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub source: Option<usize>,
    pub wants: Option<usize>,
    pub went: Option<Went>,
    pub who: Option<usize>,
    pub times: (Option<usize>, Option<usize>),
    pub ids: (Option<usize>, Option<usize>),
    pub text: Option<usize>,
    pub limit: usize,
}

/// Something that is said, or that happens.
#[derive(Debug, Clone)]
pub(super) enum Verb {
    Accept(Vec<Vec<Sent>>),
    Subscribe {
        who: usize,
        wants: Option<usize>,
        ordered_by: Option<usize>,
        slots: usize,
    },
    Gone {
        who: usize,
    },
    Claim {
        who: usize,
        slots: usize,
    },
    Hold {
        who: usize,
        for_ms: UnixMs,
        slots: usize,
    },
    Rest,
    Settle {
        which: usize,
        ends: Ends,
    },
    SettleWith {
        which: usize,
        keeping: Keeping,
    },
    Remember {
        who: usize,
        event: usize,
        keeping: Keeping,
    },
    PutBack {
        who: usize,
        events: Vec<usize>,
        which: Which,
        doing: Doing,
    },
    DropDead {
        who: usize,
        events: Vec<usize>,
    },
    Pause {
        who: usize,
    },
    Resume {
        who: usize,
    },
    Register {
        webhook: usize,
        body: Option<u8>,
        becomes: Becomes,
        tells: bool,
    },
    Note,
    Pass(UnixMs),
    /// So many half days pass, and what is old goes.
    Age(u8),
    Restart(Ending),
    Search(Search),
    /// Everything is looked at.
    Look,
}

fn who() -> impl Strategy<Value = usize> {
    0..NAMES.len()
}

fn wants() -> impl Strategy<Value = usize> {
    prop_oneof![4 => Just(0usize), 3 => 1..WANTS.len()]
}

/// One of what there is.
fn any() -> impl Strategy<Value = usize> {
    0..64usize
}

fn some() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any(), 1..6)
}

fn sent() -> impl Strategy<Value = Sent> {
    (0..SOURCES.len(), 0..TYPES.len(), 0..12u8, (0..4u8, 0..3u8)).prop_map(|(source, event_type, key, values)| Sent {
        source,
        event_type,
        key,
        values,
    })
}

fn ends() -> impl Strategy<Value = Ends> {
    prop_oneof![
        4 => Just(Ends::Done),
        3 => Just(Ends::Trapped),
        1 => (0..40_000u64).prop_map(|after_ms| Ends::Retry { after_ms }),
        2 => Just(Ends::Reject),
        1 => Just(Ends::Returned),
    ]
}

fn keeping() -> impl Strategy<Value = Keeping> {
    let reads = prop_oneof![2 => Just(Reads::Nothing), 3 => Just(Reads::Value), 2 => Just(Reads::Keys), 1 => Just(Reads::Stale)];
    let emits = prop::collection::vec(0..3u8, 0..3);
    (reads, 0..3u8, prop::option::of(0..9u8), emits).prop_map(|(reads, key, value, emits)| Keeping {
        reads,
        key,
        value,
        emits,
    })
}

fn becomes() -> impl Strategy<Value = Becomes> {
    prop_oneof![
        1 => Just(Becomes::Same),
        3 => (wants(), 0..3usize).prop_map(|(wants, slots)| Becomes::Wants { wants, slots }),
        1 => Just(Becomes::Waits),
        1 => Just(Becomes::Ends),
    ]
}

fn search() -> impl Strategy<Value = Search> {
    let went = prop::sample::select(vec![Went::Unrouted, Went::Pending, Went::Done, Went::Dead, Went::LetGo]);
    let pair = || (prop::option::weighted(0.2, any()), prop::option::weighted(0.2, any()));
    let one = || prop::option::weighted(0.3, any());
    (one(), one(), prop::option::of(went), one(), pair(), pair(), one(), 1..6usize).prop_map(
        |(source, wants, went, who, times, ids, text, limit)| Search {
            source,
            wants,
            went,
            who,
            times,
            ids,
            text,
            limit,
        },
    )
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![2 => Just(Which::All), 1 => Just(Which::Dead), 1 => Just(Which::Missing), 1 => Just(Which::Waiting)]
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![3 => Just(Doing::ForReal), 1 => Just(Doing::OnTrial)]
}

fn of_senders() -> Union<BoxedStrategy<Verb>> {
    let requests = prop::collection::vec(prop::collection::vec(sent(), 1..4), 1..4);
    Union::new_weighted(vec![
        (30, requests.prop_map(Verb::Accept).boxed()),
        (10, prop_oneof![0..50u64, 0..3_000u64, 0..40_000u64].prop_map(Verb::Pass).boxed()),
        (3, (1..7u8).prop_map(Verb::Age).boxed()),
        (2, prop_oneof![Just(Ending::Closed), Just(Ending::Killed)].prop_map(Verb::Restart).boxed()),
    ])
}

fn of_subscribers() -> Union<BoxedStrategy<Verb>> {
    let subscribe = (who(), prop::option::weighted(0.7, wants()), prop::option::weighted(0.4, 0..2usize), 0..4usize);
    let remember = (0..2usize, any(), keeping());
    let remember = remember.prop_map(|(who, event, keeping)| Verb::Remember { who, event, keeping });
    Union::new_weighted(vec![
        (
            16,
            subscribe
                .prop_map(|(who, wants, ordered_by, slots)| Verb::Subscribe { who, wants, ordered_by, slots })
                .boxed(),
        ),
        (30, (any(), ends()).prop_map(|(which, ends)| Verb::Settle { which, ends }).boxed()),
        (5, (any(), keeping()).prop_map(|(which, keeping)| Verb::SettleWith { which, keeping }).boxed()),
        (2, remember.boxed()),
        (2, who().prop_map(|who| Verb::Gone { who }).boxed()),
        (4, (who(), 0..4usize).prop_map(|(who, slots)| Verb::Claim { who, slots }).boxed()),
        (
            3,
            (who(), 0..20_000u64, 0..3usize).prop_map(|(who, for_ms, slots)| Verb::Hold { who, for_ms, slots }).boxed(),
        ),
        (1, Just(Verb::Rest).boxed()),
    ])
}

fn of_operators() -> Union<BoxedStrategy<Verb>> {
    let put_back = (who(), some(), which(), doing());
    let register = (0..2usize, prop::option::weighted(0.7, 0..9u8), becomes(), prop::bool::weighted(0.4));
    Union::new_weighted(vec![
        (8, put_back.prop_map(|(who, events, which, doing)| Verb::PutBack { who, events, which, doing }).boxed()),
        (4, (who(), some()).prop_map(|(who, events)| Verb::DropDead { who, events }).boxed()),
        (2, who().prop_map(|who| Verb::Pause { who }).boxed()),
        (4, who().prop_map(|who| Verb::Resume { who }).boxed()),
        (
            6,
            register
                .prop_map(|(webhook, body, becomes, tells)| Verb::Register { webhook, body, becomes, tells })
                .boxed(),
        ),
        (1, Just(Verb::Note).boxed()),
        (5, search().prop_map(Verb::Search).boxed()),
        (2, Just(Verb::Look).boxed()),
    ])
}

/// A sequence of up to so many.
pub(super) fn verbs(most: usize) -> impl Strategy<Value = Vec<Verb>> {
    let verb = prop_oneof![4 => of_senders(), 7 => of_subscribers(), 3 => of_operators()];
    prop::collection::vec(verb, 1..=most)
}
