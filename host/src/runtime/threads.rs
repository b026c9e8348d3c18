//! Threads of a priority of their own.

use thread_priority::ThreadPriority;
use thread_priority::unix::{
    NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};
use tokio::runtime::{Builder, Handle, Runtime};

/// As many threads as there are cores, that end when this is dropped, whatever runs on them.
pub(super) struct Threads {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Threads {
    /// Starts threads, each of which begins with setting its priority.
    pub fn start(name: &str, set_priority: fn()) -> std::io::Result<Threads> {
        let runtime = Builder::new_multi_thread()
            .thread_name(name)
            .worker_threads(cores())
            .on_thread_start(set_priority)
            .enable_all()
            .build()?;
        Ok(Threads { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Where to spawn.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// How many threads can run at a time.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Niceness of the threads that calls begin on, and of compilers: even on a full machine the threads that answer senders come first.
pub(super) const GUEST_NICENESS: i32 = 10;

/// Puts this thread behind those that answer senders. Where that is not allowed, it runs as they do.
pub(super) fn behind_ingress() {
    let _ = rustix::process::nice(GUEST_NICENESS);
}

/// Puts this thread behind every other: it runs when a core has nothing else to do, and whoever wakes up goes first.
pub(super) fn only_when_idle() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // Where that is not to be had, at least it is nice.
    if set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy).is_err() {
        let _ = rustix::process::nice(19);
    }
}
