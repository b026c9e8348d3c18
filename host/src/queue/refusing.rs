//! Why nothing new is taken: what was to be written could not be, or the queue is as full as it may be.

use tokio::sync::watch;

/// What could not be written.
#[derive(Clone, Copy)]
struct Failed {
    why: &'static str,
    /// Whether an event was refused for it.
    had_event: bool,
}

/// Why nothing new is taken, for whoever asks.
pub(super) struct Refusing {
    failed: Option<Failed>,
    full: Option<&'static str>,
    shown: watch::Sender<Option<&'static str>>,
}

impl Refusing {
    /// All is taken.
    pub fn nothing() -> Refusing {
        Refusing { failed: None, full: None, shown: watch::Sender::new(None) }
    }

    /// Where it can be seen.
    pub fn shown(&self) -> watch::Receiver<Option<&'static str>> {
        self.shown.subscribe()
    }

    /// What was to be written cannot be now; with an event among it, or without.
    pub fn failed(&mut self, why: &'static str, had_event: bool) {
        if self.failed.is_none() {
            tracing::warn!("{why}: events are refused until that is over");
        }
        let had_event = had_event || self.failed.is_some_and(|failed| failed.had_event);
        self.failed = Some(Failed { why, had_event });
        self.show();
    }

    /// Something was written, what had failed and was held among it. Where an event was refused, only an event says that there is room for
    /// the next: a full disk still takes what is small.
    pub fn written(&mut self, has_event: bool) {
        if self.failed.is_some_and(|failed| has_event || !failed.had_event) {
            self.failed = None;
            tracing::info!("events are taken again");
            self.show();
        }
    }

    /// Why the queue is as full as it may be, if it is.
    pub fn set_full(&mut self, full: Option<&'static str>) {
        self.full = full;
        self.show();
    }

    /// The same, as it was last said.
    pub fn full(&self) -> Option<&'static str> {
        self.full
    }

    fn show(&self) {
        let why = self.failed.map(|failed| failed.why).or(self.full);
        self.shown.send_if_modified(|shown| std::mem::replace(shown, why) != why);
    }
}
