//! The API. For applications: publish events, register URLs, look at deliveries; by key, on the admin address and, where the config says
//! so, on one of its own. For operators: look at events, have them delivered again, hold plugins, make keys; by role, on the admin address.

mod faces;
mod guard;
mod noting;
mod operator;
mod publish;
mod refusal;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use utoipa::openapi::OpenApi as OpenApiDocument;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::keys::{Keys, Role};
use crate::queue::Queue;
use crate::telemetry::Telemetry;
use crate::webhooks::Webhooks;
use guard::Who;
pub use guard::{Door, Guard, Hosts};
pub use operator::Description as OperatorsDescription;
use refusal::Refusal;

/// How long a request may take in all: sending a test takes the longest.
const REQUEST: Duration = Duration::from_secs(30);

/// How much a request may have beside the data that it publishes, in bytes.
const BESIDE_DATA: usize = 64 << 10;

/// What applications may do.
#[derive(Clone)]
pub struct Api {
    /// Who may.
    pub keys: Arc<Keys>,
    /// What is registered.
    pub webhooks: Arc<Webhooks>,
    /// Where events go.
    pub queue: Queue,
    /// Who is told of what happened when.
    pub telemetry: Telemetry,
    /// The most data of an event, in bytes.
    pub body_bytes: usize,
}

impl Api {
    /// The routes for whoever shows a key.
    pub fn router(self) -> Router {
        let most = self.body_bytes + BESIDE_DATA;
        Router::new()
            .route("/api/v1/events", post(publish::publish))
            .route("/api/v1/webhooks", get(webhooks::list).post(webhooks::create))
            .route("/api/v1/webhooks/events", get(webhooks::types))
            .route("/api/v1/webhooks/{id}", get(webhooks::show).patch(webhooks::update).delete(webhooks::delete))
            .route("/api/v1/webhooks/{id}/rotate", post(webhooks::rotate))
            .route("/api/v1/webhooks/{id}/test", post(webhooks::test))
            .route("/api/v1/webhooks/{id}/deliveries", get(webhooks::deliveries))
            .route("/api/v1/webhooks/{id}/deliveries/{event}/redeliver", post(webhooks::redeliver_one))
            .route("/api/v1/webhooks/{id}/redeliver", post(webhooks::redeliver))
            .route("/api/v1/webhooks/{id}/stats", get(webhooks::stats))
            .method_not_allowed_fallback(async || Refusal::Method)
            .layer(DefaultBodyLimit::max(most))
            .route_layer(middleware::from_fn_with_state(self.clone(), check_key))
            .layer(middleware::from_fn(refusal::in_form))
            .with_state(self)
    }

    /// The same on a listener of its own, described for whoever asks there.
    pub fn router_alone(self) -> Router {
        let described = Router::new().route("/openapi.json", get(async || Json(Description::openapi())));
        described.merge(self.router()).fallback(async || Refusal::Nowhere)
    }
}

async fn check_key(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let Some(key) = shown(request.headers()) else { return Refusal::NoKey.into_response() };
    match api.keys.know(key) {
        None => return Refusal::UnknownKey.into_response(),
        Some((role, _)) if !role.covers(Role::Publish) => return Refusal::Role(Role::Publish).into_response(),
        Some((_, who)) => drop(request.extensions_mut().insert(Who(who))),
    }
    tokio::time::timeout(REQUEST, next.run(request)).await.unwrap_or_else(|_| Refusal::Late.into_response())
}

/// The key that a request shows; one that is empty is none.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes())).filter(|key| !key.is_empty())
}

/// What applications may ask, for programs that read that.
#[derive(OpenApi)]
#[openapi(
    info(title = "Hookgate: outgoing webhooks", description = "Publish events, and have them pushed to URLs, signed."),
    paths(
        publish::publish,
        webhooks::list,
        webhooks::create,
        webhooks::types,
        webhooks::show,
        webhooks::update,
        webhooks::delete,
        webhooks::rotate,
        webhooks::test,
        webhooks::deliveries,
        webhooks::redeliver_one,
        webhooks::redeliver,
        webhooks::stats,
    ),
    modifiers(&Security, &ByKey, &Named),
    security(("bearer" = []), ("x-api-key" = []))
)]
pub struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut OpenApiDocument) {
        let schemes = &mut openapi.components.get_or_insert_default().security_schemes;
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        schemes.insert("bearer".into(), SecurityScheme::Http(bearer));
        schemes.insert("x-api-key".into(), SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))));
    }
}

/// Says of each operation that it takes a key, so that it still says so beside others that do not.
struct ByKey;

impl Modify for ByKey {
    fn modify(&self, openapi: &mut OpenApiDocument) {
        let security = openapi.security.clone();
        operations(openapi).for_each(|operation| operation.security.clone_from(&security));
    }
}

/// Names each operation as no other is named, whatever it stands beside: `webhooks_list`, `keys_list`.
struct Named;

impl Modify for Named {
    fn modify(&self, openapi: &mut OpenApiDocument) {
        for operation in operations(openapi) {
            if let (Some([tag]), Some(name)) = (operation.tags.as_deref(), &mut operation.operation_id)
                && tag != name
            {
                *name = format!("{tag}_{name}");
            }
        }
    }
}

fn operations(openapi: &mut OpenApiDocument) -> impl Iterator<Item = &mut Operation> {
    let paths = openapi.paths.paths.values_mut();
    paths.flat_map(|path| [&mut path.get, &mut path.post, &mut path.patch, &mut path.delete]).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_in_either_header() {
        let shown_by = |name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            shown(&headers).map(|key| String::from_utf8_lossy(key).into_owned())
        };
        assert_eq!(shown_by("authorization", "Bearer hgk_1").as_deref(), Some("hgk_1"));
        assert_eq!(shown_by("authorization", "bearer  hgk_1 ").as_deref(), Some("hgk_1"));
        assert_eq!(shown_by("x-api-key", "hgk_1").as_deref(), Some("hgk_1"));
        assert_eq!(shown_by("authorization", "Basic hgk_1"), None);
        assert_eq!(shown_by("authorization", ""), None);
        assert_eq!(shown_by("authorization", "Bearer "), None);
        assert_eq!(shown_by("cookie", "hgk_1"), None);
    }

    #[test]
    fn the_description_has_every_route() {
        let description = serde_json::to_value(Description::openapi()).unwrap();
        let paths = description["paths"].as_object().unwrap();
        assert_eq!(paths.len(), 10, "{:?}", paths.keys());
        assert!(paths["/api/v1/webhooks/{id}"]["patch"].is_object());
    }
}
