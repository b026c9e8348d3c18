//! Webhooks: register, change, look, test, deliver again.

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Api;
use super::faces::*;
use super::guard::Who;
use super::noting::Noting;
use super::refusal::{Refusal, read, to_its_end};
use crate::event::{EventId, Pattern, TYPE_BYTES, UnixMs, read_rfc3339, rfc3339};
use crate::queue::Filter;
use crate::webhooks::{Change, Draft};

/// How long secrets sign beside their successor where nothing is said.
const GRACE_S: u64 = 86_400;
const LONGEST_GRACE_S: u64 = 30 * 86_400;

/// The most deliveries on a page.
const PAGE: usize = 1000;

type Done<T> = Result<Json<T>, Refusal>;

/// Reads the query of a request.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    Query::try_from_uri(uri).map(|Query(query)| query).map_err(|error| {
        let told = error.body_text();
        Refusal::Wrong(told.strip_prefix("Failed to deserialize query string: ").unwrap_or(&told).to_owned())
    })
}

/// Reads a time of a request.
pub(super) fn time(field: &str, text: &str) -> Result<UnixMs, Refusal> {
    let told = || Refusal::Wrong(format!("{field}: must be a time like 2026-01-31T12:00:00Z"));
    read_rfc3339(text).ok_or_else(told)
}

/// All webhooks, the oldest first
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", params(ListQuery),
    responses((status = 200, body = [WebhookFace]), (status = 400, body = Error), (status = 401, body = Error), (status = 422, body = Error)))]
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Done<Vec<WebhookFace>> {
    let ListQuery { is_active } = query(&uri)?;
    let (tracks, none) = (api.webhooks.tracks().await?, Default::default());
    let face = |entry| {
        let webhook = crate::webhooks::Entry::webhook(entry);
        let is_meant = is_active.is_none_or(|is_active| is_active == webhook.is_active);
        is_meant.then(|| WebhookFace::new(entry, tracks.get(&*webhook.subscriber()).unwrap_or(&none)))
    };
    Ok(Json(api.webhooks.all().iter().filter_map(|entry| face(entry)).collect()))
}

/// Register a webhook; its secret is shown this once
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = Draft,
    responses((status = 201, body = WebhookFace), (status = 400, body = Error), (status = 401, body = Error),
        (status = 409, body = Error), (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error)))]
pub(super) async fn create(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<WebhookFace>), Refusal> {
    let draft: Draft = read(&headers, &body)?;
    let webhooks = api.webhooks.clone();
    let entry = to_its_end(async move { webhooks.create(draft, &who).await }).await?;
    let face = WebhookFace::new(&entry, &Default::default()).with_secret(&entry.webhook());
    Ok((StatusCode::CREATED, Json(face)))
}

/// The types of events that there were, and those that webhooks wait for
#[utoipa::path(get, path = "/api/v1/webhooks/events", tag = "webhooks",
    responses((status = 200, body = Types), (status = 400, body = Error), (status = 401, body = Error)))]
pub(super) async fn types(State(api): State<Api>) -> Done<Types> {
    let mut events = api.queue.types().await?;
    let named = api.webhooks.all().into_iter().flat_map(|entry| entry.webhook().patterns());
    let named = named.map(|pattern: Pattern| pattern.event_type().to_owned());
    events.extend(named.filter(|event_type| !event_type.contains('*')));
    events.sort();
    events.dedup();
    Ok(Json(Types { events }))
}

/// One webhook
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path, description = "whk_...")),
    responses((status = 200, body = WebhookFace), (status = 400, body = Error), (status = 401, body = Error), (status = 404, body = Error)))]
pub(super) async fn show(State(api): State<Api>, Path(id): Path<String>) -> Done<WebhookFace> {
    let entry = api.webhooks.get(&id)?;
    let (track, _) = api.webhooks.track(&id).await?;
    Ok(Json(WebhookFace::new(&entry, &track)))
}

/// Change a webhook
///
/// Where it is made active again, whatever waits for it goes out; what came while it was not can be delivered by `redeliver`.
#[utoipa::path(patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path, description = "whk_...")),
    request_body = Change,
    responses((status = 200, body = WebhookFace), (status = 400, body = Error), (status = 401, body = Error),
        (status = 404, body = Error), (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error)))]
pub(super) async fn update(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Done<WebhookFace> {
    let change: Change = read(&headers, &body)?;
    let (webhooks, which) = (api.webhooks.clone(), id.clone());
    let entry = to_its_end(async move { webhooks.update(&which, change, &who).await }).await?;
    let (track, _) = api.webhooks.track(&id).await?;
    Ok(Json(WebhookFace::new(&entry, &track)))
}

/// Take a webhook out; what waits for it is given up
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = String, Path, description = "whk_...")),
    responses((status = 204), (status = 400, body = Error), (status = 401, body = Error), (status = 404, body = Error)))]
pub(super) async fn delete(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    to_its_end(async move { api.webhooks.delete(&id, &who).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a webhook a new secret, which is shown this once
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/rotate", tag = "webhooks", params(("id" = String, Path, description = "whk_...")),
    request_body = Rotation,
    responses((status = 200, body = WebhookFace), (status = 400, body = Error), (status = 401, body = Error),
        (status = 404, body = Error), (status = 409, body = Error), (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error)))]
pub(super) async fn rotate(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Done<WebhookFace> {
    let Rotation { secret, grace_s } = read(&headers, &body)?;
    let grace_s = grace_s.unwrap_or(GRACE_S);
    if grace_s > LONGEST_GRACE_S {
        return Err(Refusal::Wrong(format!("grace_s: must be at most {LONGEST_GRACE_S}")));
    }
    let (webhooks, which, grace) = (api.webhooks.clone(), id.clone(), Duration::from_secs(grace_s));
    let entry = to_its_end(async move { webhooks.rotate(&which, secret, grace, &who).await }).await?;
    let (track, _) = api.webhooks.track(&id).await?;
    Ok(Json(WebhookFace::new(&entry, &track).with_secret(&entry.webhook())))
}

/// Send a webhook a made-up event now
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/test", tag = "webhooks", params(("id" = String, Path, description = "whk_...")),
    request_body = TestRequest,
    responses((status = 200, body = TestResult), (status = 400, body = Error), (status = 401, body = Error),
        (status = 404, body = Error), (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error)))]
pub(super) async fn test(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Done<TestResult> {
    let TestRequest { event_type, test_data } = read(&headers, &body)?;
    check_type("event_type", &event_type)?;
    let data = test_data.unwrap_or_else(|| json!({ "test": true }));
    api.webhooks.get(&id)?;
    let what = json!({ "action": "webhook_tested", "webhook": id, "type": event_type });
    let noting = Noting::begin(&api.queue, who, what).await?;
    let result = TestResult::from(api.webhooks.test(&id, &event_type, &data).await?);
    noting.end("success", result.success).await?;
    Ok(Json(result))
}

/// Checks what is to be an event's type.
pub(super) fn check_type(field: &str, event_type: &str) -> Result<(), Refusal> {
    let odd = event_type.chars().any(|c| c.is_whitespace() || c.is_control());
    if odd || event_type.is_empty() || event_type.len() > TYPE_BYTES {
        let told = format!("{field}: must have 1 to {TYPE_BYTES} bytes, no space and no control character among them");
        return Err(Refusal::Wrong(told));
    }
    Ok(())
}

/// What a webhook was sent, the newest first
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path, description = "whk_..."), DeliveriesQuery),
    responses((status = 200, body = [DeliveryFace]), (status = 400, body = Error), (status = 401, body = Error), (status = 404, body = Error),
        (status = 422, body = Error)))]
pub(super) async fn deliveries(State(api): State<Api>, Path(id): Path<String>, uri: Uri) -> Done<Vec<DeliveryFace>> {
    let DeliveriesQuery { status, event_type, since, until, limit, before } = query(&uri)?;
    let limit = limit.unwrap_or(100);
    if !(1..=PAGE).contains(&limit) {
        return Err(Refusal::Wrong(format!("limit: must be from 1 to {PAGE}")));
    }
    let wrong = |field: &str, error: &dyn std::fmt::Display| Refusal::Wrong(format!("{field}: {error}"));
    let filter = Filter {
        standing: status.map(Into::into),
        event_type: event_type.map(|text| text.parse().map_err(|error| wrong("event_type", &error))).transpose()?,
        before: before.map(|text| text.parse().map_err(|error| wrong("before", &error))).transpose()?,
        since_ms: since.map(|text| time("since", &text)).transpose()?,
        until_ms: until.map(|text| time("until", &text)).transpose()?,
        limit,
    };
    let paused_until_ms = api.webhooks.get(&id)?.paused_until_ms().unwrap_or_default();
    let looked = api.webhooks.deliveries(&id, filter).await?;
    Ok(Json(looked.into_iter().map(|looked| DeliveryFace::new(&id, paused_until_ms, looked)).collect()))
}

/// Deliver one event again, whether or not it went well before
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/deliveries/{event}/redeliver", tag = "webhooks",
    params(("id" = String, Path, description = "whk_..."), ("event" = String, Path, description = "evt_...", pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")),
    responses((status = 202, body = Redelivered), (status = 400, body = Error), (status = 401, body = Error), (status = 404, body = Error),
        (status = 409, body = Error)))]
pub(super) async fn redeliver_one(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path((id, event)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Redelivered>), Refusal> {
    let event: EventId = event.parse().map_err(|_| Refusal::Unknown("event"))?;
    let redelivering = async move {
        api.webhooks.active(&id)?;
        let what = json!({ "action": "redeliver", "webhook": id, "event": event.to_string() });
        let noting = Noting::begin(&api.queue, who, what).await?;
        let redelivered = api.webhooks.redeliver(&id, event).await?;
        noting.end("put_back", redelivered).await.map(|()| redelivered)
    };
    let redelivered = to_its_end(redelivering).await?;
    Ok((StatusCode::ACCEPTED, Json(Redelivered { redelivered })))
}

/// Deliver all since a time that did not get there
///
/// That is what was given up, and what came while the webhook was not active or not there.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/redeliver", tag = "webhooks", params(("id" = String, Path, description = "whk_...")),
    request_body = Redelivery,
    responses((status = 202, body = Redelivered), (status = 400, body = Error), (status = 401, body = Error),
        (status = 404, body = Error), (status = 409, body = Error), (status = 413, body = Error), (status = 415, body = Error),
        (status = 422, body = Error)))]
pub(super) async fn redeliver(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Redelivered>), Refusal> {
    let Redelivery { since, until } = read(&headers, &body)?;
    let until = until.map(|text| time("until", &text)).transpose()?.unwrap_or(UnixMs::MAX);
    let since = time("since", &since)?;
    let redelivering = async move {
        api.webhooks.active(&id)?;
        let what = json!({ "action": "redeliver", "webhook": id, "since": rfc3339(since), "until": rfc3339(until) });
        let noting = Noting::begin(&api.queue, who, what).await?;
        let redelivered = api.webhooks.redeliver_between(&id, since, until).await?;
        noting.end("put_back", redelivered).await.map(|()| redelivered)
    };
    let redelivered = to_its_end(redelivering).await?;
    Ok((StatusCode::ACCEPTED, Json(Redelivered { redelivered })))
}

/// How a webhook's deliveries went
#[utoipa::path(get, path = "/api/v1/webhooks/{id}/stats", tag = "webhooks", params(("id" = String, Path, description = "whk_...")),
    responses((status = 200, body = Stats), (status = 400, body = Error), (status = 401, body = Error), (status = 404, body = Error)))]
pub(super) async fn stats(State(api): State<Api>, Path(id): Path<String>) -> Done<Stats> {
    let (track, pending) = api.webhooks.track(&id).await?;
    Ok(Json(Stats::new(&track, pending)))
}
