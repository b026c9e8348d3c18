//! `hookgate replay`: events delivered again, also to a plugin that did not exist then.

use std::process::ExitCode;

use clap::Args;
use hookgate::event::EventId;

use super::Usage;
use super::again::{AGAIN, Again, As, Pace};
use super::events::State;
use super::filter::Filter;
use super::gateway::Door;

/// Have events delivered again, by id or by filter
///
/// To each plugin that had them, or that subscribes to their type now; webhooks have `hookgate webhooks redeliver`.
#[derive(Args)]
#[command(
    after_help = "Example:  hookgate replay evt_...\n          hookgate replay --plugin billing --state dead --since \"yesterday 14:00\" --dry-run\n          hookgate replay --source github --type 'issues.*' --since 2d --plugin a-new-one\n\nWith events that are named go --plugin and --state dead, pending or unrouted; the other filters find events, and go without names."
)]
pub struct Replay {
    /// The events; of the filters, only --plugin and --state go with them
    #[arg(value_name = "EVENT", conflicts_with_all = ["source", "event_type", "since", "until", "text"])]
    events: Vec<EventId>,
    #[command(flatten)]
    filter: Filter,
    /// Those that went so. Of events that are named, `dead`: dead deliveries only, `pending`: only what waits, `unrouted`: only to who never had them; `done` and `let_go` are not for those
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only find out what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    door: Door,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut wanted = self.filter.fields()?;
        if let Some(state) = self.state {
            wanted.insert("state".into(), state.name().into());
        }
        if wanted.is_empty() && self.events.is_empty() {
            return Err(Usage::error(
                "say which events: their ids, or --source, --type, --state, --plugin, --since, --until, --text",
            ));
        }
        let mut fields = wanted.clone();
        fields.retain(|name, _| ["plugin", "state"].contains(&name.as_str()));
        // Of events that went so as a whole, there is no part to be named.
        if let Some(state @ (State::Done | State::LetGo)) = self.state {
            if !self.events.is_empty() {
                return Err(Usage::error(format!(
                    "--state {} finds events; of those that are named, say dead, pending or unrouted, or leave --state out",
                    state.name()
                )));
            }
            fields.shift_remove("state");
        }
        if self.dry_run {
            fields.insert("dry_run".into(), true.into());
        }
        let told = if self.dry_run { "would put back" } else { "put back" };
        let Replay { filter, events, pace, .. } = self;
        let again = Again { path: AGAIN, done: "put_back", filter, wanted, fields, events, pace, told };
        super::block_on(async { again.run(&self.door.open()?, As::said(&self.json)).await })?
    }
}
