//! Keys: made, listed and revoked by the operator, on the admin address alone.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Api;
use super::refusal::{Refusal, read, to_its_end};
use crate::event::rfc3339;
use crate::keys::{Key, NotMade};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    name: Option<String>,
    /// Good for a minute, and kept nowhere.
    #[serde(default)]
    brief: bool,
}

#[derive(Serialize)]
pub(super) struct KeyFace {
    id: String,
    name: String,
    created_at: String,
    /// Only where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl KeyFace {
    fn new(key: &Key, secret: Option<String>) -> KeyFace {
        let (id, name, created_at) = (key.id.to_string(), key.name.clone(), rfc3339(key.created_at_ms));
        KeyFace { id, name, created_at, key: secret }
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

/// Takes no request that was sent to a name: a page in a browser can have a name of its own lead to this machine, but not an
/// address.
pub async fn only_by_address(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    if host.is_some_and(is_address) { next.run(request).await } else { Refusal::Host.into_response() }
}

fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok()
}

pub(super) async fn list(State(api): State<Api>) -> Json<Vec<KeyFace>> {
    Json(api.keys.all().iter().map(|key| KeyFace::new(key, None)).collect())
}

pub(super) async fn make(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<KeyFace>), Refusal> {
    let Wanted { name, brief } = read(&headers, &body)?;
    let text = |secret: crate::secret::Secret| String::from_utf8_lossy(secret.expose()).into_owned();
    if brief {
        let (id, name, created_at) = (String::new(), "brief".to_owned(), rfc3339(crate::event::now_ms()));
        let key = Some(text(api.keys.make_brief()?));
        return Ok((StatusCode::CREATED, Json(KeyFace { id, name, created_at, key })));
    }
    let name = name.unwrap_or_else(|| "default".to_owned());
    let (key, secret) = to_its_end(async move { api.keys.make(&name).await }).await?;
    Ok((StatusCode::CREATED, Json(KeyFace::new(&key, Some(text(secret))))))
}

pub(super) async fn revoke(State(api): State<Api>, Path(which): Path<String>) -> Result<StatusCode, Refusal> {
    let revoking = async move { api.keys.revoke(&which).await.map_err(Refusal::NotWritten) };
    match to_its_end(revoking).await? {
        0 => Err(Refusal::Unknown("key")),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_no_names() {
        for good in ["127.0.0.1:8081", "127.0.0.1", "[::1]:8081", "localhost:1", "10.0.0.5"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example:80"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
