//! Keys: made, listed and revoked by the operator.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Api;
use super::super::faces::Error;
use super::super::guard::Who;
use super::super::refusal::{Refusal, read, to_its_end};
use crate::event::{now_ms, rfc3339};
use crate::keys::{Key, Keys, NotMade, Role};

/// A key that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyWanted {
    /// Whose it is. Without it, `default`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    name: Option<String>,
    /// What it is good for.
    #[serde(default)]
    role: Role,
    /// Good for a minute, for what applications ask, and kept nowhere.
    #[serde(default)]
    brief: bool,
}

/// A key.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(super) struct KeyFace {
    id: String,
    name: String,
    role: Role,
    created_at: String,
    /// Only where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl KeyFace {
    fn new(key: &Key, secret: Option<String>) -> KeyFace {
        let (id, name, created_at) = (key.id.to_string(), key.name.clone(), rfc3339(key.created_at_ms));
        KeyFace { id, name, role: key.role, created_at, key: secret }
    }
}

impl From<NotMade> for Refusal {
    fn from(error: NotMade) -> Refusal {
        match error {
            NotMade::TooMany => Refusal::Conflict(error.to_string()),
            NotMade::Name => Refusal::Wrong(error.to_string()),
            NotMade::NotWritten(error) => Refusal::NotWritten(error),
            NotMade::Failed(error) => error.into(),
        }
    }
}

/// All keys, the oldest first, not what they are
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys",
    responses((status = 200, body = [KeyFace]), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error)))]
pub(super) async fn list(State(api): State<Api>) -> Json<Vec<KeyFace>> {
    Json(api.keys.all().iter().map(|key| KeyFace::new(key, None)).collect())
}

/// Make a key; it is shown this once
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", request_body = KeyWanted,
    responses((status = 201, body = KeyFace), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 409, body = Error), (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error), (status = 503, body = Error)))]
pub(super) async fn make(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<KeyFace>), Refusal> {
    let KeyWanted { name, role, brief } = read(&headers, &body)?;
    name.as_deref().map_or(Ok(()), Keys::check_name)?;
    let text = |secret: crate::secret::Secret| String::from_utf8_lossy(secret.expose()).into_owned();
    if brief {
        let (id, name, created_at) = (String::new(), "brief".to_owned(), rfc3339(now_ms()));
        let key = Some(text(api.keys.make_brief(&who)?));
        return Ok((StatusCode::CREATED, Json(KeyFace { id, name, role: Role::Publish, created_at, key })));
    }
    let name = name.unwrap_or_else(|| "default".to_owned());
    let (key, secret) = to_its_end(async move { api.keys.make(&name, role, &who).await }).await?;
    Ok((StatusCode::CREATED, Json(KeyFace::new(&key, Some(text(secret))))))
}

/// End a key, by its id, or all of a name
#[utoipa::path(delete, path = "/api/v1/keys/{which}", tag = "keys",
    params(("which" = String, Path, description = "key_..., or a name")),
    responses((status = 204), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error), (status = 404, body = Error),
        (status = 503, body = Error)))]
pub(super) async fn revoke(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    Path(which): Path<String>,
) -> Result<StatusCode, Refusal> {
    let ended = to_its_end(async move { api.keys.revoke(&which, &who).await.map_err(Refusal::NotWritten) }).await?;
    if ended.is_empty() { Err(Refusal::Unknown("key")) } else { Ok(StatusCode::NO_CONTENT) }
}
