//! What Frame.io shows to who chose a custom action.

use serde::Serialize;
use serde_json::{Value, json};

use crate::Answer;

/// Answers a custom action with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What stands above it.
    pub title: String,
    /// What it says.
    pub description: String,
}

impl Message {
    /// A message.
    pub fn new(title: impl Into<String>, description: impl Into<String>) -> Message {
        Message { title: title.into(), description: description.into() }
    }
}

impl From<Message> for Answer {
    fn from(Message { title, description }: Message) -> Answer {
        json!({ "title": title, "description": description }).into()
    }
}

/// Answers a custom action with a form. What is filled in comes as the `data` of the next [`Action`](super::Action).
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// What stands above it.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// What is filled in.
    pub fields: Vec<Field>,
}

impl Form {
    /// A form, without fields as yet.
    pub fn new(title: impl Into<String>, description: impl Into<String>) -> Form {
        Form { title: title.into(), description: description.into(), fields: Vec::new() }
    }

    /// Adds a field.
    pub fn field(mut self, field: Field) -> Form {
        self.fields.push(field);
        self
    }
}

impl From<Form> for Answer {
    fn from(Form { title, description, fields }: Form) -> Answer {
        json!({ "title": title, "description": description, "fields": fields }).into()
    }
}

/// One of the things that a form is made of: what its value is called in `data`, and what people read beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    #[serde(rename = "type")]
    kind: &'static str,
    label: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Vec<Choice>>,
}

impl Field {
    /// A line of text.
    pub fn text(name: impl Into<String>, label: impl Into<String>) -> Field {
        Field { kind: "text", label: label.into(), name: name.into(), value: None, options: None }
    }

    /// Several lines of text.
    pub fn textarea(name: impl Into<String>, label: impl Into<String>) -> Field {
        Field { kind: "textarea", ..Field::text(name, label) }
    }

    /// Yes or no.
    pub fn boolean(name: impl Into<String>, label: impl Into<String>) -> Field {
        Field { kind: "boolean", ..Field::text(name, label) }
    }

    /// A link to follow: its value is where to.
    pub fn link(name: impl Into<String>, label: impl Into<String>) -> Field {
        Field { kind: "link", ..Field::text(name, label) }
    }

    /// One of several options: what is shown of each, and the value that it stands for.
    pub fn select<N: Into<String>, V: Into<String>>(
        name: impl Into<String>,
        label: impl Into<String>,
        options: impl IntoIterator<Item = (N, V)>,
    ) -> Field {
        let options = options.into_iter().map(|(name, value)| Choice { name: name.into(), value: value.into() });
        Field { kind: "select", options: Some(options.collect()), ..Field::text(name, label) }
    }

    /// Sets what is in it at first: text, or of a boolean `true` or `false`.
    pub fn value(mut self, value: impl Into<Value>) -> Field {
        self.value = Some(value.into());
        self
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Choice {
    name: String,
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(answer: Answer) -> Value {
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some("application/json")));
        answer.json().unwrap()
    }

    #[test]
    fn a_message_is_shown() {
        let message = Message::new("Thank you", "It is \"on\" its way.");
        assert_eq!(shown(message.into()), json!({"title": "Thank you", "description": "It is \"on\" its way."}));
    }

    #[test]
    fn a_form_has_fields_of_all_types() {
        let form = Form::new("Review", "Is it good?")
            .field(Field::text("by", "By").value("Ada"))
            .field(Field::textarea("note", "Note"))
            .field(Field::select("so", "So", [("Yes", "y"), ("No", "n")]).value("y"))
            .field(Field::boolean("urgent", "Urgent").value(false))
            .field(Field::link("brief", "The brief").value("https://example.com/brief"));
        let fields = json!([
            {"type": "text", "label": "By", "name": "by", "value": "Ada"},
            {"type": "textarea", "label": "Note", "name": "note"},
            {"type": "select", "label": "So", "name": "so", "value": "y",
             "options": [{"name": "Yes", "value": "y"}, {"name": "No", "value": "n"}]},
            {"type": "boolean", "label": "Urgent", "name": "urgent", "value": false},
            {"type": "link", "label": "The brief", "name": "brief", "value": "https://example.com/brief"},
        ]);
        let expected = json!({"title": "Review", "description": "Is it good?", "fields": fields});
        assert_eq!(shown(form.into()), expected);
    }
}
