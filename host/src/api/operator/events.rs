//! Looking: which events came, and one of them whole.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;

use super::super::Api;
use super::super::faces::Error;
use super::super::refusal::Refusal;
use super::super::webhooks::query;
use super::asked::{Asked, EventsQuery, PAGE, id};
use super::faces::{EventFace, Events, ShownFace};
use crate::queue::Wanted;

/// Which events came in, and how they went; the newest first
///
/// One look takes a bounded time. Where that is over before enough was found, the page is short and `next` says where to look on.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventsQuery),
    responses((status = 200, body = Events), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 422, body = Error)))]
pub(super) async fn list(State(api): State<Api>, uri: Uri) -> Result<Json<Events>, Refusal> {
    let asked: EventsQuery = query(&uri)?;
    let after = asked.after.as_ref().map(|text| id("after", text)).transpose()?;
    let asked = Asked::from(asked);
    let (went, subscriber) = (asked.state.map(Into::into), asked.plugin.clone());
    let wanted = Wanted { went, subscriber, after, ..asked.wanted(PAGE)? };
    let page = api.queue.events(wanted).await?;
    let events = page.events.into_iter().map(EventFace::from).collect();
    Ok(Json(Events { events, next: page.next.map(|id| id.to_string()) }))
}

/// One event, with its payload and each attempt at it
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "events", params(("id" = String, Path, description = "evt_...", pattern = "^evt_[0-7][0-9a-hjkmnp-tv-z]{12}$")),
    responses((status = 200, body = ShownFace), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 404, body = Error)))]
pub(super) async fn show(State(api): State<Api>, Path(id): Path<String>) -> Result<Json<ShownFace>, Refusal> {
    let id = id.parse().map_err(|_| Refusal::Unknown("event"))?;
    let shown = api.queue.show(id).await?.ok_or(Refusal::Unknown("event"))?;
    Ok(Json(shown.into()))
}
