//! For operators: is it alive, how does it stand, what did it count. On a port of its own.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware::{self, Next};
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

use crate::api::{Api, only_by_address};
use crate::dispatch::Dispatch;
use crate::event::rfc3339;
use crate::ingress::{Refused, Sources, Wanted};
use crate::plugins::Plugins;
use crate::provider::Source;
use crate::queue::Queue;
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
        let operator = admin.api.clone().operator_router();
        let operator = match &admin.token {
            Some(_) => operator,
            None => operator.layer(middleware::from_fn(only_by_address)),
        };
        let shown = Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/status", get(status))
            .route("/metrics", get(metrics))
            .route("/api/v1/refusals", get(refusals))
            .with_state(admin.clone());
        // Who shows a key needs no token.
        let keyed = admin.api.clone().router();
        let shown = shown.merge(operator).layer(middleware::from_fn_with_state(admin, check_token));
        shown.merge(keyed).fallback(async || {
            let told = json!({ "error": "there is nothing here: /status, /metrics, /healthz, /readyz, /openapi.json" });
            (StatusCode::NOT_FOUND, Json(told))
        })
    }
}

async fn check_token(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let Some(token) = &admin.token else { return next.run(request).await };
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if shown.is_some_and(|shown| token.equals(shown)) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, Json(json!({ "error": "show the admin token: Authorization: Bearer ..." })))
        .into_response()
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
    let counts = match admin.queue.counts().await {
        Ok(counts) => counts,
        Err(error) => {
            let told = Json(json!({ "error": format!("the queue cannot be read: {error}") }));
            return (StatusCode::SERVICE_UNAVAILABLE, told).into_response();
        }
    };
    let sources: Vec<Value> = admin.faces().iter().map(|source| admin.source(source)).collect();
    let paused = admin.queue.paused().await.unwrap_or_default();
    let plugin = |standing: &crate::plugins::Standing| admin.plugin(standing, paused.contains(&standing.name));
    let plugins: Vec<Value> = admin.plugins.standings().iter().map(plugin).collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": admin.started.elapsed().as_secs(),
        "sources": sources,
        "plugins": plugins,
        "webhooks": admin.webhooks(),
        "queue": counts,
        "refusals": admin.refused.newest(&Wanted::default()),
    }))
    .into_response()
}

/// Which refusals are asked for.
#[derive(Deserialize)]
struct Asked {
    source: Option<String>,
    cause: Option<String>,
    limit: Option<usize>,
}

async fn refusals(State(admin): State<Arc<Admin>>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    match asked {
        Ok(Query(Asked { source, cause, limit })) => {
            Json(admin.refused.newest(&Wanted { source, cause, limit })).into_response()
        }
        Err(_) => {
            let told = json!({ "error": "ask by source, cause and limit, which is a number" });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(told)).into_response()
        }
    }
}

impl Admin {
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

    /// A plugin, and whether an operator holds it.
    fn plugin(&self, standing: &crate::plugins::Standing, paused: bool) -> Value {
        let open = self.dispatch.breakers.open(&standing.name);
        let left_alone = open.map(|open| json!({ "until": rfc3339(open.until_ms), "failures": open.failures }));
        let face = serde_json::to_value(standing).unwrap_or_default();
        let face = merged(face, &json!({ "paused": paused, "left_alone": left_alone }));
        merged(face, &self.dispatch.counters.tally(&standing.name))
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

impl Admin {
    /// What was counted, and how the queue and the plugins stand now.
    async fn metrics_text(&self) -> anyhow::Result<String> {
        let (counts, mut now) = (self.queue.counts().await?, Registry::default());
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
        for standing in self.plugins.standings() {
            slots.get_or_create(&SlotLabels { plugin: standing.name, slot: standing.slot }).set(1);
        }
        now.register("hookgate_plugin_slot", "1 for the slot that a plugin is in", slots);
        let mut text = String::new();
        encoding::text::encode_registry(&mut text, &self.registry)?;
        encoding::text::encode_registry(&mut text, &now)?;
        encoding::text::encode_eof(&mut text)?;
        Ok(text)
    }
}
