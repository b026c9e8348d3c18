//! `hookgate events --follow`: events as they come, and again when they are over.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use hookgate::event::EventId;
use http::Method;
use serde_json::{Map, Value};

use super::super::gateway::Gateway;
use super::super::table::harmless;
use super::super::when::local;
use super::{Events, PATH, deliveries, pages};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);

/// How many that are pending are looked at again; of more, the oldest are let go of.
const PENDING: usize = 1000;

/// The most that are looked for at once.
const MANY: usize = 100_000;

/// What was printed, as far as it has to be known.
struct Seen {
    /// All up to this one were.
    last: EventId,
    /// Those of them that were pending.
    pending: BTreeSet<EventId>,
}

impl Events {
    pub(super) async fn follow(&self, gateway: &Gateway) -> anyhow::Result<ExitCode> {
        let fields = self.filter.fields()?;
        // By the gateway's clock and not by this one's.
        let last = match self.filter.since {
            Some(_) => None,
            None => gateway.ask(Method::GET, &format!("{PATH}?limit=1"), None).await?["events"].get(0).and_then(id),
        };
        let mut seen = Seen { last: last.unwrap_or(EventId::from_i64(0)), pending: BTreeSet::new() };
        let mut limit = if last.is_some() { MANY } else { self.limit as usize };
        let stop = tokio::signal::ctrl_c();
        tokio::pin!(stop);
        loop {
            let events = seen.look(gateway, fields.clone(), limit).await?;
            self.print_news(&mut seen, &events)?;
            limit = MANY;
            tokio::select! {
                _ = &mut stop => return Ok(ExitCode::SUCCESS),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Prints what is new, and what is over now, the oldest first.
    fn print_news(&self, seen: &mut Seen, events: &[Value]) -> anyhow::Result<()> {
        for event in events.iter().rev() {
            let Some(id) = id(event) else { continue };
            let state = self.state_of(event);
            let (is_pending, was_pending) = (state == "pending", seen.pending.remove(&id));
            let is_news = id > seen.last || was_pending && !is_pending;
            if is_pending && (is_news || was_pending) {
                seen.pending.insert(id);
            }
            seen.last = seen.last.max(id);
            if is_news && self.state.is_none_or(|wanted| wanted.name() == state) {
                self.print_one(event, state)?;
            }
        }
        while seen.pending.len() > PENDING {
            seen.pending.pop_first();
        }
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

    fn print_one(&self, event: &Value, state: &str) -> anyhow::Result<()> {
        if self.json {
            outln!("{}", serde_json::to_string(event)?);
            return Ok(());
        }
        let text = |field: &str| harmless(event[field].as_str().unwrap_or_default());
        let [id, source, event_type] = ["id", "source", "type"].map(text);
        let (at, deliveries) = (local(&event["received_at"]), harmless(&deliveries(event)));
        outln!("{id}  {at}  {source:<12}  {event_type:<24}  {state:<8}  {deliveries}");
        Ok(())
    }
}

impl Seen {
    /// What came since, and whatever came after the oldest that was pending.
    async fn look(
        &self,
        gateway: &Gateway,
        mut fields: Map<String, Value>,
        limit: usize,
    ) -> anyhow::Result<Vec<Value>> {
        let before = |id: &EventId| EventId::from_i64(id.to_i64() - 1);
        let after = self.pending.first().map(before).unwrap_or(self.last).min(self.last);
        fields.insert("after".into(), after.to_string().into());
        Ok(pages(gateway, PATH, "events", fields, limit).await?.0)
    }
}

fn id(event: &Value) -> Option<EventId> {
    event["id"].as_str()?.parse().ok()
}
