//! What became of a request when, for the traces of its events.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::event::{NewEvent, TraceParent};
use crate::queue::Receipt;
use crate::telemetry::{Kind, Moment, Origin, Step, Telemetry};

/// When a request came where.
pub(super) struct Course {
    begun: Moment,
    verify: Moment,
    verified: Moment,
    write: Moment,
    written: Moment,
    /// Who was asked for an answer, how that ended, and when it began.
    asked: Option<(Arc<str>, &'static str, Moment)>,
}

/// What stays known of events while they are written down.
pub(super) struct Told {
    types: Vec<Arc<str>>,
    parent: Option<TraceParent>,
}

impl Course {
    /// A request's headers are there.
    pub fn begin() -> Course {
        let begun = Moment::now();
        Course { begun, verify: begun, verified: begun, write: begun, written: begun, asked: None }
    }

    /// Since its headers were there.
    pub fn begun(&self) -> Moment {
        self.begun
    }

    /// All of it is there, and what it has to be verified by.
    pub fn came(&mut self) {
        self.verify = self.begun.later();
    }

    /// It was verified.
    pub fn verified(&mut self) {
        self.verified = self.begun.later();
    }

    /// Its events go to the queue. Gives what is told of them later, where anybody is told.
    pub fn write(&mut self, telemetry: &Telemetry, events: &[NewEvent]) -> Option<Told> {
        self.write = self.begun.later();
        telemetry.is_on().then(|| Told {
            types: events.iter().map(|event| event.event_type.clone()).collect(),
            parent: events.first().and_then(|event| event.trace),
        })
    }

    /// They are on disk.
    pub fn written(&mut self) {
        self.written = self.begun.later();
    }

    /// A plugin was asked for an answer, and how that ended.
    pub fn asked(&mut self, plugin: &Arc<str>, result: &'static str, begun: Moment) {
        self.asked = Some((plugin.clone(), result, begun));
    }

    /// Tells of each event that was not there before. A repeat has its trace already.
    pub fn tell(&self, telemetry: &Telemetry, told: &Told, source: &str, status: StatusCode, receipts: &[Receipt]) {
        let now = self.begun.later();
        for (receipt, event_type) in receipts.iter().zip(&told.types).filter(|(receipt, _)| !receipt.duplicate) {
            let Some(trace) = telemetry.trace(receipt.id, told.parent, Origin::Sent) else { continue };
            let root = trace.span(Step::ACCEPT, Kind::Server, self.begun, now);
            let root = root.text("hookgate.source", source).text("hookgate.event.type", &**event_type);
            let root = root.text("http.request.method", "POST").text("http.route", "/hooks/{source}");
            root.number("http.response.status_code", status.as_u16()).tell();
            trace.span(Step::once("verify"), Kind::Internal, self.verify, self.verified).tell();
            trace.span(Step::once("commit"), Kind::Internal, self.write, self.written).tell();
            if let Some((plugin, result, begun)) = &self.asked {
                let asked = trace.span(Step::once("answer"), Kind::Internal, *begun, now);
                let asked = asked.text("hookgate.plugin", &**plugin).text("hookgate.result", *result);
                if *result == "answered" { asked } else { asked.failed(result) }.tell();
            }
        }
    }
}
