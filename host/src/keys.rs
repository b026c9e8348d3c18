//! The keys of the API: who may publish events and register webhooks, and who may look and operate. Kept as hashes; shown once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::event::{UnixMs, now_ms};
use crate::queue::{AcceptError, Note, Queue, Registration};
use crate::secret::{Secret, random_letters};

/// What a key is in the queue's records.
const KIND: &str = "key";

/// What each begins with, so that it is known for what it is where it does not belong.
const PREFIX: &str = "hgk_";

/// The most keys there may be.
const KEYS: usize = 1000;

/// How long a key lives that a command makes for itself.
const BRIEF: Duration = Duration::from_secs(60);

/// Keys hold 160 random bits, so their plain SHA-256 tells nothing of them.
type Hash = [u8; 32];

/// What a key is good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The applications' API: events published, webhooks registered.
    #[default]
    Publish,
    /// All that the operator's API shows, payloads included, and nothing that changes anything.
    Read,
    /// All of both.
    Operate,
}

impl Role {
    /// Whether it is enough where another is asked for.
    pub fn covers(self, needed: Role) -> bool {
        self == Role::Operate || self == needed
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Publish => "publish",
            Role::Read => "read",
            Role::Operate => "operate",
        }
    }
}

/// A key as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    /// `key_` and 8 characters.
    #[serde(skip)]
    pub id: Arc<str>,
    /// In its maker's words.
    pub name: String,
    /// When it was made.
    pub created_at_ms: UnixMs,
    /// What it is good for. Keys from before there were roles are those of applications.
    #[serde(default)]
    pub role: Role,
    hash: String,
}

/// All keys.
pub struct Keys {
    queue: Queue,
    kept: RwLock<HashMap<Hash, Key>>,
    /// Those that are not kept.
    brief: Mutex<Vec<Brief>>,
}

/// A key that is not kept.
struct Brief {
    hash: Hash,
    /// Until when it is good.
    until: Instant,
    /// Who had it made: what is done with it is theirs.
    who: String,
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// There are enough.
    #[error("there are {KEYS} keys, which is the most there can be: revoke one")]
    TooMany,
    /// Its name is wrong.
    #[error("name: must have 1 to 100 characters, none of them a control character")]
    Name,
    /// It is not on disk.
    #[error(transparent)]
    NotWritten(#[from] AcceptError),
    /// Something of ours failed.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}

impl Keys {
    /// Takes up those that were made.
    pub async fn open(queue: Queue) -> anyhow::Result<Arc<Keys>> {
        let mut kept = HashMap::new();
        for (id, record) in queue.records(KIND).await? {
            let mut key: Key = serde_json::from_slice(&record).with_context(|| format!("the key {id} is damaged"))?;
            key.id = id;
            let hash = hex::decode(&key.hash).ok().and_then(|hash| hash.try_into().ok());
            kept.insert(hash.with_context(|| format!("the key {} is damaged", key.id))?, key);
        }
        Ok(Arc::new(Keys { queue, kept: RwLock::new(kept), brief: Mutex::default() }))
    }

    /// All that are kept, the oldest first.
    pub fn all(&self) -> Vec<Key> {
        let mut all: Vec<Key> = self.kept().values().cloned().collect();
        all.sort_by_key(|key| (key.created_at_ms, key.id.clone()));
        all
    }

    fn kept(&self) -> std::sync::RwLockReadGuard<'_, HashMap<Hash, Key>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks what is to be a key's name.
    pub fn check_name(name: &str) -> Result<(), NotMade> {
        let is_name = (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        if is_name { Ok(()) } else { Err(NotMade::Name) }
    }

    /// Makes one. It is never seen again.
    pub async fn make(&self, name: &str, role: Role, who: &str) -> Result<(Key, Secret), NotMade> {
        Keys::check_name(name)?;
        if self.kept().len() >= KEYS {
            return Err(NotMade::TooMany);
        }
        let (secret, id) = (fresh()?, fresh_id()?);
        let hash = hash(secret.expose());
        let key = Key { id, name: name.to_owned(), created_at_ms: now_ms(), role, hash: hex::encode(hash) };
        let body = serde_json::to_vec(&key).map_err(anyhow::Error::from)?;
        self.write(&key, Some(body), who).await?;
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(hash, key.clone());
        Ok((key, secret))
    }

    /// Makes one that is good for a minute, for a command of the operator's that asks what applications ask.
    pub fn make_brief(&self, who: &str) -> Result<Secret, NotMade> {
        let (secret, now) = (fresh()?, Instant::now());
        let mut brief = self.brief.lock().unwrap_or_else(PoisonError::into_inner);
        brief.retain(|key| key.until > now);
        if brief.len() >= KEYS {
            return Err(NotMade::TooMany);
        }
        brief.push(Brief { hash: hash(secret.expose()), until: now + BRIEF, who: who.to_owned() });
        Ok(secret)
    }

    /// Ends one, by its id, or all of a name. Gives those that were.
    pub async fn revoke(&self, which: &str, who: &str) -> Result<Vec<Key>, AcceptError> {
        let meant: Vec<Key> = self.all().into_iter().filter(|key| *key.id == *which || key.name == which).collect();
        for key in &meant {
            self.write(key, None, who).await?;
            self.kept.write().unwrap_or_else(PoisonError::into_inner).retain(|_, kept| kept.id != key.id);
        }
        Ok(meant)
    }

    async fn write(&self, key: &Key, body: Option<Vec<u8>>, who: &str) -> Result<(), AcceptError> {
        let action = if body.is_some() { "key_made" } else { "key_revoked" };
        let what = json!({ "action": action, "key": &*key.id, "name": key.name, "role": key.role });
        let (id, note) = (key.id.clone(), Some(Note::new(who, &what)));
        self.queue.register(Registration { kind: KIND, id, body, subscribing: None, event: None, note }).await
    }

    /// What a text that somebody shows is good for, and who that is; nothing, where it is no key.
    pub fn know(&self, shown: &[u8]) -> Option<(Role, String)> {
        // What is looked up is a hash, which tells nobody how near a guess was.
        let hash = hash(shown);
        if let Some(key) = self.kept().get(&hash) {
            return Some((key.role, format!("{} ({})", key.name, key.id)));
        }
        let now = Instant::now();
        let brief = self.brief.lock().unwrap_or_else(PoisonError::into_inner);
        let known = brief.iter().find(|key| key.hash == hash && key.until > now)?;
        Some((Role::Publish, known.who.clone()))
    }
}

fn hash(key: &[u8]) -> Hash {
    Sha256::digest(key).into()
}

fn fresh() -> anyhow::Result<Secret> {
    Ok(Secret::new(format!("{PREFIX}{}", random_letters(32).map_err(anyhow::Error::msg)?)))
}

fn fresh_id() -> anyhow::Result<Arc<str>> {
    Ok(format!("key_{}", random_letters(8).map_err(anyhow::Error::msg)?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_covers_itself_and_operate_covers_all() {
        let all = [Role::Publish, Role::Read, Role::Operate];
        let covered = |role: Role| all.map(|needed| role.covers(needed));
        assert_eq!(covered(Role::Publish), [true, false, false]);
        assert_eq!(covered(Role::Read), [false, true, false]);
        assert_eq!(covered(Role::Operate), [true, true, true]);
    }

    #[test]
    fn a_record_from_before_there_were_roles_is_an_applications() {
        let key: Key = serde_json::from_str(r#"{"name":"shop","created_at_ms":1,"hash":"00"}"#).unwrap();
        assert_eq!(key.role, Role::Publish);
    }
}
