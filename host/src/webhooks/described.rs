//! What the description of the API says of a webhook's fields, as exactly as they are checked where a description can.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::webhook::HEADERS;
use crate::event::TYPE_BYTES;

/// Types of events, with `*` for any characters. It is no subscription if nothing stands behind a source's name and its colon.
pub(super) struct Subscription;

/// A source's name, or `*`.
pub(super) struct SourceName;

/// Headers of an application's own.
pub(super) struct CustomHeaders;

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

impl PartialSchema for Subscription {
    fn schema() -> RefOr<Schema> {
        let words = text(r"^(?![a-z0-9][a-z0-9_-]{0,63}:$)[^\s\x00-\x1f\x7f-\x9f]+$");
        words.min_length(Some(1)).max_length(Some(TYPE_BYTES)).into()
    }
}

impl PartialSchema for SourceName {
    fn schema() -> RefOr<Schema> {
        text(r"^(\*|[a-z0-9][a-z0-9_-]{0,63})$").into()
    }
}

impl PartialSchema for CustomHeaders {
    fn schema() -> RefOr<Schema> {
        let name = text(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$").build();
        let headers = ObjectBuilder::new().schema_type(Type::Object).property_names(Some(name));
        headers.additional_properties(Some(text("^[ -~]*$"))).max_properties(Some(HEADERS)).into()
    }
}

impl ToSchema for Subscription {}
impl ToSchema for SourceName {}
impl ToSchema for CustomHeaders {}
