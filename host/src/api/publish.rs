//! An application's own events: written down like any other, then delivered to whoever subscribed.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Api;
use super::faces::Error;
use super::refusal::{Refusal, read};
use super::webhooks::check_type;
use crate::event::{NewEvent, TraceParent, repeat_key};
use crate::telemetry::{Kind, Moment, Origin, Step};
use crate::webhooks::API;

/// The longest name of anything that an application gives, in bytes.
const NAME_BYTES: usize = 256;

/// An event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// What happened, as in `video.processed`.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 256, pattern = r"^[^\s\x00-\x1f\x7f-\x9f]+$")]
    event_type: String,
    /// What there is to know of it: any JSON.
    #[schema(value_type = serde_json::Value)]
    data: Box<RawValue>,
    /// What tells a repeat: another event with this id, within three days at the least, is none.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    id: Option<String>,
    /// What it happened to.
    #[serde(default)]
    resource: Option<Resource>,
}

/// What an event happened to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its id.
    #[schema(min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    id: String,
    /// What kind of thing it is.
    #[serde(rename = "type")]
    #[schema(min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    resource_type: String,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct Published {
    /// Its id; the first one's, where this is a repeat.
    id: String,
    /// Whether it had been accepted before.
    duplicate: bool,
}

/// Publish an event; when this is answered, it is on disk
#[utoipa::path(post, path = "/api/v1/events", tag = "events", request_body = Publication,
    security(("bearer" = []), ("x-api-key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "In place of `id`",
        min_length = 1, max_length = 256, pattern = "^[!-~]([ -~]*[!-~])?$")),
    responses((status = 202, body = Published), (status = 400, body = Error), (status = 401, body = Error),
        (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error), (status = 503, body = Error)))]
pub(super) async fn publish(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Published>), Refusal> {
    let begun = Moment::now();
    let Publication { event_type, data, id, resource } = read(&headers, &body)?;
    check_type("type", &event_type)?;
    if data.get().len() > api.body_bytes {
        return Err(Refusal::TooBig(api.body_bytes));
    }
    let shown = idempotency_key(&headers)?;
    let id = id.or(shown);
    if let Some(id) = &id {
        check_name("id", id)?;
    }
    let event = NewEvent {
        source: API.into(),
        provider: API.into(),
        event_type: event_type.as_str().into(),
        received_at_ms: begun.unix_ms(),
        received: begun.at,
        attributes: attributes(resource)?,
        payload: Bytes::copy_from_slice(data.get().as_bytes()),
        headers: None,
        repeat_key: id.map(|id| repeat_key(API, id.as_bytes())),
        trace: TraceParent::in_headers(&headers),
    };
    let (parent, write) = (event.trace, begun.later());
    let receipts = api.queue.accept(vec![event]).await.map_err(Refusal::NotWritten)?;
    let receipt = receipts.first().ok_or(Refusal::Failed)?;
    if let Some(trace) = api.telemetry.trace(receipt.id, parent, Origin::Sent).filter(|_| !receipt.duplicate) {
        let written = begun.later();
        let root = trace.span(Step::ACCEPT, Kind::Server, begun, written).text("hookgate.source", API);
        root.text("hookgate.event.type", event_type).text("http.route", "/api/v1/events").tell();
        trace.span(Step::once("commit"), Kind::Internal, write, written).tell();
    }
    let published = Published { id: receipt.id.to_string(), duplicate: receipt.duplicate };
    Ok((StatusCode::ACCEPTED, Json(published)))
}

/// The key in the header, whether or not it counts. Two keys must never be read as one, so what is no text is none.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    const HEADER: &str = "idempotency-key";
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let key = value.to_str().map_err(|_| Refusal::Wrong(format!("{HEADER}: must be visible ASCII")))?;
    check_name(HEADER, key)?;
    Ok(Some(key.to_owned()))
}

fn check_name(field: &str, name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Refusal::Wrong(format!(
            "{field}: must have 1 to {NAME_BYTES} bytes, no control character among them"
        )));
    }
    Ok(())
}

fn attributes(resource: Option<Resource>) -> Result<Vec<(String, String)>, Refusal> {
    let Some(Resource { id, resource_type }) = resource else { return Ok(Vec::new()) };
    check_name("resource.id", &id)?;
    check_name("resource.type", &resource_type)?;
    Ok(vec![("resource.id".to_owned(), id), ("resource.type".to_owned(), resource_type)])
}
