//! What every engine of the queue must do: the verbs, by a model in memory and by promises with names.
//!
//! [`Engine`] is all that the suite knows of an engine; `conformance_suite!(TheEngine)` makes its tests. Time is told, so what is expected
//! is exact: where an order is promised it is compared, and where it is not, any will do.

mod aging;
mod chance;
mod desk;
mod looking;
mod model;
pub mod promises;
mod settling;
mod told;
mod verbs;
mod world;

use std::path::Path;

use hookgate::event::UnixMs;
use hookgate::queue::{Core, Deliveries, Delivery, Keep, Queue, Stepped};
use hookgate::schedule::Schedules;

/// An engine under test: a queue that does a step when it is told to, at a time that it is told.
pub trait Engine: Sized {
    /// Opens the queue in a folder and takes up what was left there; `seed` spreads ids.
    fn open(folder: &Path, schedules: &Schedules, keep: Keep, now: UnixMs, seed: u64) -> anyhow::Result<Self>;

    /// The way in.
    fn queue(&self) -> &Queue;

    /// Does what was said, and what is due at a time.
    fn step(&mut self, now: UnixMs);

    /// What came out since this was asked last, in its order.
    fn deliveries(&mut self) -> Vec<Delivery>;
}

/// The engine on one machine: SQLite.
pub struct Sqlite {
    core: Core,
    queue: Queue,
    deliveries: Deliveries,
}

impl Engine for Sqlite {
    fn open(folder: &Path, schedules: &Schedules, keep: Keep, now: UnixMs, seed: u64) -> anyhow::Result<Sqlite> {
        let (core, queue, deliveries) = Core::open(folder, schedules, keep, now, seed)?;
        Ok(Sqlite { core, queue, deliveries })
    }

    fn queue(&self) -> &Queue {
        &self.queue
    }

    fn step(&mut self, now: UnixMs) {
        match self.core.step(now) {
            Stepped::On => {}
            Stepped::Closed(done) => drop(done.send(())),
            Stepped::Failed => panic!("the disk failed"),
        }
    }

    fn deliveries(&mut self) -> Vec<Delivery> {
        std::iter::from_fn(|| self.deliveries.try_recv().ok()).collect()
    }
}
