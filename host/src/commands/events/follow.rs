//! `hookgate events --follow`: events as they come, and again when they are over.
//!
//! A look asks for what came since the last one, and for what of those that are pending still is: a few requests, however much came
//! before, and however long something is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Duration;

use hookgate::event::EventId;
use http::Method;
use serde_json::{Map, Value};

use super::super::again::there_may_be_more;
use super::super::filter::with_query;
use super::super::gateway::{Away, Gateway, NotNow};
use super::super::printed;
use super::super::table::print_row;
use super::{COLUMNS, Events, PAGE, PATH, pages, row};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);

/// How many that are pending are looked at again; of more, the oldest are let go of.
const PENDING: usize = PAGE;

/// The most that are printed of what came between two looks.
const MANY: usize = 20_000;

/// With how many requests of one look is asked for those that are over; the others are found at the next.
const ASKED: usize = 8;

/// How wide columns are whose rows come one by one. Deliveries have what is left.
pub(super) const WIDTHS: [usize; 6] = [17, 19, 12, 24, 8, 200];

/// What was printed, as far as it has to be known.
struct Seen {
    /// Which events are meant, by the names of the API.
    fields: Map<String, Value>,
    /// All up to this one were looked at.
    last: EventId,
    /// The most that are printed of what came since.
    limit: usize,
    /// Those that were pending when they were printed.
    pending: BTreeSet<EventId>,
    /// Of them, those before this one are looked at next; nothing, where that is all of them.
    before: Option<EventId>,
}

impl Events {
    pub(super) async fn follow(&self, gateway: &Gateway) -> anyhow::Result<ExitCode> {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
            ended = self.look_on(gateway) => ended,
        }
    }

    /// Looks for ever; a gateway that is away is waited for. What is wrong otherwise ends it.
    async fn look_on(&self, gateway: &Gateway) -> anyhow::Result<ExitCode> {
        // By the gateway's clock and not by this one's.
        let (last, limit) = match self.filter.since {
            Some(_) => (EventId::from_i64(0), self.limit as usize),
            None => (newest(gateway).await?, MANY),
        };
        let fields = self.filter.fields()?;
        self.filter.tell_of_unknown(gateway).await;
        let mut seen = Seen { fields, last, limit, pending: BTreeSet::new(), before: None };
        let mut was_away = false;
        loop {
            let looked = self.look(gateway, &mut seen).await;
            let is_away = looked.as_ref().is_err_and(|error| error.is::<Away>() || error.is::<NotNow>());
            match looked {
                Err(error) if is_away && !was_away => eprintln!("{error}; waiting until it is there again"),
                Err(_) if is_away => {}
                looked => looked?,
            }
            if was_away && !is_away {
                eprintln!("it is there again");
            }
            was_away = is_away;
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&self, gateway: &Gateway, seen: &mut Seen) -> anyhow::Result<()> {
        let newest = newest(gateway).await?;
        if newest > seen.last {
            self.print_news(gateway, seen, newest).await?;
        }
        self.print_over(gateway, seen).await
    }

    /// Prints what came up to an event, the oldest first.
    async fn print_news(&self, gateway: &Gateway, seen: &mut Seen, newest: EventId) -> anyhow::Result<()> {
        let fields = seen.between(next(seen.last), newest);
        let (events, rest) = pages(gateway, PATH, "events", fields, seen.limit).await?;
        match rest.is_null() {
            true => {}
            false if seen.limit == MANY => {
                eprintln!("more than {MANY} events came at once; the oldest of them are not shown");
            }
            false => eprintln!("{}", there_may_be_more(seen.limit, "event")),
        }
        (seen.last, seen.limit) = (newest, MANY);
        for event in events.iter().rev() {
            seen.pending.extend(id(&event["id"]).filter(|_| self.state_of(event) == "pending"));
            self.print_one(event)?;
        }
        while seen.pending.len() > PENDING {
            seen.pending.pop_first();
        }
        Ok(())
    }

    /// Prints what was pending and is over now, the oldest first.
    async fn print_over(&self, gateway: &Gateway, seen: &mut Seen) -> anyhow::Result<()> {
        let mut over = seen.not_pending_any_more(gateway).await?;
        let (mut found, mut answered) = (BTreeMap::new(), BTreeSet::new());
        for _ in 0..ASKED {
            // The newest first, as they are listed: those that came one after another are in one answer.
            let (Some(first), Some(last)) = (over.first().copied(), over.last().copied()) else { break };
            let mut fields = seen.between(first, last);
            fields.insert("limit".into(), (2 * over.len()).min(PAGE).into());
            let page = gateway.ask(Method::GET, &with_query(PATH, &fields), None).await?;
            for event in page["events"].as_array().into_iter().flatten() {
                found.extend(id(&event["id"]).filter(|id| over.contains(id)).map(|id| (id, event.clone())));
            }
            answered.append(&mut over.split_off(&id(&page["next"]).unwrap_or(first)));
        }
        for (id, event) in found {
            match self.state_of(&event) {
                // It was put back meanwhile.
                "pending" => {
                    answered.remove(&id);
                }
                _ => self.print_one(&event)?,
            }
        }
        // What was not found is not there any more.
        seen.pending.retain(|id| !answered.contains(id));
        Ok(())
    }

    /// Prints an event as it is now, where that is asked for.
    fn print_one(&self, event: &Value) -> anyhow::Result<()> {
        let state = self.state_of(event);
        if self.state.is_some_and(|wanted| wanted.name() != state) {
            return Ok(());
        }
        if self.json {
            outln!("{}", printed::in_a_line(event)?);
            return Ok(());
        }
        let mut row = row(event);
        row[4] = state.to_owned();
        print_row(&COLUMNS, &WIDTHS, &row);
        Ok(())
    }

    /// How an event went; where a plugin is meant, its delivery.
    fn state_of<'a>(&self, event: &'a Value) -> &'a str {
        let own = self.filter.plugin.as_ref().and_then(|plugin| {
            let mut deliveries = event["deliveries"].as_array()?.iter();
            deliveries.find(|delivery| delivery["plugin"] == **plugin)?["state"].as_str()
        });
        match own {
            Some("running") => "pending",
            own => own.or(event["state"].as_str()).unwrap_or_default(),
        }
    }
}

impl Seen {
    /// What to ask for those that are meant from one event to another.
    fn between(&self, first: EventId, last: EventId) -> Map<String, Value> {
        let mut fields = self.fields.clone();
        fields.insert("after".into(), EventId::from_i64(first.to_i64() - 1).to_string().into());
        fields.insert("before".into(), next(last).to_string().into());
        fields
    }

    /// Those of the pending ones that are not any more, by one page of what is pending: where there is more, the next look goes on.
    async fn not_pending_any_more(&mut self, gateway: &Gateway) -> anyhow::Result<BTreeSet<EventId>> {
        let Some(oldest) = self.pending.first().copied() else { return Ok(BTreeSet::new()) };
        let end = self.before.take().filter(|end| *end > oldest).unwrap_or(next(self.last));
        let mut fields = self.between(oldest, EventId::from_i64(end.to_i64() - 1));
        fields.extend([("state".to_owned(), "pending".into()), ("limit".to_owned(), PAGE.into())]);
        let page = gateway.ask(Method::GET, &with_query(PATH, &fields), None).await?;
        let still: BTreeSet<EventId> =
            page["events"].as_array().into_iter().flatten().filter_map(|event| id(&event["id"])).collect();
        self.before = id(&page["next"]).filter(|end| *end > oldest);
        let from = self.before.unwrap_or(oldest);
        Ok(self.pending.range(from..).filter(|id| **id < end && !still.contains(id)).copied().collect())
    }
}

/// The newest event of all.
async fn newest(gateway: &Gateway) -> anyhow::Result<EventId> {
    let page = gateway.ask(Method::GET, &format!("{PATH}?limit=1"), None).await?;
    Ok(id(&page["events"][0]["id"]).unwrap_or(EventId::from_i64(0)))
}

fn next(id: EventId) -> EventId {
    EventId::from_i64(id.to_i64() + 1)
}

fn id(text: &Value) -> Option<EventId> {
    text.as_str()?.parse().ok()
}
