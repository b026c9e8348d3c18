//! Outgoing webhooks: who registered a URL for which events, and how one is delivered there. Each is a subscriber of the queue's,
//! as plugins are; what is sent, signed and heard is here.

mod body;
mod delivered;
mod described;
mod draft;
mod health;
mod posting;
mod signing;
mod told;
mod vault;
mod webhook;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

pub use draft::{Change, Draft, NotChanged, whole};
pub use posting::{Exchange, Tried};
pub use signing::{Signer, check_secret};
pub use vault::{KEY_FILE, Vault};
pub use webhook::{Webhook, Wrong};

use crate::event::{Event, EventId, NewEvent, UnixMs, WEBHOOK, now_ms};
use crate::outbound::Poster;
use crate::queue::{Note, Queue, Registration, Subscribing};
use crate::secret::{random_bytes, random_letters};
use draft::read_secret;
use health::Health;
use posting::Sent;
use told::{disabled_event, note};
use webhook::{ANY, read_url};

/// What a webhook is in the queue's records.
const KIND: &str = "webhook";

/// The source and the provider of what the gateway tells of itself.
pub const HOOKGATE: &str = "hookgate";

/// The source and the provider of what applications publish.
pub const API: &str = "api";

/// The most webhooks there may be.
const WEBHOOKS: usize = 10_000;

/// The most secrets that sign at a time: verifiers look at ten signatures at the most, and one secret can make two.
const SIGNERS: usize = 4;

/// How much, how long and how often receivers are sent something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How many requests to one receiver are under way at a time (`calls_at_once`).
    pub calls_at_once: usize,
    /// How long one may take (`timeout_ms`).
    pub timeout: Duration,
    /// How long all that is sent to a receiver may fail before it is sent nothing more (`disable_after_s`).
    pub disable_after: Duration,
}

/// A webhook while it is registered.
pub struct Entry {
    webhook: RwLock<Arc<Webhook>>,
    health: Mutex<Health>,
    /// Which of several secrets its receiver took last, where there is room for one signature only; 0 is the newest.
    alone: AtomicUsize,
}

impl Entry {
    fn new(webhook: Webhook, health: Health) -> Arc<Entry> {
        let (webhook, health) = (RwLock::new(Arc::new(webhook)), Mutex::new(health));
        Arc::new(Entry { webhook, health, alone: AtomicUsize::new(0) })
    }

    /// As it is now.
    pub fn webhook(&self) -> Arc<Webhook> {
        self.webhook.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its receiver did not believe one of so many secrets: the next request has another.
    fn refused(&self, alone: usize, secrets: usize) {
        // Of several that were refused at once, the first counts.
        let next = |stored: usize| (stored % secrets == alone).then_some((alone + 1) % secrets);
        let _ = self.alone.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// Until when its receiver is left alone, where it is.
    pub fn paused_until_ms(&self) -> Option<UnixMs> {
        self.health().paused_until_ms(self.webhook().rate_limit_per_minute, now_ms())
    }
}

/// All webhooks.
pub struct Webhooks {
    queue: Queue,
    poster: Poster,
    vault: Vault,
    limits: Limits,
    entries: RwLock<HashMap<Arc<str>, Arc<Entry>>>,
    /// Those that cannot be read, and why.
    closed: RwLock<HashMap<Arc<str>, String>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

impl Webhooks {
    /// Takes up those that are registered. One whose secrets do not open waits until they do: its deliveries stay where they are.
    pub async fn open(queue: Queue, poster: Poster, vault: Vault, limits: Limits) -> anyhow::Result<Arc<Webhooks>> {
        let (records, tracks) = (queue.records(KIND).await?, queue.tracks().await?);
        let (mut entries, mut closed) = (HashMap::new(), HashMap::new());
        for (id, record) in records {
            match Webhook::from_record(&id, &record, &vault) {
                Ok(webhook) => {
                    let track = tracks.get(&*webhook.subscriber());
                    let health = Health::failing_since(track.and_then(|track| track.failing_since_ms));
                    entries.insert(id, Entry::new(webhook, health));
                }
                Err(why) => {
                    tracing::error!(webhook = %id, "the webhook {id} waits: {why}");
                    closed.insert(id, why.to_string());
                }
            }
        }
        let (entries, closed) = (RwLock::new(entries), RwLock::new(closed));
        let webhooks = Webhooks { queue, poster, vault, limits, entries, closed, changing: Default::default() };
        Ok(Arc::new(webhooks))
    }

    /// Begins to take deliveries. Whose subscriptions cannot be written down now, the queue writes down as soon as it can.
    pub async fn take_up(&self) {
        for entry in self.all() {
            let webhook = entry.webhook();
            if webhook.is_active {
                let (subscriber, patterns) = (webhook.subscriber(), webhook.patterns());
                let subscribed =
                    self.queue.subscribe(&subscriber, Some(patterns), None, self.limits.calls_at_once).await;
                if let Err(error) = subscribed {
                    tracing::warn!(webhook = %webhook.id, "the webhook {} is taken up later: {error}", webhook.id);
                }
            }
        }
    }

    /// All, the oldest first.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> = self.entries().values().cloned().collect();
        all.sort_by_key(|entry| {
            let webhook = entry.webhook();
            (webhook.created_at_ms, webhook.id.clone())
        });
        all
    }

    /// One by its id.
    pub fn get(&self, id: &str) -> Result<Arc<Entry>, NotChanged> {
        if let Some(why) = self.closed().get(id) {
            return Err(NotChanged::Conflict(format!("this webhook waits: {why}")));
        }
        self.entries().get(id).cloned().ok_or(NotChanged::Unknown)
    }

    /// How many cannot be read.
    pub fn unreadable(&self) -> usize {
        self.closed().len()
    }

    fn closed(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Arc<str>, String>> {
        self.closed.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Arc<str>, Arc<Entry>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry_of(&self, subscriber: &str) -> Option<Arc<Entry>> {
        self.entries().get(subscriber.strip_prefix(WEBHOOK)?).cloned()
    }

    /// Registers one. When this returns well, it is on disk, and gets whatever is accepted from then on.
    pub async fn create(&self, draft: Draft, who: &str) -> Result<Arc<Entry>, NotChanged> {
        let now = now_ms();
        let secret = match draft.secret {
            Some(text) => read_secret(text)?,
            None => signing::fresh_secret()?,
        };
        let webhook = Webhook {
            id: fresh_id()?,
            url: read_url(&draft.url)?,
            events: draft.events,
            sources: draft.sources.unwrap_or_else(|| vec![ANY.to_owned()]),
            description: draft.description,
            custom_headers: draft.custom_headers.unwrap_or_default(),
            rate_limit_per_minute: draft.rate_limit_per_minute,
            is_active: true,
            disabled_reason: None,
            signers: vec![Signer { secret, until_ms: None }],
            key_pair: draft.key_pair.unwrap_or_default().then(signing::fresh_key_pair).transpose()?,
            created_at_ms: now,
            updated_at_ms: now,
        };
        webhook.check()?;
        Webhook::check_description(webhook.description.as_deref())?;
        self.check_reach(&webhook.url).await?;
        let _one = self.changing.lock().await;
        if self.entries().len() >= WEBHOOKS {
            return Err(NotChanged::Conflict(format!("there are {WEBHOOKS} webhooks, which is the most there can be")));
        }
        let note = note(who, "webhook_made", &webhook, &[]);
        self.write(&webhook, Some(self.subscribing(&webhook)), None, Some(note)).await?;
        tracing::info!(webhook = %webhook.id, "the webhook {} is registered", webhook.id);
        let entry = Entry::new(webhook, Health::default());
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(entry.webhook().id.clone(), entry.clone());
        Ok(entry)
    }

    /// Changes one.
    pub async fn update(&self, id: &str, change: Change, who: &str) -> Result<Arc<Entry>, NotChanged> {
        let changed = change.fields();
        let url = change.url.as_deref().map(read_url).transpose()?;
        if let Some(url) = &url {
            self.check_reach(url).await?;
        }
        let _one = self.changing.lock().await;
        let entry = self.get(id)?;
        let mut webhook = (*entry.webhook()).clone();
        let was_active = webhook.is_active;
        webhook.url = url.unwrap_or(webhook.url);
        if let Some(text) = change.secret {
            webhook.signers = vec![Signer { secret: read_secret(text)?, until_ms: None }];
        }
        webhook.events = change.events.unwrap_or(webhook.events);
        webhook.sources = change.sources.unwrap_or(webhook.sources);
        Webhook::check_description(change.description.as_ref().and_then(Option::as_deref))?;
        webhook.description = change.description.unwrap_or(webhook.description);
        webhook.custom_headers = change.custom_headers.unwrap_or(webhook.custom_headers);
        webhook.rate_limit_per_minute = change.rate_limit_per_minute.unwrap_or(webhook.rate_limit_per_minute);
        webhook.is_active = change.is_active.unwrap_or(webhook.is_active);
        if webhook.is_active {
            webhook.disabled_reason = None;
        }
        webhook.updated_at_ms = now_ms();
        webhook.check()?;
        let subscribing = (webhook.is_active || was_active).then(|| self.subscribing(&webhook));
        let note = note(who, "webhook_changed", &webhook, &changed);
        self.write(&webhook, subscribing, None, Some(note)).await?;
        tracing::info!(webhook = %id, "the webhook {id} is changed");
        self.replace(&entry, webhook);
        // Together, so that what ended meanwhile does not hold it up unseen.
        let mut health = entry.health();
        health.begin_anew();
        self.queue.claim(&entry.webhook().subscriber(), self.limits.calls_at_once);
        drop(health);
        Ok(entry)
    }

    /// Takes one out. What waits for it is given up.
    pub async fn delete(&self, id: &str, who: &str) -> Result<(), NotChanged> {
        let _one = self.changing.lock().await;
        let webhook = self.get(id)?.webhook();
        let subscribing = Some(Subscribing::Ends { subscriber: webhook.subscriber() });
        let note = Some(note(who, "webhook_deleted", &webhook, &[]));
        let gone = Registration { kind: KIND, id: webhook.id.clone(), body: None, subscribing, event: None, note };
        self.queue.register(gone).await?;
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(())
    }

    /// Gives one a new secret, beside which the ones before sign for a while.
    pub async fn rotate(
        &self,
        id: &str,
        secret: Option<String>,
        grace: Duration,
        who: &str,
    ) -> Result<Arc<Entry>, NotChanged> {
        let secret = match secret {
            Some(text) => read_secret(text)?,
            None => signing::fresh_secret()?,
        };
        let _one = self.changing.lock().await;
        let entry = self.get(id)?;
        let (mut webhook, now) = ((*entry.webhook()).clone(), now_ms());
        let until = now + grace.as_millis() as UnixMs;
        let before = webhook.signers.into_iter().map(|signer| Signer {
            until_ms: Some(signer.until_ms.map_or(until, |sooner| sooner.min(until))),
            ..signer
        });
        let before = before.filter(|signer| signer.until_ms.is_some_and(|until| until > now));
        webhook.signers = [Signer { secret, until_ms: None }].into_iter().chain(before).collect();
        if webhook.signers.len() > SIGNERS {
            let told =
                format!("{SIGNERS} secrets sign already: wait until the grace of one is over, or take grace_s 0");
            return Err(NotChanged::Conflict(told));
        }
        webhook.updated_at_ms = now;
        let note = note(who, "webhook_rotated", &webhook, &["secret"]);
        self.write(&webhook, None, None, Some(note)).await?;
        self.replace(&entry, webhook);
        // Its receiver has the older one still.
        entry.alone.store(1, Ordering::Relaxed);
        Ok(entry)
    }

    /// Sends one nothing more, since its receiver is not there any more, and tells whoever subscribed to that.
    pub async fn disable(&self, subscriber: &str, why: &str) {
        let _one = self.changing.lock().await;
        let Some(entry) = self.entry_of(subscriber) else { return };
        let mut webhook = (*entry.webhook()).clone();
        // Of several that failed at once, the first says so.
        if !webhook.is_active {
            return;
        }
        (webhook.is_active, webhook.disabled_reason, webhook.updated_at_ms) = (false, Some(why.to_owned()), now_ms());
        let id = webhook.id.clone();
        tracing::error!(webhook = %id, "the webhook {id} is disabled: {why}");
        let told = disabled_event(&webhook, why);
        match self.write(&webhook, Some(self.subscribing(&webhook)), Some(told), None).await {
            Ok(()) => self.replace(&entry, webhook),
            // The next attempt that fails leads here again.
            Err(error) => tracing::warn!(webhook = %id, "it is not written down that {id} is disabled: {error}"),
        }
    }

    fn replace(&self, entry: &Entry, webhook: Webhook) {
        *entry.webhook.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(webhook);
    }

    async fn check_reach(&self, url: &url::Url) -> Result<(), NotChanged> {
        // A name may mean another address tomorrow: what counts is looked at with each connection.
        let denied = self.poster.check(url).await;
        denied.map_err(|denied| Wrong { field: "url", told: denied.why }.into())
    }

    fn subscribing(&self, webhook: &Webhook) -> Subscribing {
        let subscriber = webhook.subscriber();
        match webhook.is_active {
            true => Subscribing::Wants { subscriber, patterns: webhook.patterns(), slots: self.limits.calls_at_once },
            false => Subscribing::Waits { subscriber },
        }
    }

    async fn write(
        &self,
        webhook: &Webhook,
        subscribing: Option<Subscribing>,
        event: Option<NewEvent>,
        note: Option<Note>,
    ) -> Result<(), NotChanged> {
        let body = Some(webhook.to_record(&self.vault)?);
        let registration = Registration { kind: KIND, id: webhook.id.clone(), body, subscribing, event, note };
        Ok(self.queue.register(registration).await?)
    }

    /// Sends one a made-up event now, whether or not it is active, and gives what came of it. Nothing is kept.
    pub async fn test(&self, id: &str, event_type: &str, data: &Value) -> Result<Exchange, NotChanged> {
        let entry = self.get(id)?;
        let event = Event {
            id: EventId::next(
                EventId::first_at(0),
                now_ms(),
                u32::from_le_bytes(*random_bytes().map_err(anyhow::Error::msg)?),
            ),
            source: HOOKGATE.into(),
            provider: HOOKGATE.into(),
            event_type: event_type.into(),
            received_at_ms: now_ms(),
            received: None,
            attributes: Vec::new(),
            payload: Bytes::from(data.to_string()),
            trace: None,
        };
        let (id, body) = (event.id.to_string(), body::body(&event));
        let sent = Sent { event: &id, event_type, body: body.into(), trace: None };
        Ok(self.exchange(&entry, &entry.webhook(), sent).await)
    }
}

/// `whk_` and 16 characters.
fn fresh_id() -> anyhow::Result<Arc<str>> {
    Ok(format!("whk_{}", random_letters(16).map_err(anyhow::Error::msg)?).into())
}
