//! An engine and the model beside it: each verb is said to both, and what comes of it is compared.

use anyhow::{Context, ensure};
use bytes::Bytes;
use hookgate::attempt::Outcome;
use hookgate::effects::{CAUSE, DEPTH, Effects, Emitted, PLUGIN, Quota, Range, Read, Value};
use hookgate::event::{EventId, NewEvent, is_webhook};
use hookgate::queue::{
    AcceptError, Delivery, NotKept, Note, PuttingBack, Registration, Settlement, Subscribing, Wanted,
};
use hookgate::schedule::{Verdict, judge};

use super::Engine;
use super::aging;
use super::desk::{self, Desk, Ending, attempt, patterns, schedules};
use super::model::Model;
use super::verbs::{ATTRIBUTES, Becomes, Ends, Keeping, NAMES, Reads, Sent, TYPES, Verb, WANTS, WEBHOOKS};

/// What plugins may remember: little, so that it is too much now and then.
const QUOTA: Quota = Quota { bytes: 12, keys: 2 };

/// The kind of what is registered.
pub(super) const KIND: &str = "webhook";

/// Both.
pub(super) struct World<E> {
    pub desk: Desk<E>,
    pub model: Model,
    in_hand: Vec<Delivery>,
}

impl<E: Engine> World<E> {
    pub fn new() -> World<E> {
        World { desk: Desk::new(aging::keep()), model: Model::default(), in_hand: Vec::new() }
    }

    /// Says something to both. Fails where they differ.
    pub fn apply(&mut self, verb: &Verb) -> anyhow::Result<()> {
        self.model.step += 1;
        self.desk.now += if let Verb::Pass(ms) = verb { *ms } else { 0 };
        self.model.now = self.desk.now;
        self.say(verb)?;
        self.take_begun(&mut |_, _| true)?;
        self.model.rests()?;
        self.see_what_went()?;
        self.compare_counts()
    }

    fn say(&mut self, verb: &Verb) -> anyhow::Result<()> {
        match verb {
            Verb::Accept(requests) => self.accept(requests),
            Verb::Subscribe { who, wants, ordered_by, slots } => self.subscribe(*who, *wants, *ordered_by, *slots),
            Verb::Settle { which, ends } => self.settle(*which, *ends),
            Verb::SettleWith { which, keeping } => self.settle_with(*which, keeping),
            Verb::Remember { who, event, keeping } => self.remember(NAMES[*who], *event, keeping),
            Verb::Register { webhook, body, becomes, tells } => {
                self.register(WEBHOOKS[*webhook], body.map(|byte| vec![byte]), *becomes, *tells)
            }
            Verb::Restart(ending) => {
                self.restart(*ending);
                Ok(())
            }
            Verb::Age(half_days) => self.age(*half_days),
            Verb::Search(search) => self.search(search),
            Verb::Look => {
                self.compare_subscribers()?;
                self.look()
            }
            Verb::PutBack { .. } | Verb::DropDead { .. } | Verb::Pause { .. } | Verb::Resume { .. } | Verb::Note => {
                self.do_by_hand(verb)
            }
            Verb::Gone { .. } | Verb::Claim { .. } | Verb::Hold { .. } | Verb::Rest | Verb::Pass(_) => {
                self.turn(verb);
                Ok(())
            }
        }
    }

    /// What came out, as long as it may be taken now, is begun.
    fn take_begun(&mut self, may: &mut dyn FnMut(&Model, &Delivery) -> bool) -> anyhow::Result<()> {
        let mut begun = std::mem::take(&mut self.desk.came);
        begun.extend(self.desk.begun());
        let mut begun = begun.into_iter().peekable();
        while let Some(delivery) = begun.next_if(|delivery| may(&self.model, delivery)) {
            self.model.begin(&delivery)?;
            self.in_hand.push(delivery);
        }
        self.desk.came = begun.collect();
        Ok(())
    }

    /// An event by its number, counted around.
    pub fn event(&self, number: usize) -> Option<EventId> {
        let count = self.model.events.len();
        self.model.events.keys().nth(number.checked_rem(count)?).copied()
    }

    /// Events by their numbers, those that were forgotten too.
    fn events_of(&self, numbers: &[usize]) -> Vec<EventId> {
        let all: Vec<EventId> = self.model.events.keys().chain(&self.model.forgotten).copied().collect();
        numbers.iter().filter_map(|number| all.get(number.checked_rem(all.len())?).copied()).collect()
    }

    fn accept(&mut self, requests: &[Vec<Sent>]) -> anyhow::Result<()> {
        let now = self.desk.now;
        let requests: Vec<Vec<NewEvent>> =
            requests.iter().map(|request| request.iter().map(|sent| sent.event(now)).collect()).collect();
        let saying = requests.iter().cloned().map(|request| {
            let queue = self.desk.queue();
            async move { queue.accept(request).await }
        });
        let (answers, is_full) = (self.desk.ask_all(saying.collect()), self.model.is_full());
        for (request, answer) in requests.into_iter().zip(answers) {
            let is_refused = is_full && matches!(answer, Err(AcceptError::NotNow(_)));
            let is_repeat = request.iter().all(|event| self.model.first_of(event, is_refused).is_some());
            ensure!(!is_full || is_refused != is_repeat, "it is full, and says {answer:?}");
            if is_refused {
                continue;
            }
            let receipts = answer?;
            ensure!(receipts.len() == request.len(), "{} receipts for {} events", receipts.len(), request.len());
            request.into_iter().zip(receipts).try_for_each(|(event, receipt)| self.model.accept(event, receipt))?;
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        who: usize,
        wants: Option<usize>,
        ordered_by: Option<usize>,
        slots: usize,
    ) -> anyhow::Result<()> {
        let (name, queue) = (NAMES[who], self.desk.queue());
        let wants = wants.map(|wants| patterns(WANTS[wants]));
        // Webhooks have no lanes.
        let ordered_by = ordered_by.filter(|_| !is_webhook(name)).map(|by| ATTRIBUTES[by].into());
        self.model.subscribe(name, wants.clone(), ordered_by.clone(), slots);
        Ok(self.desk.ask(async move { queue.subscribe(name, wants, ordered_by, slots).await })?)
    }

    /// What is told and not answered.
    fn turn(&mut self, verb: &Verb) {
        let queue = self.desk.queue();
        match verb {
            Verb::Gone { who } => {
                queue.gone(NAMES[*who]);
                self.model.gone(NAMES[*who]);
            }
            Verb::Claim { who, slots } => {
                queue.claim(NAMES[*who], *slots);
                self.model.set_slots(NAMES[*who], *slots, 0);
            }
            Verb::Hold { who, for_ms, slots } => {
                let until_ms = self.desk.now + for_ms;
                queue.hold(NAMES[*who], until_ms, *slots);
                self.model.set_slots(NAMES[*who], *slots, until_ms);
            }
            Verb::Rest => {
                queue.rest();
                self.model.rest();
            }
            _ => {}
        }
        self.desk.step();
    }

    fn take(&mut self, which: usize) -> Option<Delivery> {
        let place = which.checked_rem(self.in_hand.len())?;
        Some(self.in_hand.remove(place))
    }

    fn settle(&mut self, which: usize, ends: Ends) -> anyhow::Result<()> {
        let Some(delivery) = self.take(which) else { return Ok(()) };
        let (name, event, now) = (delivery.subscriber.clone(), delivery.event.id, self.desk.now);
        let Some(outcome) = ends.outcome() else {
            self.model.give_back(&name, event);
            self.desk.settle(&delivery, Settlement::Returned);
            return Ok(());
        };
        let verdict = judge(&outcome, delivery.nth(), schedules().of(&name), now);
        self.model.settle(&name, event, &outcome, &verdict);
        self.desk.end(&delivery, outcome);
        Ok(())
    }

    fn settle_with(&mut self, which: usize, keeping: &Keeping) -> anyhow::Result<()> {
        let Some(delivery) = self.take(which) else { return Ok(()) };
        let (name, event, now) = (delivery.subscriber.clone(), delivery.event.id, self.desk.now);
        let effects = self.effects(&name, keeping);
        let expected = self.model.would_keep(&name, &effects);
        let settlement = Settlement::Judged { verdict: Verdict::Done, attempt: attempt(now, Outcome::Done) };
        let (queue, settling, kept) = (self.desk.queue(), delivery.clone(), effects.clone());
        let told = self.desk.ask(async move { queue.settle_with(&settling, settlement, kept).await });
        ensure!(told == expected, "{effects:?} is {told:?} and not {expected:?}");
        if told == Err(NotKept::Overtaken) {
            self.in_hand.push(delivery);
            return Ok(());
        }
        self.model.keep(&name, &effects);
        self.discover(emitted(&name, event, &effects, now))?;
        self.model.settle(&name, event, &Outcome::Done, &Verdict::Done);
        Ok(())
    }

    fn remember(&mut self, name: &'static str, event: usize, keeping: &Keeping) -> anyhow::Result<()> {
        let Some(event) = self.event(event) else { return Ok(()) };
        let (effects, now, queue) = (self.effects(name, keeping), self.desk.now, self.desk.queue());
        let is_repeat = self.model.has_answered(name, event);
        let expected = if is_repeat { Ok(()) } else { self.model.would_keep(name, &effects) };
        let (attempt, kept) = (attempt(now, Outcome::Done), effects.clone());
        let told = self.desk.ask(async move { queue.remember(&name.into(), event, attempt, kept).await });
        ensure!(told == expected, "{effects:?} is {told:?} and not {expected:?}");
        if is_repeat || told.is_err() {
            return self.discover(Vec::new());
        }
        self.model.keep(name, &effects);
        self.model.answer(name, event)?;
        self.discover(emitted(name, event, &effects, now))
    }

    fn effects(&self, name: &str, keeping: &Keeping) -> Effects {
        let one = self.model.subscribers.get(name);
        let key = ["a", "ab", "b"][usize::from(keeping.key)].to_owned();
        let value = |length: u8| Value { bytes: vec![b'x'; usize::from(length)].into(), expires_ms: None };
        let range = Range { prefix: "a".into(), after: None, limit: 9 };
        let read = match keeping.reads {
            Reads::Nothing => None,
            Reads::Value => {
                let seen = one.and_then(|one| one.kept.get(&key)).cloned();
                Some(Read::Key { key: key.clone(), seen })
            }
            Reads::Keys => {
                let seen = one.map_or(Vec::new(), |one| super::settling::keys(one, &range));
                Some(Read::Keys { range, seen })
            }
            Reads::Stale => Some(Read::Key { key: key.clone(), seen: Some(value(99)) }),
        };
        let emits = |event_type: &u8| Emitted {
            event_type: TYPES[usize::from(*event_type)].into(),
            attributes: vec![(ATTRIBUTES[0].into(), "1".into())],
            payload: Bytes::from_static(b"made"),
        };
        let writes = [(key, keeping.value.map(value))].into();
        let emitted = keeping.emits.iter().map(emits).collect();
        Effects { reads: read.into_iter().collect(), writes, emitted, quota: QUOTA, depth: 1, trace: None }
    }

    /// Events came that nobody sent: these, in their order.
    fn discover(&mut self, expected: Vec<NewEvent>) -> anyhow::Result<()> {
        let after = self.model.events.keys().last().copied();
        let found = self.all_events(Wanted { after, limit: 100, ..Wanted::default() })?;
        ensure!(found.len() == expected.len(), "{found:?} came, where {expected:?} must");
        found.iter().rev().zip(expected).try_for_each(|(listed, event)| self.model.add(listed.id, event))
    }

    fn do_by_hand(&mut self, verb: &Verb) -> anyhow::Result<()> {
        let queue = self.desk.queue();
        match verb {
            Verb::PutBack { who, events, which, doing } => {
                let (name, events, which, doing) = (NAMES[*who], self.events_of(events), *which, *doing);
                let before = self.model.clone();
                let expected = self.model.put_back(name, &events, which, doing);
                let putting = PuttingBack { subscribers: vec![name.into()], events, which, doing };
                let told = self.desk.ask(async move { queue.put_back(putting).await });
                if self.model.takes_room_since(&before) {
                    ensure!(matches!(told, Err(AcceptError::NotNow(_))), "{told:?}, and there was no room");
                    self.model = before;
                } else {
                    ensure!(told == Ok(vec![expected]), "{told:?} were put back and not {expected}");
                }
            }
            Verb::DropDead { who, events } => {
                let (name, events) = (NAMES[*who], self.events_of(events));
                let expected = self.model.drop_dead(name, &events);
                let told = self.desk.ask(async move { queue.drop_dead(name, events).await })?;
                ensure!(told == expected, "{told} were dropped and not {expected}");
            }
            Verb::Pause { who } => {
                let (who, note) = (NAMES[*who], self.note());
                let noted = note.clone();
                let told = self.desk.ask(async move { queue.pause(who, Some(noted)).await })?;
                ensure!(told == self.model.pause(who, true), "paused: {told}");
                // Nothing is noted of what is not done.
                self.model.notes.extend(told.then_some((self.desk.now, note.what)));
            }
            Verb::Resume { who } => {
                let told = self.desk.ask(async move { queue.resume(NAMES[*who], None).await })?;
                ensure!(told == self.model.pause(NAMES[*who], false), "resumed: {told}");
            }
            _ => {
                let (asked, at_ms) = (self.note(), self.desk.now);
                let done = Note { what: format!("{} and done", asked.what), ..asked.clone() };
                self.model.notes.push((at_ms, done.what.clone()));
                let number = self.desk.ask(async move { queue.note(None, asked).await })?;
                let queue = self.desk.queue();
                let again = self.desk.ask(async move { queue.note(Some(number), done).await })?;
                ensure!(again == number, "{again} is what became of {number}");
            }
        }
        Ok(())
    }

    fn note(&self) -> Note {
        Note { who: "somebody".to_owned(), what: format!("step {}", self.model.step) }
    }

    fn register(
        &mut self,
        id: &'static str,
        body: Option<Vec<u8>>,
        becomes: Becomes,
        tells: bool,
    ) -> anyhow::Result<()> {
        let (now, name) = (self.desk.now, format!("webhook:{id}"));
        let subscriber = name.as_str().into();
        let subscribing = match becomes {
            Becomes::Same => None,
            Becomes::Wants { wants, slots } => {
                Some(Subscribing::Wants { subscriber, patterns: patterns(WANTS[wants]), slots })
            }
            Becomes::Waits => Some(Subscribing::Waits { subscriber }),
            Becomes::Ends => Some(Subscribing::Ends { subscriber }),
        };
        let told = tells.then(|| desk::event("hookgate", TYPES[2], None, now));
        let note = self.note();
        self.model.notes.push((now, note.what.clone()));
        let (body_kept, event, note) = (body.clone(), told.clone(), Some(note));
        let registration = Registration { kind: KIND, id: id.into(), body: body_kept, subscribing, event, note };
        let queue = self.desk.queue();
        self.desk.ask(async move { queue.register(registration).await })?;
        match body {
            Some(body) => drop(self.model.records.insert(id.to_owned(), body)),
            None => drop(self.model.records.remove(id)),
        }
        // It is told to whoever subscribed to it before, and begun by those that had room then.
        self.discover(told.into_iter().collect())?;
        let last = self.event(self.model.events.len().saturating_sub(1)).filter(|_| tells);
        self.take_begun(&mut |model, delivery| {
            Some(delivery.event.id) == last && model.has_slot(&delivery.subscriber)
        })?;
        match becomes {
            Becomes::Same => {}
            Becomes::Wants { wants, slots } => self.model.register_wants(&name, patterns(WANTS[wants]), slots),
            Becomes::Waits => self.model.register_waits(&name),
            Becomes::Ends => self.model.register_ends(&name),
        }
        Ok(())
    }

    fn restart(&mut self, ending: Ending) {
        self.in_hand.clear();
        self.desk.restart(ending);
        self.model.restart();
    }

    fn compare_subscribers(&mut self) -> anyhow::Result<()> {
        let queue = self.desk.queue();
        let mut told = self.desk.ask(async move { queue.subscribers().await });
        told.sort();
        let all = self.model.subscribers.iter().filter(|(_, one)| !one.patterns.is_empty());
        ensure!(told.iter().map(|name| &**name).eq(all.map(|(name, _)| name.as_str())), "{told:?} subscribe");
        Ok(())
    }

    fn compare_counts(&self) -> anyhow::Result<()> {
        let queue = self.desk.queue();
        let each = self.desk.look(queue.counts_of_each());
        self.model.compare_counts(&each).context("counts")
    }
}

/// The events that a plugin's call made.
fn emitted(name: &str, cause: EventId, effects: &Effects, now: u64) -> Vec<NewEvent> {
    let own = [(DEPTH.to_owned(), effects.depth.to_string()), (CAUSE.to_owned(), cause.to_string())];
    let event = |emitted: &Emitted| NewEvent {
        provider: PLUGIN.into(),
        attributes: emitted.attributes.iter().cloned().chain(own.clone()).collect(),
        payload: emitted.payload.clone(),
        ..desk::event(&format!("{PLUGIN}:{name}"), &emitted.event_type, None, now)
    };
    effects.emitted.iter().map(event).collect()
}
