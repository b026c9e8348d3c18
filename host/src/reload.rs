//! The config's files are looked at while the gateway runs. What of a new one can be taken is taken at once; a wrong one changes nothing.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::ingress::{self, Sources};
use crate::plugins::{Change, Granting, Plugins};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long somebody may take to write one.
const WHOLE: Duration = Duration::from_millis(100);

/// What a new config is taken by.
pub struct Reload {
    /// The config that counts now.
    pub config: Config,
    /// Who may send.
    pub sources: Arc<Sources>,
    /// What is counted of them.
    pub came_in: ingress::Counters,
    /// Who is granted what.
    pub plugins: Arc<Plugins>,
    /// Who hears what changed for plugins.
    pub tell: UnboundedSender<Change>,
}

/// What is granted to whom by a config.
pub fn granting(config: &Config) -> Granting {
    let (granting, trust) = (config.clone(), config.trust.clone());
    Granting { grants: Box::new(move |name: &str| granting.grant(name)), trust }
}

impl Reload {
    /// Looks until it is told to stop.
    pub async fn watch(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            if self.config.is_as_it_was() {
                continue;
            }
            // What is being written is looked at when it is whole.
            tokio::time::sleep(WHOLE).await;
            self.look().await;
        }
    }

    async fn look(&mut self) {
        match self.config.read_again() {
            Err(error) => tracing::error!("the config was changed and is not taken, the one before counts on: {error}"),
            Ok(config) => self.take(config).await,
        }
    }

    async fn take(&mut self, config: Config) {
        let later = self.config.needs_restart(&config);
        config.sources.iter().for_each(|source| self.came_in.begin(source));
        *self.sources.write().unwrap_or_else(PoisonError::into_inner) = ingress::by_name(&config.sources);
        let taken = self.config.with_what_can_change(config);
        self.config = taken;
        match self.plugins.grant_anew(granting(&self.config), &self.tell).await {
            // Nobody waits for a compiler: what else changes is taken meanwhile.
            Ok(_loads) => {}
            Err(error) => tracing::warn!("cannot look into the plugins folder: {error}"),
        }
        match later.as_slice() {
            [] => tracing::info!("the config was changed, and is taken"),
            later => tracing::warn!(
                "the config was changed, and is taken but for what needs a restart: {}",
                later.join(", ")
            ),
        }
    }
}
