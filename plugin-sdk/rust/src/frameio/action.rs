//! Custom actions: somebody chose one in Frame.io, or filled in its form.

use serde::Deserialize;
use serde_json::Value;

use super::{Reference, id, kind};
use crate::{Event, FromEvent, Result};

/// A custom action, whose sender waits for a [`Message`](super::Message) or a [`Form`](super::Form). Anything may be
/// missing.
///
/// ```
/// use hookgate_plugin::frameio::{Action, Field, Form, Message};
/// use hookgate_plugin::{Answer, Result, plugin};
///
/// struct Review;
///
/// #[plugin]
/// impl Review {
///     #[respond("frameio:review.*")]
///     fn review(action: Action) -> Result<Answer> {
///         Ok(match action.data()["note"].as_str() {
///             None => Form::new("Review", "What do you think?").field(Field::textarea("note", "Note")).into(),
///             Some(note) => Message::new("Thank you", note).into(),
///         })
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    event: Event,
    body: Body,
}

impl Action {
    /// The event that it was read from.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// What the action is called in Frame.io: `review.approve`.
    pub fn event_type(&self) -> &str {
        self.event.event_type()
    }

    /// The action's id.
    pub fn action_id(&self) -> Option<&str> {
        self.body.action_id.as_deref()
    }

    /// The same from the first answer to the last form.
    pub fn interaction_id(&self) -> Option<&str> {
        self.body.interaction_id.as_deref()
    }

    /// What it was chosen on.
    pub fn resource_id(&self) -> Option<&str> {
        id(&self.body.resource)
    }

    /// What kind of thing that is: `file`, `folder`, ...
    pub fn resource_type(&self) -> Option<&str> {
        kind(&self.body.resource)
    }

    /// The account that it belongs to.
    pub fn account_id(&self) -> Option<&str> {
        self.body.account_id.as_deref()
    }

    /// The workspace that it belongs to.
    pub fn workspace_id(&self) -> Option<&str> {
        id(&self.body.workspace)
    }

    /// The project that it belongs to.
    pub fn project_id(&self) -> Option<&str> {
        id(&self.body.project)
    }

    /// Who chose it.
    pub fn user_id(&self) -> Option<&str> {
        id(&self.body.user)
    }

    /// What was filled in, by the names of the form's fields: `action.data()["note"].as_str()`. `Null` where no form
    /// was sent.
    pub fn data(&self) -> &Value {
        &self.body.data
    }
}

impl FromEvent for Action {
    fn from_event(event: Event) -> Result<Action> {
        let body = event.json()?;
        Ok(Action { event, body })
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Body {
    account_id: Option<String>,
    action_id: Option<String>,
    interaction_id: Option<String>,
    project: Option<Reference>,
    resource: Option<Reference>,
    user: Option<Reference>,
    workspace: Option<Reference>,
    #[serde(default)]
    data: Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, testing};

    fn read(body: &str) -> Result<Action> {
        Action::from_event(testing::event("review.approve").payload(body).build())
    }

    #[test]
    fn what_was_chosen_and_filled_in_is_read() {
        let action = read(
            r#"{"account_id":"a1","action_id":"c1","interaction_id":"i1","project":{"id":"p1"},"resource":{"id":"f1","type":"file"},"type":"review.approve","user":{"id":"u1"},"workspace":{"id":"w1"},"data":{"note":"Fine."}}"#,
        )
        .unwrap();
        assert_eq!(action.event_type(), "review.approve");
        assert_eq!((action.action_id(), action.interaction_id()), (Some("c1"), Some("i1")));
        assert_eq!((action.resource_id(), action.resource_type()), (Some("f1"), Some("file")));
        assert_eq!((action.account_id(), action.workspace_id()), (Some("a1"), Some("w1")));
        assert_eq!((action.project_id(), action.user_id()), (Some("p1"), Some("u1")));
        assert_eq!(action.data()["note"], "Fine.");
    }

    #[test]
    fn what_is_missing_is_said_to_be_missing() {
        let action = read(r#"{"resource":null,"user":{},"new":[1]}"#).unwrap();
        assert_eq!((action.resource_id(), action.user_id(), action.account_id()), (None, None, None));
        assert_eq!((action.data(), action.data()["note"].as_str()), (&Value::Null, None));
    }

    #[test]
    fn what_is_no_action_is_rejected() {
        for body in ["no JSON", "7", r#"{"resource":"f1"}"#] {
            assert!(matches!(read(body), Err(Failure::Reject(_))), "{body}");
        }
    }
}
