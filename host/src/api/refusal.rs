//! Every no of the API: its status and its sentence, in one place.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use crate::keys::Role;
use crate::queue::AcceptError;
use crate::webhooks::NotChanged;

/// Why a request is not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such path.
    Nowhere,
    /// There is nothing of that name.
    Unknown(&'static str),
    /// Not this method.
    Method,
    /// It shows no key.
    NoKey,
    /// It shows neither the admin token nor a key.
    NoToken,
    /// The key that it shows is none, or not any more.
    UnknownKey,
    /// What it shows is neither the admin token nor a key, or not any more.
    UnknownToken,
    /// What it shows is good for something else.
    Role(Role),
    /// It shows nothing, and may come from a page in a browser that was led here.
    Host(Role),
    /// It is no JSON.
    Malformed(String),
    /// It does not say that it is JSON.
    NotJson,
    /// Something in it is wrong.
    Wrong(String),
    /// It cannot be done as things stand.
    Conflict(String),
    /// It is larger than it may be.
    TooBig(usize),
    /// It took too long.
    Late,
    /// It may go later.
    NotWritten(AcceptError),
    /// Something of ours failed, which the log says.
    Failed,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, told) = match self {
            Refusal::Nowhere => {
                (StatusCode::NOT_FOUND, "there is nothing here: /openapi.json has the paths".to_owned())
            }
            Refusal::Unknown(what) => (StatusCode::NOT_FOUND, format!("there is no such {what}")),
            Refusal::Method => (StatusCode::METHOD_NOT_ALLOWED, "not with this method".into()),
            Refusal::NoKey => {
                return unauthorized(
                    "show a key: Authorization: Bearer hgk_..., or X-API-Key; `hookgate keys create` makes one",
                );
            }
            Refusal::NoToken => {
                return unauthorized(
                    "show the admin token, or a key that `hookgate keys create --role read` made: Authorization: Bearer ...",
                );
            }
            Refusal::UnknownKey => {
                return unauthorized(
                    "the key that was shown is unknown or was revoked: `hookgate keys list` has those that are good, `hookgate keys create` makes one",
                );
            }
            Refusal::UnknownToken => {
                return unauthorized(
                    "the token or key that was shown is unknown or was revoked: show the admin token, or a key that is good (`hookgate keys list`)",
                );
            }
            Refusal::Role(needed) => {
                let role = needed.name();
                let or = if needed == Role::Operate { "" } else { " (or operate)" };
                let told = format!(
                    "this needs the role {role}{or}: `hookgate keys create --role {role}` makes a key that has it"
                );
                (StatusCode::FORBIDDEN, told)
            }
            Refusal::Host(needed) => {
                let told = format!(
                    "without an admin token this is for localhost, 127.0.0.1 and [::1] alone, and for no page in a browser: ask there, or show a key (hookgate keys create --role {})",
                    needed.name()
                );
                (StatusCode::FORBIDDEN, told)
            }
            Refusal::Malformed(told) => (StatusCode::BAD_REQUEST, told),
            Refusal::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "say Content-Type: application/json".into()),
            Refusal::Wrong(told) => (StatusCode::UNPROCESSABLE_ENTITY, told),
            Refusal::Conflict(told) => (StatusCode::CONFLICT, told),
            Refusal::TooBig(most) => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("has more than {most} bytes (body_bytes)"))
            }
            Refusal::Late => (StatusCode::REQUEST_TIMEOUT, "took too long".into()),
            Refusal::NotWritten(why) => {
                let mut response = (StatusCode::SERVICE_UNAVAILABLE, error(why.to_string())).into_response();
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                return response;
            }
            Refusal::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "failed: the gateway's log says why".into()),
        };
        (status, error(told)).into_response()
    }
}

fn unauthorized(told: &str) -> Response {
    let mut response = (StatusCode::UNAUTHORIZED, error(told.into())).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn error(told: String) -> Json<super::faces::Error> {
    Json(super::faces::Error { error: told })
}

impl From<NotChanged> for Refusal {
    fn from(error: NotChanged) -> Refusal {
        match error {
            NotChanged::Unknown => Refusal::Unknown("webhook"),
            NotChanged::Wrong(wrong) => Refusal::Wrong(wrong.to_string()),
            NotChanged::Conflict(told) => Refusal::Conflict(told),
            NotChanged::NotWritten(error) => Refusal::NotWritten(error),
            NotChanged::Failed(error) => error.into(),
        }
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Refusal {
        tracing::error!("a request to the API failed: {error:#}");
        Refusal::Failed
    }
}

/// Reads a body that must say that it is JSON: browsers then ask before they send it for another page, and are told no.
pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refusal> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::NotJson);
    }
    let malformed = |error: &serde_json::Error| Refusal::Malformed(format!("the body is no JSON: {error}"));
    serde_json::from_slice::<IgnoredAny>(body).map_err(|error| malformed(&error))?;
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::Wrong("the body must be an object: {...}".into()));
    }
    let mut reading = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut reading).map_err(|error| {
        let (path, inner) = (error.path().to_string(), error.inner());
        match inner.classify() {
            Category::Data if path == "." => Refusal::Wrong(inner.to_string()),
            Category::Data => Refusal::Wrong(format!("{path}: {inner}")),
            _ => malformed(inner),
        }
    })
}

/// Does something to its end, whoever hangs up meanwhile: what is written down must count in memory too.
pub(super) async fn to_its_end<T, E>(doing: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, Refusal>
where
    T: Send + 'static,
    E: Into<Refusal> + Send + 'static,
{
    tokio::spawn(doing).await.map_err(|_| Refusal::Failed)?.map_err(Into::into)
}

/// Gives what the framework refuses the same form as what we do.
pub(super) async fn in_form(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if status.as_u16() < 400 || kind.starts_with("application/json") {
        return response;
    }
    let told = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than body_bytes of the config allows",
        StatusCode::METHOD_NOT_ALLOWED => "not with this method",
        StatusCode::NOT_FOUND => "there is nothing here: /openapi.json has the paths",
        _ => "the request cannot be read",
    };
    (status, error(told.into())).into_response()
}
