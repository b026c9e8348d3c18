//! What operators ask: which events came and how they went, and what is to be done about it. On the admin address alone.

mod again;
mod asked;
mod described;
mod events;
mod faces;
mod hold;
mod keys;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use axum::{Router, middleware};
use utoipa::OpenApi;

use super::guard::{Door, Guard, Hosts};
use super::refusal::{self, Refusal};
use super::{Api, Named, Security};
use crate::keys::Role;
use described::Published;

/// The most that a request may have, in bytes.
const BODY_BYTES: usize = 256 << 10;

impl Api {
    /// The routes for operators.
    pub fn operator_router(self, guard: &Arc<Guard>) -> Router {
        let looks = Router::new()
            .route("/api/v1/events/{id}", get(events::show))
            .route("/api/v1/dead", get(again::dead))
            .method_not_allowed_fallback(async || Refusal::Method)
            // Beside it applications post, whose no to other methods counts.
            .route("/api/v1/events", get(events::list))
            .layer(middleware::from_fn_with_state(guard.door(Role::Read, Hosts::Loopback), Door::check));
        let acts = Router::new()
            .route("/api/v1/replay", post(again::replay))
            .route("/api/v1/dead/retry", post(again::retry))
            .route("/api/v1/dead/drop", post(again::drop_dead))
            .route("/api/v1/plugins/{name}/pause", post(hold::pause))
            .route("/api/v1/plugins/{name}/resume", post(hold::resume))
            .route("/api/v1/audit", get(hold::audit))
            .route("/api/v1/keys", get(keys::list).post(keys::make))
            .route("/api/v1/keys/{which}", delete(keys::revoke))
            .method_not_allowed_fallback(async || Refusal::Method)
            .layer(DefaultBodyLimit::max(BODY_BYTES))
            .layer(middleware::from_fn_with_state(guard.door(Role::Operate, Hosts::Loopback), Door::check));
        looks.merge(acts).layer(middleware::from_fn(refusal::in_form)).with_state(self)
    }
}

/// What operators may ask, for programs that read that.
#[derive(OpenApi)]
#[openapi(
    info(title = "Hookgate: operating it", description = "Look at events, have them delivered again, hold plugins, make keys."),
    paths(
        super::publish::publish,
        events::list,
        events::show,
        again::replay,
        again::dead,
        again::retry,
        again::drop_dead,
        hold::pause,
        hold::resume,
        hold::audit,
        keys::list,
        keys::make,
        keys::revoke,
    ),
    modifiers(&Security, &Named, &Published),
    security((), ("bearer" = []), ("x-api-key" = []))
)]
pub struct Description;
