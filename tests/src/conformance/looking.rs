//! What whoever looks must see: the model's answers beside the engine's.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use hookgate::effects::Range;
use hookgate::event::{EventId, Pattern, is_webhook};
use hookgate::queue::{Counts, Filter, Listed, Looked, Shown, Stand, Standing, Track, Tried, Wanted, Went};

use super::Engine;
use super::model::{Known, Model};
use super::settling::{keys, used};
use super::told::{Attempted, Told};
use super::verbs::{NAMES, SOURCES, Search, WANTS};
use super::world::{KIND, World};

/// More than there are.
const ALL: usize = 10_000;

/// How a delivery stands: how many attempts were begun, and when it is due, where it waits by itself.
type Stands = (Option<Standing>, u32, Option<u64>);

fn stands(told: &Told) -> Stands {
    let due_ms = told.due_ms.filter(|_| told.standing == Standing::Pending);
    (Some(told.standing), told.attempts, due_ms)
}

fn stood(stand: &Stand) -> Stands {
    (stand.standing, stand.attempts, stand.due_ms)
}

fn attempted(tried: &Tried) -> (u32, Attempted) {
    (tried.number, (tried.outcome, tried.started_at_ms, tried.took_us))
}

fn alone(told: &Told) -> Went {
    match told.standing {
        Standing::Pending | Standing::Running => Went::Pending,
        Standing::Dead => Went::Dead,
        Standing::Done => Went::Done,
    }
}

fn means(pattern: &Pattern, known: &Known) -> bool {
    pattern.matches(&known.event.source, &known.event.provider, &known.event.event_type)
}

impl Model {
    fn deliveries_of(&self, id: EventId) -> BTreeMap<&str, &Told> {
        self.subscribers.iter().filter_map(|(name, one)| Some((name.as_str(), one.deliveries.get(&id)?))).collect()
    }

    fn went(&self, id: EventId) -> Went {
        let deliveries = self.deliveries_of(id);
        let any = |wanted: Went| deliveries.values().any(|told| alone(told) == wanted);
        match () {
            () if self.events[&id].is_let_go => Went::LetGo,
            () if any(Went::Pending) => Went::Pending,
            () if any(Went::Dead) => Went::Dead,
            // What an operator dropped is over.
            () if !deliveries.is_empty() || self.events[&id].was_wanted => Went::Done,
            () => Went::Unrouted,
        }
    }

    /// The events that are wanted, the newest first.
    fn wanted(&self, wanted: &Wanted) -> Vec<EventId> {
        let first_at = EventId::first_at;
        let is_wanted = |(id, known): &(&EventId, &Known)| {
            let named = |name: &String| **name == *known.event.source || **name == *known.event.provider;
            let went = match &wanted.subscriber {
                None => wanted.went.is_none_or(|went| went == self.went(**id)),
                Some(name) => self
                    .deliveries_of(**id)
                    .get(name.as_str())
                    .is_some_and(|told| wanted.went.is_none_or(|went| went == alone(told))),
            };
            let text = |text: &String| {
                !known.is_let_go && String::from_utf8_lossy(&known.event.payload).contains(text.as_str())
            };
            went && wanted.source.as_ref().is_none_or(named)
                && wanted.event_type.as_ref().is_none_or(|pattern| means(pattern, known))
                && wanted.since_ms.is_none_or(|since| **id >= first_at(since))
                && wanted.until_ms.is_none_or(|until| **id < first_at(until))
                && wanted.before.is_none_or(|before| **id < before)
                && wanted.after.is_none_or(|after| **id > after)
                && wanted.text.as_ref().is_none_or(text)
        };
        self.events.iter().rev().filter(is_wanted).map(|(id, _)| *id).collect()
    }

    fn filtered(&self, name: &str, filter: &Filter) -> Vec<(EventId, &Told)> {
        let Some(one) = self.subscribers.get(name) else { return Vec::new() };
        let is_meant = |(id, told): &(&EventId, &Told)| {
            filter.standing.is_none_or(|standing| standing == told.standing)
                && filter.event_type.as_ref().is_none_or(|pattern| means(pattern, &self.events[*id]))
                && filter.before.is_none_or(|before| **id < before)
                && filter.since_ms.is_none_or(|since| **id >= EventId::first_at(since))
                && filter.until_ms.is_none_or(|until| **id < EventId::first_at(until))
        };
        let found = one.deliveries.iter().rev().filter(is_meant).take(filter.limit);
        found.map(|(id, told)| (*id, told)).collect()
    }

    fn history(&self, name: &str, event: EventId) -> Vec<(u32, Attempted)> {
        let own = self.subscribers.get(name).map(|one| one.history.range((event, 0)..=(event, u32::MAX)));
        own.into_iter().flatten().map(|((_, number), attempted)| (*number, *attempted)).collect()
    }

    pub fn compare_counts(&self, each: &BTreeMap<String, Counts>) -> anyhow::Result<()> {
        for (name, one) in &self.subscribers {
            let count = |standing| one.deliveries.values().filter(|told| told.standing == standing).count() as u64;
            let waiting = one.deliveries.values().filter(|told| told.standing == Standing::Pending);
            // By the clock on the wall, whatever waits by itself has long been due.
            let due = waiting.filter(|told| told.due_ms.is_some()).count() as u64;
            let expected = (count(Standing::Pending), due, count(Standing::Running), count(Standing::Dead));
            let counts = each.get(name).copied().unwrap_or_default();
            let told = (counts.pending, counts.due, counts.running, counts.dead);
            ensure!(told == expected, "{name}: {told:?} and not {expected:?}");
        }
        let unknown = each.keys().find(|name| !self.subscribers.contains_key(*name));
        ensure!(unknown.is_none(), "{unknown:?} is unknown");
        Ok(())
    }

    fn compare_listed(&self, listed: &Listed) -> anyhow::Result<()> {
        let event = &self.events.get(&listed.id).with_context(|| format!("{listed:?} is unknown"))?.event;
        let is_same = listed.source == *event.source
            && listed.provider == *event.provider
            && listed.event_type == *event.event_type
            && listed.received_at_ms == event.received_at_ms;
        ensure!(is_same, "{listed:?} is {event:?}");
        ensure!(listed.went == self.went(listed.id), "{listed:?} went {:?}", self.went(listed.id));
        let told: BTreeMap<&str, Stands> =
            listed.deliveries.iter().map(|stand| (stand.subscriber.as_str(), stood(stand))).collect();
        let expected: BTreeMap<&str, Stands> =
            self.deliveries_of(listed.id).into_iter().map(|(name, told)| (name, stands(told))).collect();
        ensure!(told == expected, "{}: {told:?} and not {expected:?}", listed.id);
        Ok(())
    }

    fn compare_looked(&self, name: &str, looked: &[Looked], filter: &Filter) -> anyhow::Result<()> {
        let expected = self.filtered(name, filter);
        ensure!(looked.len() == expected.len(), "{looked:?} and not {expected:?}");
        for (looked, (id, told)) in looked.iter().zip(expected) {
            let is_same = (looked.event, looked.standing, looked.attempts) == (id, told.standing, told.attempts)
                && looked.event_type == *self.events[&id].event.event_type
                && looked.received_at_ms == self.events[&id].event.received_at_ms;
            ensure!(is_same, "{looked:?} is {told:?} of {id}");
            if let (Standing::Pending, Some(due_ms)) = (told.standing, told.due_ms) {
                ensure!(looked.due_ms == due_ms, "{looked:?} is {told:?}");
            }
            let (history, expected): (Vec<_>, _) =
                (looked.history.iter().map(attempted).collect(), self.history(name, id));
            ensure!(history == expected, "{history:?} and not {expected:?}");
        }
        Ok(())
    }

    fn compare_shown(&self, id: EventId, shown: Option<Shown>) -> anyhow::Result<()> {
        let shown = shown.with_context(|| format!("{id} is not there"))?;
        self.compare_listed(&shown.listed)?;
        let kept = Some(&self.events[&id]).filter(|known| !known.is_let_go).map(|known| &known.event);
        let attributes = kept.map_or(&[][..], |event| &event.attributes[..]);
        let is_same = shown.attributes == attributes && shown.payload.as_ref() == kept.map(|event| &event.payload);
        ensure!(is_same, "{shown:?} is {kept:?}");
        let deliveries = self.deliveries_of(id);
        let mut expected = Vec::new();
        for name in self.subscribers.keys() {
            let history = self.history(name, id);
            let dropped = history.last().map(|(number, _)| (None, *number, None));
            let stands = deliveries.get(name.as_str()).map(|told| stands(told)).or(dropped);
            expected.extend(stands.map(|stands| (name.clone(), stands, history)));
        }
        // Plugins first.
        expected.sort_by_key(|(name, ..)| (is_webhook(name), name.clone()));
        let told: Vec<_> = shown
            .deliveries
            .iter()
            .map(|(stand, tried)| {
                (stand.subscriber.clone(), stood(stand), tried.iter().map(attempted).collect::<Vec<_>>())
            })
            .collect();
        ensure!(told == expected, "{id}: {told:?} and not {expected:?}");
        Ok(())
    }
}

/// All pages of what is wanted, from a look that gives one and says where to look on.
fn all_pages<T>(wanted: Wanted, look: impl Fn(Wanted) -> (Vec<T>, Option<EventId>)) -> anyhow::Result<Vec<T>> {
    let (mut found, mut before) = (Vec::new(), wanted.before);
    loop {
        let (page, next) = look(Wanted { before, ..wanted.clone() });
        ensure!(page.len() <= wanted.limit, "{} are more than {}", page.len(), wanted.limit);
        found.extend(page);
        match next {
            None => return Ok(found),
            next => before = next,
        }
    }
}

impl<E: Engine> World<E> {
    /// All pages of what is wanted.
    pub fn all_events(&self, wanted: Wanted) -> anyhow::Result<Vec<Listed>> {
        let queue = self.desk.queue();
        all_pages(wanted, |wanted| {
            let page = self.desk.look(queue.events(wanted));
            (page.events, page.next)
        })
    }

    /// The ids of all pages of what is wanted.
    pub fn all_ids(&self, wanted: Wanted) -> anyhow::Result<Vec<EventId>> {
        let queue = self.desk.queue();
        all_pages(wanted, |wanted| self.desk.look(queue.ids(wanted)))
    }

    fn compare_events(&self, wanted: Wanted) -> anyhow::Result<()> {
        let expected = self.model.wanted(&wanted);
        let found = self.all_events(wanted.clone())?;
        let told: Vec<EventId> = found.iter().map(|listed| listed.id).collect();
        ensure!(told == expected, "{wanted:?}: {told:?} and not {expected:?}");
        let ids = self.all_ids(wanted.clone())?;
        ensure!(ids == expected, "{wanted:?}: {ids:?} by their ids, and not {expected:?}");
        found.iter().try_for_each(|listed| self.model.compare_listed(listed))
    }

    /// Events and deliveries are looked for in the same words.
    pub fn search(&self, search: &Search) -> anyhow::Result<()> {
        let queue = self.desk.queue();
        let time = |number: Option<usize>| {
            self.model.events.get(&self.event(number?)?).map(|known| known.event.received_at_ms)
        };
        let names = || SOURCES.iter().flat_map(|(name, provider)| [name, provider]).chain(&["hookgate", "plugin"]);
        let name = |number: usize| (*names().nth(number % names().count()).unwrap_or(&"p")).to_owned();
        let texts = ["loud", "a.", "made", "-", "no such text"];
        let patterns: Vec<Pattern> = super::desk::patterns(&WANTS.concat());
        let subscriber = search.who.map(|who| NAMES[who % NAMES.len()]);
        let wanted = Wanted {
            source: search.source.map(name),
            event_type: search.wants.map(|wants| patterns[wants % patterns.len()].clone()),
            went: search.went,
            subscriber: subscriber.map(str::to_owned),
            since_ms: time(search.times.0),
            until_ms: time(search.times.1),
            text: search.text.map(|text| texts[text % texts.len()].to_owned()),
            before: search.ids.0.and_then(|id| self.event(id)),
            after: search.ids.1.and_then(|id| self.event(id)),
            limit: search.limit,
        };
        let filter = Filter {
            standing: search.source.map(|number| STANDINGS[number % STANDINGS.len()]),
            event_type: wanted.event_type.clone(),
            before: wanted.before,
            since_ms: wanted.since_ms,
            until_ms: wanted.until_ms,
            limit: search.limit,
        };
        self.compare_events(wanted)?;
        let subscriber = subscriber.unwrap_or(NAMES[0]);
        let looked = self.desk.look(queue.deliveries(subscriber, filter.clone()));
        self.model.compare_looked(subscriber, &looked, &filter).with_context(|| format!("{subscriber}: {filter:?}"))
    }

    /// All that there is to see is looked at.
    pub fn look(&self) -> anyhow::Result<()> {
        self.compare_events(Wanted { limit: 7, ..Wanted::default() })?;
        let queue = self.desk.queue();
        for id in self.model.events.keys() {
            self.model.compare_shown(*id, self.desk.look(queue.show(*id)))?;
        }
        self.look_for_unknown()?;
        let (told, types) = (self.desk.look(queue.types()), &self.model.types);
        ensure!(told.iter().map(String::as_str).eq(types.iter().map(|name| &**name)), "{told:?} and not {types:?}");
        for name in NAMES {
            self.look_at(name).context(name)?;
        }
        self.look_at_tracks()?;
        self.look_at_lists()
    }

    /// What never came, what was forgotten, and what nobody can get again.
    fn look_for_unknown(&self) -> anyhow::Result<()> {
        let (queue, never) = (self.desk.queue(), EventId::from_i64(1));
        let unknown: Vec<EventId> = [never].into_iter().chain(self.model.forgotten.iter().copied()).collect();
        let asked = unknown.iter().chain(self.model.events.keys()).copied().collect();
        let let_go = self.model.events.iter().filter(|(_, known)| known.is_let_go).map(|(id, _)| *id);
        let expected: Vec<EventId> = unknown.iter().copied().chain(let_go).collect();
        let told = self.desk.look(queue.unknown(asked));
        ensure!(told == expected, "{told:?} are unknown and not {expected:?}");
        for id in unknown {
            ensure!(self.desk.look(queue.show(id)).is_none(), "{id} is shown, which is not there");
        }
        Ok(())
    }

    /// Who there is, and what an operator did.
    fn look_at_lists(&self) -> anyhow::Result<()> {
        let queue = self.desk.queue();
        let of = |is: fn(&super::model::Subscriber) -> bool| -> BTreeSet<&str> {
            self.model.subscribers.iter().filter(|(_, one)| is(one)).map(|(name, _)| name.as_str()).collect()
        };
        let paused = self.desk.look(queue.paused());
        ensure!(paused.iter().map(String::as_str).eq(of(|one| one.is_paused)), "{paused:?} are paused");
        let records = self.desk.look(queue.records(KIND));
        let records: BTreeMap<String, Vec<u8>> =
            records.into_iter().map(|(id, body)| (id.as_ref().to_owned(), body)).collect();
        ensure!(records == self.model.records, "{records:?} and not {:?}", self.model.records);
        let audited = self.desk.look(queue.audit(0..u64::MAX, ALL));
        let told = audited.iter().map(|audited| (audited.at_ms, &audited.what));
        ensure!(told.eq(self.model.notes.iter().rev().map(|(at, what)| (*at, what))), "{audited:?}");
        Ok(())
    }

    fn look_at_tracks(&self) -> anyhow::Result<()> {
        let expected: BTreeMap<String, Track> =
            self.model.subscribers.iter().filter_map(|(name, one)| Some((name.clone(), one.track?))).collect();
        let queue = self.desk.queue();
        let told: BTreeMap<String, Track> = self.desk.look(queue.tracks()).into_iter().collect();
        ensure!(told == expected, "{told:?} and not {expected:?}");
        Ok(())
    }

    fn look_at(&self, name: &str) -> anyhow::Result<()> {
        let (queue, one) = (self.desk.queue(), self.model.subscribers.get(name));
        let all = Filter { standing: None, event_type: None, before: None, since_ms: None, until_ms: None, limit: ALL };
        let looked = self.desk.look(queue.deliveries(name, all.clone()));
        self.model.compare_looked(name, &looked, &all)?;
        let (track, open) = self.desk.look(queue.track(name));
        let expected = one.and_then(|one| one.track).unwrap_or_default();
        ensure!(track == expected, "{track:?} and not {expected:?}");
        ensure!(open as usize == one.map_or(0, |one| one.deliveries.values().filter(|told| told.is_open()).count()));
        self.look_at_undelivered(name)?;
        self.look_at_memory(name)
    }

    fn look_at_undelivered(&self, name: &str) -> anyhow::Result<()> {
        let (patterns, from) = (super::desk::patterns(&["a.*"]), self.event(1).unwrap_or(EventId::from_i64(0)));
        let until_ms = self.desk.now;
        let told = self.desk.queue();
        let (told, next) = self.desk.look(told.undelivered(name, patterns.clone(), from, until_ms));
        let is_meant = |(id, known): &(&EventId, &Known)| {
            let own = self.model.subscribers.get(name).and_then(|one| one.deliveries.get(*id));
            match own.map(|told| told.standing) {
                Some(standing) => matches!(standing, Standing::Dead | Standing::Pending),
                None => !known.is_let_go && means(&patterns[0], known),
            }
        };
        let between = self.model.events.range(from..).filter(|(id, _)| **id < EventId::first_at(until_ms));
        let expected: Vec<EventId> = between.filter(is_meant).map(|(id, _)| *id).collect();
        ensure!(told == expected && next.is_none(), "{told:?} and {next:?}, not {expected:?}");
        Ok(())
    }

    fn look_at_memory(&self, name: &str) -> anyhow::Result<()> {
        let (memory, one, now) = (self.desk.queue().memory(), self.model.subscribers.get(name), self.desk.now);
        let range = Range { prefix: "a".into(), after: Some("a".into()), limit: 9 };
        let told = memory.keys(name, &range, now).map_err(anyhow::Error::msg)?;
        ensure!(told == one.map_or(Vec::new(), |one| keys(one, &range)), "the keys are {told:?}");
        for key in ["a", "ab", "b"] {
            let told = memory.get(name, key, now).map_err(anyhow::Error::msg)?;
            ensure!(told.as_ref() == one.and_then(|one| one.kept.get(key)), "{key} is {told:?}");
        }
        let told = memory.used(name).map_err(anyhow::Error::msg)?;
        ensure!(told == one.map(|one| used(&one.kept)).unwrap_or_default(), "{told:?} is used");
        Ok(())
    }
}

/// Where deliveries stand.
const STANDINGS: [Standing; 4] = [Standing::Pending, Standing::Running, Standing::Done, Standing::Dead];
