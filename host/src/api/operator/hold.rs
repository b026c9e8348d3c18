//! Holding plugins, and who did what by hand.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::Uri;
use serde_json::{Value, json};

use super::super::Api;
use super::super::faces::Error;
use super::super::guard::Who;
use super::super::refusal::{Refusal, to_its_end};
use super::super::webhooks::{query, time};
use super::asked::{AuditQuery, MOST, PAGE, PLUGIN};
use super::faces::{AuditedFace, Held};
use crate::event::{UnixMs, is_webhook, rfc3339};
use crate::queue::Note;

/// Begin nothing for a plugin any more, until it is resumed; a restart changes nothing of that
///
/// What runs ends; the rest waits.
#[utoipa::path(post, path = "/api/v1/plugins/{name}/pause", tag = "plugins", params(("name" = String, Path, description = "The plugin")),
    responses((status = 200, body = Held), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 404, body = Error), (status = 503, body = Error)))]
pub(super) async fn pause(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path(plugin): Path<String>,
) -> Result<Json<Held>, Refusal> {
    let pausing = async move {
        let note = Note::new(&who, &json!({ "action": "pause", "plugin": plugin }));
        let is_there =
            !is_webhook(&plugin) && api.queue.pause(&plugin, Some(note)).await.map_err(Refusal::NotWritten)?;
        if is_there { Ok(Held { plugin, paused: true }) } else { Err(Refusal::Unknown(PLUGIN)) }
    };
    to_its_end(pausing).await.map(Json)
}

/// Let a plugin go on
#[utoipa::path(post, path = "/api/v1/plugins/{name}/resume", tag = "plugins", params(("name" = String, Path, description = "The plugin")),
    responses((status = 200, body = Held), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 404, body = Error), (status = 503, body = Error)))]
pub(super) async fn resume(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path(plugin): Path<String>,
) -> Result<Json<Held>, Refusal> {
    let resuming = async move {
        let note = Note::new(&who, &json!({ "action": "resume", "plugin": plugin }));
        let is_there =
            !is_webhook(&plugin) && api.queue.resume(&plugin, Some(note)).await.map_err(Refusal::NotWritten)?;
        if is_there { Ok(Held { plugin, paused: false }) } else { Err(Refusal::Unknown(PLUGIN)) }
    };
    to_its_end(resuming).await.map(Json)
}

/// Who changed what by hand, the newest first
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = [AuditedFace]), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 422, body = Error)))]
pub(super) async fn audit(State(api): State<Api>, uri: Uri) -> Result<Json<Vec<AuditedFace>>, Refusal> {
    let AuditQuery { since, until, limit } = query(&uri)?;
    let limit = limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::Wrong(format!("limit: must be from 1 to {MOST}")));
    }
    let said = |field: &str, text: Option<String>| text.map(|text| time(field, &text)).transpose();
    let at_ms = said("since", since)?.unwrap_or(0)..said("until", until)?.unwrap_or(UnixMs::MAX);
    let noted = api.queue.audit(at_ms, limit).await?;
    let face = |noted: crate::queue::Audited| {
        let what = serde_json::from_str(&noted.what).unwrap_or(Value::String(noted.what));
        AuditedFace { at: rfc3339(noted.at_ms), who: noted.who, what }
    };
    Ok(Json(noted.into_iter().map(face).collect()))
}
