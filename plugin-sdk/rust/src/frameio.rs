//! Frame.io: its webhooks and custom actions, its API, and what custom actions are answered.
//!
//! ```
//! use hookgate_plugin::{Result, frameio, plugin};
//!
//! struct Review;
//!
//! #[plugin(host("api.frame.io", methods = "POST", credential = "bearer"))]
//! impl Review {
//!     #[on("frameio:file.ready")]
//!     fn ready(file: frameio::Webhook) -> Result {
//!         frameio::Client::new().comments().create(file.account_id(), file.resource_id(), "Processed!")?;
//!         Ok(())
//!     }
//!
//!     #[respond("frameio:review.*")]
//!     fn review(_: frameio::Action) -> Result<frameio::Message> {
//!         Ok(frameio::Message::new("Thank you", "It is on its way."))
//!     }
//! }
//! ```
//!
//! The token is the operator's. The gateway adds it to each request, and no plugin holds it.

mod action;
mod client;
mod shown;

pub use action::Action;
pub use client::{Client, Comment, Comments, File, Files, FrameioError};
pub use shown::{Field, Form, Message};

use serde::Deserialize;

use crate::{Event, Failure, FromEvent, Result};

/// What Frame.io says: something happened to a resource. It tells ids and nothing more.
///
/// The resource's id is always there: a body without it is rejected. Anything else may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    event: Event,
    resource_id: String,
    body: Body,
}

impl Webhook {
    /// The event that it was read from.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// What happened: `file.ready`.
    pub fn event_type(&self) -> &str {
        self.event.event_type()
    }

    /// What it happened to.
    pub fn resource_id(&self) -> &str {
        &self.resource_id
    }

    /// What kind of thing that is: `file`, `folder`, `comment`, `project`, ... New ones come without notice.
    pub fn resource_type(&self) -> Option<&str> {
        kind(&self.body.resource)
    }

    /// The account that it belongs to.
    pub fn account_id(&self) -> Option<&str> {
        id(&self.body.account)
    }

    /// The workspace that it belongs to.
    pub fn workspace_id(&self) -> Option<&str> {
        id(&self.body.workspace)
    }

    /// The project that it belongs to.
    pub fn project_id(&self) -> Option<&str> {
        id(&self.body.project)
    }

    /// Who did it.
    pub fn user_id(&self) -> Option<&str> {
        id(&self.body.user)
    }
}

impl FromEvent for Webhook {
    fn from_event(event: Event) -> Result<Webhook> {
        let body: Body = event.json()?;
        let resource_id = id(&body.resource).map(str::to_string);
        let resource_id = resource_id.ok_or_else(|| Failure::reject("a Frame.io webhook without `resource.id`"))?;
        Ok(Webhook { event, resource_id, body })
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Body {
    resource: Option<Reference>,
    account: Option<Reference>,
    workspace: Option<Reference>,
    project: Option<Reference>,
    user: Option<Reference>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Reference {
    id: Option<String>,
    #[serde(rename = "type")]
    resource_type: Option<String>,
}

fn id(reference: &Option<Reference>) -> Option<&str> {
    reference.as_ref()?.id.as_deref()
}

fn kind(reference: &Option<Reference>) -> Option<&str> {
    reference.as_ref()?.resource_type.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn read(body: &str) -> Result<Webhook> {
        Webhook::from_event(testing::event("file.ready").payload(body).build())
    }

    #[test]
    fn the_published_sample_is_read() {
        let webhook = read(
            r#"{"account":{"id":"a1"},"project":{"id":"p1"},"resource":{"id":"f1","type":"file"},"type":"file.ready","user":{"id":"u1"},"workspace":{"id":"w1"}}"#,
        )
        .unwrap();
        assert_eq!(webhook.event_type(), "file.ready");
        assert_eq!((webhook.resource_id(), webhook.resource_type()), ("f1", Some("file")));
        assert_eq!((webhook.account_id(), webhook.workspace_id()), (Some("a1"), Some("w1")));
        assert_eq!((webhook.project_id(), webhook.user_id()), (Some("p1"), Some("u1")));
    }

    #[test]
    fn what_is_missing_is_said_to_be_missing() {
        let webhook = read(r#"{"resource":{"id":"f1"},"account":null,"user":{},"new":[1]}"#).unwrap();
        assert_eq!((webhook.resource_id(), webhook.resource_type()), ("f1", None));
        assert_eq!((webhook.account_id(), webhook.user_id(), webhook.project_id()), (None, None, None));
    }

    #[test]
    fn a_body_without_a_resource_is_rejected_by_name() {
        for body in ["{}", r#"{"resource":null}"#, r#"{"resource":{"type":"file"}}"#] {
            assert_eq!(read(body), Err(Failure::reject("a Frame.io webhook without `resource.id`")), "{body}");
        }
        assert!(matches!(read("no JSON"), Err(Failure::Reject(_))));
    }
}
