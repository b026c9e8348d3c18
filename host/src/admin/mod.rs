//! For operators: is it alive, how does it stand, what did it count. On a port of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::encoding::{self, EncodeLabelSet};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use crate::api::{self, Api, Door, Guard, Hosts, OperatorsDescription};
use crate::dispatch::Dispatch;
use crate::event::{is_webhook, read_rfc3339, rfc3339};
use crate::ingress::{Refused, RefusedFace, Sources, Wanted};
use crate::keys::Role;
use crate::plugins::{Plugins, Standing};
use crate::provider::Source;
use crate::queue::{Counts, Queue};
use crate::secret::Secret;
use crate::{clock, ingress};

/// What is shown.
pub struct Admin {
    /// Who may send.
    pub sources: Arc<Sources>,
    /// What stands in front of `/hooks/<source>`.
    pub base: String,
    /// How plugins stand.
    pub plugins: Arc<Plugins>,
    /// How much there is to do.
    pub queue: Queue,
    /// What came in.
    pub came_in: ingress::Counters,
    /// What was refused lately.
    pub refused: Refused,
    /// What went out, and which plugins are left alone for a while.
    pub dispatch: Arc<Dispatch>,
    /// All metrics.
    pub registry: Registry,
    /// What applications may do, and the keys with which they do it.
    pub api: Api,
    /// What an operator must show.
    pub token: Option<Secret>,
    /// Since when it runs.
    pub started: Instant,
    /// Whether it is about to stop.
    pub stop: CancellationToken,
}

/// A source as operators see it.
#[derive(Debug, Clone)]
pub struct SourceFace {
    /// Its name.
    pub name: Arc<str>,
    /// Its provider's name.
    pub provider: Arc<str>,
    /// Where senders post to.
    pub url: String,
}

impl Admin {
    /// Each source, as it is now.
    pub fn faces(&self) -> Vec<SourceFace> {
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        let face = |source: &Arc<Source>| SourceFace {
            name: source.name.clone(),
            provider: source.provider.name.clone(),
            url: format!("{}/hooks/{}", self.base, source.name),
        };
        sources.values().map(face).collect()
    }

    /// The routes.
    pub fn router(self) -> Router {
        let admin = Arc::new(self);
        let guard = Arc::new(Guard { keys: admin.api.keys.clone(), token: admin.token.clone() });
        let probed = Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .layer(middleware::from_fn_with_state(guard.door(Role::Read, Hosts::Any), Door::check));
        let shown = Router::new()
            .route("/status", get(status))
            .route("/metrics", get(metrics))
            .route("/api/v1/refusals", get(refusals))
            .route("/api/v1/plugins", get(plugins))
            .layer(middleware::from_fn_with_state(guard.door(Role::Read, Hosts::Loopback), Door::check));
        let shown = probed.merge(shown).with_state(admin.clone());
        // What each may do that shows a key is told by its role.
        let (operator, keyed) = (admin.api.clone().operator_router(&guard), admin.api.clone().router());
        let described = Router::new()
            .route("/openapi.json", get(async || Json(of_all())))
            .route("/openapi-admin.json", get(async || Json(of_operators())));
        shown.merge(described).merge(operator).merge(keyed).fallback(async || {
            let told =
                "there is nothing here: /status, /metrics, /healthz, /readyz, /openapi.json, /openapi-admin.json";
            (StatusCode::NOT_FOUND, Json(json!({ "error": told })))
        })
    }
}

/// What this shows itself, for programs that read that.
#[derive(OpenApi)]
#[openapi(paths(refusals, plugins))]
struct Description;

/// All that operators may ask.
fn of_operators() -> utoipa::openapi::OpenApi {
    OperatorsDescription::openapi().merge_from(Description::openapi())
}

/// The same with what applications may ask, who come to this address too.
fn of_all() -> utoipa::openapi::OpenApi {
    let mut all = of_operators().merge_from(api::Description::openapi());
    all.info.title = "Hookgate".to_owned();
    all.info.description =
        Some("Publish events, have them pushed to URLs, look at them, operate the gateway.".to_owned());
    all
}

/// Plugins are scanned before anything listens, so what is left is whether the queue writes and nobody said stop.
async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    match (admin.queue.is_open(), admin.stop.is_cancelled()) {
        (true, false) => "ready\n".into_response(),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "the disk failed\n").into_response(),
        (true, true) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
    }
}

async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let each = match admin.queue.counts_of_each().await {
        Ok(each) => each,
        Err(error) => return unreadable(&error),
    };
    let sources: Vec<Value> = admin.faces().iter().map(|source| admin.source(source)).collect();
    let plugins = admin.plugins(&each).await;
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": admin.started.elapsed().as_secs(),
        "sources": sources,
        "plugins": plugins,
        "webhooks": admin.webhooks(),
        "queue": each.values().fold(Counts::default(), Counts::and),
        "refusing": admin.queue.refusing(),
        "refusals": admin.refused.newest(&Wanted::default()),
    }))
    .into_response()
}

fn unreadable(error: &anyhow::Error) -> Response {
    let told = Json(json!({ "error": format!("the queue cannot be read: {error}") }));
    (StatusCode::SERVICE_UNAVAILABLE, told).into_response()
}

/// How each plugin stands, and what became of its deliveries since the gateway started
///
/// `slot` is `live`, `stale`, `broken`, `blocked`, `compiling` or `gone`: the file is gone, the subscriptions are kept, and what comes for
/// it waits. `done`, `retried` and `dead` are counts since the start; `pending` is how many deliveries wait for it now, and
/// `oldest_pending_s` how long the oldest of them has been due.
#[utoipa::path(get, path = "/api/v1/plugins", tag = "plugins",
    responses((status = 200, body = [Object]), (status = 401, body = Object), (status = 403, body = Object), (status = 503, body = Object)))]
async fn plugins(State(admin): State<Arc<Admin>>) -> Response {
    match admin.queue.counts_of_each().await {
        Ok(each) => Json(admin.plugins(&each).await).into_response(),
        Err(error) => unreadable(&error),
    }
}

/// Which refusals are asked for.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Of one source.
    source: Option<String>,
    /// For one cause, as /metrics names them.
    cause: Option<String>,
    /// Those from this time on (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// The most of them.
    #[param(minimum = 0, maximum = 4294967295_u32)]
    limit: Option<u32>,
}

impl Asked {
    /// What is looked for; nothing, where the time is none.
    fn wanted(self) -> Option<Wanted> {
        let Asked { source, cause, since, limit } = self;
        let since_ms = since.map_or(Some(0), |since| read_rfc3339(&since))?;
        Some(Wanted { source, cause, since_ms, limit: limit.map(|limit| limit as usize) })
    }
}

/// The last requests that were refused, the newest first
#[utoipa::path(get, path = "/api/v1/refusals", tag = "refusals", params(Asked),
    responses((status = 200, body = [RefusedFace]), (status = 401, body = Object), (status = 403, body = Object), (status = 422, body = Object)))]
async fn refusals(State(admin): State<Arc<Admin>>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    match asked.ok().and_then(|Query(asked)| asked.wanted()) {
        Some(wanted) => Json(admin.refused.newest(&wanted)).into_response(),
        None => {
            let told =
                "ask by source, cause, since, which is a time like 2026-01-31T12:00:00Z, and limit, which is a number";
            (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": told }))).into_response()
        }
    }
}

impl Admin {
    /// Each plugin, as it is now.
    async fn plugins(&self, each: &BTreeMap<String, Counts>) -> Vec<Value> {
        let paused = self.queue.paused().await.unwrap_or_default();
        let plugin = |standing: &Standing| {
            let counts = each.get(&standing.name).copied().unwrap_or_default();
            self.plugin(standing, paused.contains(&standing.name), &counts)
        };
        self.standings().await.iter().map(plugin).collect()
    }

    /// How all plugins stand, those included whose file is gone and for which deliveries wait all the same.
    async fn standings(&self) -> Vec<Standing> {
        // Before the others are looked at: one that comes back meanwhile is there once.
        let gone = self.queue.gone_ones().await.unwrap_or_default();
        let mut standings = self.plugins.standings();
        let is_there = |name: &str| standings.iter().any(|standing| standing.name == name);
        let gone = gone.into_iter().filter(|gone| !is_webhook(&gone.name) && !is_there(&gone.name));
        let gone: Vec<_> = gone.map(|gone| Standing::gone(&gone.name, gone.since_ms, gone.subscriptions)).collect();
        standings.extend(gone);
        standings.sort_by(|a, b| a.name.cmp(&b.name));
        standings
    }

    fn source(&self, source: &SourceFace) -> Value {
        let face = json!({ "name": &*source.name, "provider": &*source.provider, "url": source.url });
        merged(face, &self.came_in.tally(&source.name))
    }

    /// How many webhooks stand how.
    fn webhooks(&self) -> Value {
        let all = self.api.webhooks.all();
        let active = all.iter().filter(|entry| entry.webhook().is_active).count();
        let paused = all.iter().filter(|entry| entry.paused_until_ms().is_some()).count();
        let unreadable = self.api.webhooks.unreadable();
        json!({ "active": active, "not_active": all.len() - active, "paused": paused, "unreadable": unreadable })
    }

    /// A plugin, whether an operator holds it, and what waits for it.
    fn plugin(&self, standing: &Standing, paused: bool, counts: &Counts) -> Value {
        let open = self.dispatch.breakers.open(&standing.name);
        let left_alone = open.map(|open| json!({ "until": rfc3339(open.until_ms), "failures": open.failures }));
        let face = serde_json::to_value(standing).unwrap_or_default();
        let face = merged(face, &json!({ "paused": paused, "left_alone": left_alone }));
        let face = merged(face, &self.dispatch.counters.tally(&standing.name));
        merged(face, &json!({ "pending": counts.pending, "oldest_pending_s": counts.oldest_pending_s }))
    }
}

fn merged(mut face: Value, more: &impl serde::Serialize) -> Value {
    if let (Value::Object(face), Ok(Value::Object(more))) = (&mut face, serde_json::to_value(more)) {
        face.extend(more);
    }
    face
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    match admin.metrics_text().await {
        Ok(text) => {
            let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, media_type)], text).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SlotLabels {
    plugin: String,
    slot: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabel {
    plugin: String,
}

impl Admin {
    /// What was counted, and how the queue and the plugins stand now.
    async fn metrics_text(&self) -> anyhow::Result<String> {
        let (each, mut now) = (self.queue.counts_of_each().await?, Registry::default());
        let counts = each.values().fold(Counts::default(), Counts::and);
        let (file_bytes, log_bytes) = self.queue.sizes();
        for (name, help, value) in [
            ("hookgate_database_bytes", "How large the database is", file_bytes),
            ("hookgate_database_wal_bytes", "How large the log is that is moved into the database", log_bytes),
            ("hookgate_open_deliveries", "Deliveries that are not over", counts.pending + counts.running),
            ("hookgate_pending", "Deliveries that wait, due or not", counts.pending),
            ("hookgate_due", "Deliveries that wait and are due", counts.due),
            ("hookgate_running", "Deliveries whose attempt was begun", counts.running),
            ("hookgate_dead", "Deliveries that are dead and kept", counts.dead),
            (
                "hookgate_oldest_pending_seconds",
                "How long the oldest waiting delivery has been due",
                counts.oldest_pending_s,
            ),
        ] {
            let gauge: Gauge = Gauge::default();
            gauge.set(value as i64);
            now.register(name, help, gauge);
        }
        let offset: Gauge = Gauge::default();
        offset.set(clock::offset_ms() / 1000);
        let help = "By how much the wall clock was set since the start, forward or back";
        now.register("hookgate_clock_offset_seconds", help, offset);
        let slots: Family<SlotLabels, Gauge> = Family::default();
        let (pending, oldest) = (Family::<PluginLabel, Gauge>::default(), Family::<PluginLabel, Gauge>::default());
        for Standing { name: plugin, slot, .. } in self.standings().await {
            let counts = each.get(&plugin).copied().unwrap_or_default();
            slots.get_or_create(&SlotLabels { plugin: plugin.clone(), slot }).set(1);
            pending.get_or_create(&PluginLabel { plugin: plugin.clone() }).set(counts.pending as i64);
            oldest.get_or_create(&PluginLabel { plugin }).set(counts.oldest_pending_s as i64);
        }
        now.register("hookgate_plugin_slot", "1 for the slot that a plugin is in", slots);
        now.register("hookgate_plugin_pending", "Deliveries that wait for a plugin, due or not", pending);
        let help = "How long the oldest delivery that waits for a plugin has been due";
        now.register("hookgate_plugin_oldest_pending_seconds", help, oldest);
        let mut text = String::new();
        encoding::text::encode_registry(&mut text, &self.registry)?;
        encoding::text::encode_registry(&mut text, &now)?;
        encoding::text::encode_eof(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_described_together_is_what_is_described_apart() {
        let value = |description| serde_json::to_value::<utoipa::openapi::OpenApi>(description).unwrap();
        let all = value(of_all());
        let mut names = std::collections::BTreeSet::new();
        for part in [value(of_operators()), value(api::Description::openapi())] {
            for (path, methods) in part["paths"].as_object().unwrap() {
                for (method, operation) in methods.as_object().unwrap() {
                    let mut operation = operation.clone();
                    if operation["security"].is_null() {
                        assert_eq!(all["security"], part["security"], "{method} {path}");
                    }
                    let mut together = all["paths"][path][method].clone();
                    // Operators can look at what they published.
                    for one in [&mut operation, &mut together] {
                        one["responses"]["202"] = Value::Null;
                    }
                    assert_eq!(together, operation, "{method} {path}");
                    names.insert(operation["operationId"].to_string());
                }
            }
            for (name, schema) in part["components"]["schemas"].as_object().unwrap() {
                assert_eq!(&all["components"]["schemas"][name], schema, "two schemas are called {name}");
            }
        }
        let operations = all["paths"].as_object().unwrap().values().map(|methods| methods.as_object().unwrap().len());
        assert_eq!(operations.sum::<usize>(), names.len(), "each operation has a name of its own");
    }
}
