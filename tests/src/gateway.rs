//! The gateway, run inside the test.

use std::ops::Deref;
use std::sync::mpsc;
use std::thread::JoinHandle;

use hookgate::config::{Config, Overrides};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Doors, Home};

/// A gateway on free ports, stopped in order when it is dropped.
pub struct Gateway {
    doors: Doors,
    stop: CancellationToken,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Gateway {
    /// Starts it in a folder; it takes requests when this returns.
    pub fn start(home: &Home) -> Gateway {
        Gateway::try_start(home).unwrap_or_else(|error| panic!("it does not start: {error:#}"))
    }

    /// The same for one that may not start.
    pub fn try_start(home: &Home) -> anyhow::Result<Gateway> {
        let config = Config::read(&home.config(), &Overrides::default())?;
        let stop = CancellationToken::new();
        let (ready, is_ready) = mpsc::channel();
        let told = stop.clone();
        let running = std::thread::spawn(move || {
            let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            threads.block_on(run(config, told, ready))
        });
        match is_ready.recv() {
            Ok(doors) => Ok(Gateway { doors, stop, running: Some(running) }),
            Err(_) => Err(running.join().unwrap().expect_err("it ended well before it was ready")),
        }
    }

    /// Stops it in order, and says how that went.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.end().unwrap()
    }

    fn end(&mut self) -> Option<anyhow::Result<()>> {
        self.stop.cancel();
        self.running.take()?.join().ok()
    }
}

async fn run(config: Config, stop: CancellationToken, ready: mpsc::Sender<Doors>) -> anyhow::Result<()> {
    let hooks = TcpListener::bind(config.server.listen).await?;
    let admin = TcpListener::bind(config.server.admin).await?;
    let doors = Doors { hooks: hooks.local_addr()?, admin: admin.local_addr()? };
    hookgate::run(config, hooks, admin, stop, move |_| ready.send(doors).unwrap_or_default()).await
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A test that failed already must not fail twice.
        let _ = self.end();
    }
}

impl Deref for Gateway {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}
