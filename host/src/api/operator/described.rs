//! What the description of the API says of a request that no type of ours says.

use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::link::Link;
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{OpenApi, Ref, RefOr};
use utoipa::{Modify, PartialSchema, ToSchema};

use super::asked::{AgainFiltered, AgainNamed};

/// The fields that say which events are meant; the others of [`AgainFiltered`] say how much is done about it.
pub(super) const SAYING: [&str; 8] = ["source", "type", "state", "plugin", "since", "until", "text", "before"];

/// Events to be delivered again: an [`AgainNamed`] or, where no `events` stand in it, an [`AgainFiltered`] that says something.
pub(super) struct Again;

impl PartialSchema for Again {
    fn schema() -> RefOr<Schema> {
        let says = |field: &str| {
            let text = ObjectBuilder::new().schema_type(Type::String);
            ObjectBuilder::new().schema_type(Type::Object).property(field, text).required(field)
        };
        let something = SAYING.into_iter().fold(AnyOfBuilder::new(), |any, field| any.item(says(field)));
        let filtered = AllOfBuilder::new().item(Ref::from_schema_name(AgainFiltered::name())).item(something);
        let named = Ref::from_schema_name(AgainNamed::name());
        OneOfBuilder::new().description(Some("Events to be delivered again.")).item(named).item(filtered).into()
    }
}

impl ToSchema for Again {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((AgainNamed::name().into(), AgainNamed::schema()));
        schemas.push((AgainFiltered::name().into(), AgainFiltered::schema()));
        AgainNamed::schemas(schemas);
        AgainFiltered::schemas(schemas);
    }
}

/// Says that what was published can be looked at, by the id in the answer; applications, who publish too, cannot look.
pub(super) struct Published;

impl Modify for Published {
    fn modify(&self, openapi: &mut OpenApi) {
        let publish = openapi.paths.paths.get_mut("/api/v1/events").and_then(|path| path.post.as_mut());
        let answer = publish.and_then(|publish| publish.responses.responses.get_mut("202"));
        if let Some(RefOr::T(answer)) = answer {
            let mut link = Link::builder().parameter("id", "$response.body#/id").build();
            // utoipa would write `operation_id`, which nobody reads.
            link.extensions = Some(Extensions::from_iter([("operationId", "events_show")]));
            answer.links.insert("event".to_owned(), RefOr::T(link));
        }
    }
}
