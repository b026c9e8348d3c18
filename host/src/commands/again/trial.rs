//! What would be dropped, found out by looking alone.

use std::collections::BTreeSet;
use std::process::ExitCode;

use hookgate::event::EventId;
use http::Method;
use serde_json::{Map, Value};

use super::super::filter::with_query;
use super::super::gateway::Gateway;
use super::{Again, As, PAGE, Sum};

impl Again {
    /// Counts the dead deliveries that are meant, and prints how many: nothing is changed.
    pub async fn count_dead(self, gateway: &Gateway, as_json: As) -> anyhow::Result<ExitCode> {
        let limit = self.limit();
        let (sum, next) = match self.events.is_empty() {
            true => self.dead_of_filter(gateway, limit).await?,
            false => (self.dead_of_named(gateway, limit).await?, Value::Null),
        };
        if self.events.is_empty() && sum.matched == 0 {
            self.filter.tell_of_unknown(gateway).await;
        }
        let is_cut = !next.is_null();
        self.tell(&sum, &next, is_cut, as_json)
    }

    /// Those of the newest events that are meant, and where the others are.
    async fn dead_of_filter(&self, gateway: &Gateway, limit: usize) -> anyhow::Result<(Sum, Value)> {
        let (mut sum, mut fields) = (Sum::default(), self.wanted.clone());
        fields.shift_remove("state");
        loop {
            fields.insert("limit".into(), (limit - sum.matched).min(PAGE).into());
            let mut page = gateway.ask(Method::GET, &with_query("/api/v1/dead", &fields), None).await?;
            let dead: Vec<&Value> = page["dead"].as_array().into_iter().flatten().collect();
            let events: BTreeSet<&str> = dead.iter().filter_map(|one| one["event"].as_str()).collect();
            sum.matched += events.len();
            dead.iter().for_each(|one| sum.count(&one["plugin"]));
            let next = page["next"].take();
            if next.is_null() || sum.matched >= limit {
                return Ok((sum, next));
            }
            fields.insert("before".into(), next);
        }
    }

    /// Those of the events that are named, the oldest of them.
    async fn dead_of_named(&self, gateway: &Gateway, limit: usize) -> anyhow::Result<Sum> {
        let (mut sum, mut named) = (Sum::default(), self.named());
        if named.len() > limit {
            sum.left = named.split_off(limit);
            sum.why = Some(super::at_the_limit(limit));
        }
        for id in named {
            // The newest before the next id is the event itself, where there is one.
            let before = EventId::from_i64(id.to_i64().saturating_add(1)).to_string();
            let fields = Map::from_iter([("before".to_owned(), before.into()), ("limit".to_owned(), 1.into())]);
            let page = gateway.ask(Method::GET, &with_query("/api/v1/events", &fields), None).await?;
            let event = &page["events"][0];
            if event["id"] != id.to_string() || event["state"] == "let_go" {
                sum.unknown.push(id.to_string().into());
                continue;
            }
            sum.matched += 1;
            let plugin = self.fields.get("plugin");
            let is_meant = |one: &&Value| {
                one["state"] == "dead"
                    && one["plugin"].is_string()
                    && plugin.is_none_or(|plugin| one["plugin"] == *plugin)
            };
            event["deliveries"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(is_meant)
                .for_each(|one| sum.count(&one["plugin"]));
        }
        Ok(sum)
    }
}
