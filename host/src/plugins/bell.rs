//! When the folder is scanned: a notice of the file system is a bell, and some file systems have none.

use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_util::sync::CancellationToken;

use super::{Change, Plugins};

/// How long the folder must be quiet before it is scanned, and how long at the most that is waited for.
const QUIET: Duration = Duration::from_millis(100);
const NOT_QUIET: Duration = Duration::from_secs(1);

/// How often it is scanned without being rung for: some file systems have no bell.
const SLOW_SCAN: Duration = Duration::from_secs(5);

impl Plugins {
    /// Scans whenever the folder changes, until it is told to stop, and tells what changed.
    pub async fn watch(self: Arc<Self>, tell: UnboundedSender<Change>, stop: CancellationToken) {
        let (ring, mut bell) = mpsc::channel(1);
        let once = ring.clone();
        let on_notice = move |notice: notify::Result<notify::Event>| {
            // Our own reading rings too, and must not.
            if notice.is_ok_and(|notice| !is_reading(notice.kind)) {
                let _ = ring.try_send(());
            }
        };
        let watching = notify::recommended_watcher(on_notice)
            .and_then(|mut watcher| watcher.watch(&self.path, RecursiveMode::NonRecursive).map(|()| watcher));
        if let Err(error) = &watching {
            tracing::warn!("{} is looked at every {} s only: {error}", self.path.display(), SLOW_SCAN.as_secs());
        }
        // What came since the last scan, before there was a bell.
        let _ = once.try_send(());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(()) = bell.recv() => quiet(&mut bell).await,
                () = tokio::time::sleep(SLOW_SCAN) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                // What is slow to load is not waited for: others come and go meanwhile.
                scanned = self.scan(&tell) => {
                    if let Err(error) = scanned {
                        tracing::warn!("cannot look into {}: {error}", self.path.display());
                    }
                }
            }
        }
    }
}

fn is_reading(kind: notify::EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode, EventKind};
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Waits until nothing was rung for a moment.
async fn quiet(bell: &mut mpsc::Receiver<()>) {
    let until_quiet =
        async { while tokio::time::timeout(QUIET, bell.recv()).await.is_ok_and(|rung| rung.is_some()) {} };
    let _ = tokio::time::timeout(NOT_QUIET, until_quiet).await;
}
