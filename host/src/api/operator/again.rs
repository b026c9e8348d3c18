//! Having events delivered again, and letting go of what is dead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Uri};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::super::Api;
use super::super::faces::Error;
use super::super::guard::Who;
use super::super::noting::Noting;
use super::super::refusal::{Refusal, to_its_end};
use super::super::webhooks::query;
use super::asked::{Asked, DeadOnes, DeadQuery, MOST, PAGE, PLUGIN};
use super::described::Again;
use super::faces::{self, Dead, DeadFace, Dropped, PutBack};
use crate::event::{EventId, is_webhook, rfc3339};
use crate::queue::{Doing, Filter, Listed, Page, PuttingBack, Queue, Standing, Wanted, Went, Which};

/// Have events delivered again, by id or by filter
///
/// To a plugin that had an event, or that subscribes to it now; not to webhooks, which have a `redeliver` of their own.
/// Only so many at a time, the newest first, and the oldest of them first: `left` says which of them are still to be put back, `next` where
/// to go on. Of events that are named all is put back where `state` says nothing; of those that a filter means, what it means.
#[utoipa::path(post, path = "/api/v1/replay", tag = "events", request_body = Again,
    responses((status = 200, body = PutBack), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 404, body = Error), (status = 409, body = Error), (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error), (status = 503, body = Error)))]
pub(super) async fn replay(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<PutBack>, Refusal> {
    let asked = Asked::again(&headers, &body)?;
    if asked.is_anything() {
        return Err(Refusal::Wrong(
            "say which events: events, or source, type, state, plugin, since, until, text".into(),
        ));
    }
    let said = spoken(&body);
    let replaying = async move { put_back(&api.queue, who, asked, said).await };
    to_its_end(replaying).await.map(Json)
}

/// How fast events are put back, whatever was asked, and how many of them at the most in one commit.
const A_SECOND: u32 = 2_500;
const AT_ONCE: u32 = 10;

/// How often something is put back where that is enough: a few often keep what comes in waiting for less than many now and then.
const TIMES_A_SECOND: u32 = 50;

/// How long what comes in has for itself after each commit, at the least.
const BETWEEN: Duration = Duration::from_millis(1);

/// How events are spread over the time that they are put back in.
#[derive(Clone, Copy)]
struct Spread {
    /// How many at once,
    at_once: usize,
    /// and how long that is to take.
    each: Duration,
}

impl Spread {
    /// Over so many plugins: each of them is work of its own.
    fn of(rate: Option<u32>, plugins: usize) -> Spread {
        let rate = rate.map_or(A_SECOND, |rate| rate.min(A_SECOND));
        let most = (AT_ONCE / u32::try_from(plugins).unwrap_or(u32::MAX).max(1)).max(1);
        let at_once = (rate / TIMES_A_SECOND).clamp(1, most);
        Spread { at_once: at_once as usize, each: Duration::from_secs(1) * at_once / rate }
    }
}

/// How long one request goes on: however many plugins there are, whoever asked still listens.
const LONGEST: Duration = Duration::from_secs(10);

async fn put_back(queue: &Queue, who: String, asked: Asked, said: Value) -> Result<PutBack, Refusal> {
    let plugins = plugins(queue, &asked).await?;
    // What is only found may be dropped.
    if let Some(plugin) = asked.plugin.as_ref().filter(|_| !asked.find)
        && queue.is_forgotten(plugin).await?
    {
        let told = format!(
            "{plugin} was gone for long, and its subscriptions have ended: put its file back, or wait until what waited for it is given up"
        );
        return Err(Refusal::Conflict(told));
    }
    let spread = Spread::of(asked.rate()?, plugins.len());
    let Meant { events, unknown, next } = meant(queue, &asked, &plugins).await?;
    let (matched, next) = (events.len(), next.map(|id| id.to_string()));
    if asked.find {
        return Ok(PutBack { matched, put_back: Map::new(), next, left: texts(&events), why: None, unknown });
    }
    let which = match asked.state {
        Some(faces::State::Dead) => Which::Dead,
        Some(faces::State::Unrouted) => Which::Missing,
        Some(faces::State::Pending) => Which::Waiting,
        None | Some(faces::State::Done | faces::State::LetGo) => Which::All,
    };
    let doing = if asked.dry_run { Doing::OnTrial } else { Doing::ForReal };
    let what = json!({ "action": "replay", "asked": said, "matched": matched });
    let noting = match doing {
        Doing::ForReal => Some(Noting::begin(queue, who, what).await?),
        Doing::OnTrial => None,
    };
    let Progress { put_back, left, why } =
        put_all_back(queue, &plugins, events, (which, doing), (spread, LONGEST)).await?;
    if let Some(noting) = noting {
        noting.end("put_back", put_back.clone()).await?;
    }
    Ok(PutBack { matched, put_back, next, left: texts(&left), why, unknown })
}

fn texts(events: &[EventId]) -> Vec<String> {
    events.iter().map(EventId::to_string).collect()
}

/// How far it came.
struct Progress {
    put_back: Map<String, Value>,
    left: Vec<EventId>,
    why: Option<String>,
}

/// Puts events back in their order, so fast and for so long: what is ordered by a key is delivered in that order.
async fn put_all_back(
    queue: &Queue,
    plugins: &[Arc<str>],
    mut events: Vec<EventId>,
    (which, doing): (Which, Doing),
    (spread, longest): (Spread, Duration),
) -> Result<Progress, Refusal> {
    let (begun, mut done, mut why) = (Instant::now(), 0, None);
    let mut put_back: BTreeMap<String, usize> = BTreeMap::new();
    // A few at a time, each in a commit of its own: what comes in meanwhile waits for no more than that, and for what runs then.
    for some in events.chunks(spread.at_once) {
        let (at, subscribers) = (Instant::now(), plugins.to_vec());
        let counts = match queue.put_back(PuttingBack { subscribers, events: some.to_vec(), which, doing }).await {
            Ok(counts) => counts,
            Err(error) if done == 0 => return Err(Refusal::NotWritten(error)),
            Err(error) => {
                why = Some(error.to_string());
                break;
            }
        };
        done += some.len();
        let is_any = counts.iter().any(|count| *count > 0);
        for (plugin, count) in plugins.iter().zip(counts).filter(|(_, count)| *count > 0) {
            *put_back.entry(plugin.to_string()).or_default() += count;
        }
        if begun.elapsed() > longest {
            break;
        }
        if is_any && doing == Doing::ForReal {
            tokio::time::sleep(spread.each.saturating_sub(at.elapsed()).max(BETWEEN)).await;
        }
    }
    let put_back = put_back.into_iter().map(|(plugin, count)| (plugin, count.into())).collect();
    Ok(Progress { put_back, left: events.split_off(done), why })
}

/// What was asked, for the audit log: long lists of ids by how many they are, and the oldest and the newest of them.
fn spoken(body: &[u8]) -> Value {
    let mut said: Value = serde_json::from_slice(body).unwrap_or_default();
    let ids = said["events"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let (many, oldest, newest) = (ids.clone().count(), ids.clone().min(), ids.max());
    if many > NAMED {
        said["events"] = json!({ "many": many, "from": oldest, "to": newest });
    }
    said
}

/// How many ids are noted one by one.
const NAMED: usize = 20;

/// The plugins that may get something: the one that is named, or all that subscribe to anything.
async fn plugins(queue: &Queue, asked: &Asked) -> Result<Vec<Arc<str>>, Refusal> {
    // Those that are gone for good, too: what was given up on them can still be looked at and dropped.
    let mut plugins = queue.everyone().await?;
    plugins.retain(|name| !is_webhook(name) && asked.plugin.as_ref().is_none_or(|plugin| **plugin == **name));
    if asked.plugin.is_some() && plugins.is_empty() {
        return Err(Refusal::Unknown(PLUGIN));
    }
    // Whatever the order was in which they came.
    plugins.sort();
    Ok(plugins)
}

/// The events that are meant.
struct Meant {
    /// The oldest first.
    events: Vec<EventId>,
    /// Those that were named and that there are none of, or whose payload is not kept any more.
    unknown: Vec<String>,
    /// Where to go on.
    next: Option<EventId>,
}

async fn meant(queue: &Queue, asked: &Asked, plugins: &[Arc<str>]) -> Result<Meant, Refusal> {
    if let Some(mut events) = asked.named()? {
        events.sort_unstable();
        events.dedup();
        let unknown = queue.unknown(events.clone()).await?;
        events.retain(|event| unknown.binary_search(event).is_err());
        return Ok(Meant { events, unknown: texts(&unknown), next: None });
    }
    let wanted = asked.wanted(MOST)?;
    let (mut events, next) = match asked.state {
        Some(faces::State::Dead) => {
            let Page { events, next } = dead_of(queue, &wanted, plugins).await?;
            (events.iter().map(|event| event.id).collect(), next)
        }
        // Who never had an event, or may have had it in any way, gets it all the same.
        None | Some(faces::State::Unrouted | faces::State::LetGo) => {
            queue.ids(Wanted { went: asked.state.map(Into::into), ..wanted }).await?
        }
        Some(state) => {
            queue.ids(Wanted { went: Some(state.into()), subscriber: asked.plugin.clone(), ..wanted }).await?
        }
    };
    events.reverse();
    Ok(Meant { events, unknown: Vec::new(), next })
}

/// The events of which any of these plugins has a dead delivery, the newest first.
async fn dead_of(queue: &Queue, wanted: &Wanted, plugins: &[Arc<str>]) -> Result<Page, Refusal> {
    let (mut found, mut next): (BTreeMap<EventId, Listed>, Option<EventId>) = (BTreeMap::new(), None);
    for plugin in plugins {
        let subscriber = Some(plugin.to_string());
        let page = queue.events(Wanted { went: Some(Went::Dead), subscriber, ..wanted.clone() }).await?;
        // All were looked at together only as far as the one that got least far.
        next = next.max(page.next);
        found.extend(page.events.into_iter().map(|event| (event.id, event)));
    }
    let mut events: Vec<Listed> =
        found.into_values().rev().filter(|event| next.is_none_or(|next| event.id >= next)).collect();
    if events.len() > wanted.limit {
        events.truncate(wanted.limit);
        next = events.last().map(|event| event.id);
    }
    Ok(Page { events, next })
}

/// Dead deliveries of plugins, those of the newest events first
#[utoipa::path(get, path = "/api/v1/dead", tag = "dead", params(DeadQuery),
    responses((status = 200, body = Dead), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 404, body = Error), (status = 422, body = Error)))]
pub(super) async fn dead(State(api): State<Api>, uri: Uri) -> Result<Json<Dead>, Refusal> {
    let asked = Asked::from(query::<DeadQuery>(&uri)?);
    let plugins = plugins(&api.queue, &asked).await?;
    let page = dead_of(&api.queue, &asked.wanted(PAGE)?, &plugins).await?;
    let mut dead = Vec::new();
    for event in &page.events {
        for stand in &event.deliveries {
            let is_meant = plugins.iter().any(|plugin| **plugin == *stand.subscriber);
            if is_meant && stand.standing == Some(Standing::Dead) {
                dead.push(tell(&api.queue, event, &stand.subscriber).await?);
            }
        }
    }
    Ok(Json(Dead { dead, next: page.next.map(|id| id.to_string()) }))
}

async fn tell(queue: &Queue, event: &Listed, plugin: &str) -> Result<DeadFace, Refusal> {
    // The newest before the one behind it is itself.
    let before = Some(EventId::from_i64(event.id.to_i64() + 1));
    let filter = Filter { standing: None, event_type: None, before, since_ms: None, until_ms: None, limit: 1 };
    let looked = queue.deliveries(plugin, filter).await?.into_iter().find(|looked| looked.event == event.id);
    let attempts = looked.as_ref().map(|looked| looked.attempts).unwrap_or_default();
    let last = looked.and_then(|looked| looked.history.into_iter().next_back());
    Ok(DeadFace {
        event: event.id.to_string(),
        received_at: rfc3339(event.received_at_ms),
        source: event.source.clone(),
        event_type: event.event_type.clone(),
        plugin: plugin.to_owned(),
        attempts,
        outcome: last.as_ref().map(|tried| tried.outcome.to_owned()),
        why: last.and_then(|tried| tried.why),
    })
}

/// Try dead deliveries again, by the events' ids or by filter
///
/// `{}` means all of them. Only those of so many events at a time: `next` says where to go on.
#[utoipa::path(post, path = "/api/v1/dead/retry", tag = "dead", request_body = DeadOnes,
    responses((status = 200, body = PutBack), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 404, body = Error), (status = 409, body = Error), (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error), (status = 503, body = Error)))]
pub(super) async fn retry(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<PutBack>, Refusal> {
    let asked = Asked::dead(&headers, &body)?;
    let said = spoken(&body);
    let retrying = async move { put_back(&api.queue, who, asked, json!({ "dead": said })).await };
    to_its_end(retrying).await.map(Json)
}

/// Let go of dead deliveries, by the events' ids or by filter
///
/// Nothing is left of them but their attempts. `{}` means all of them. Only those of so many events at a time: `next` says where to go on.
#[utoipa::path(post, path = "/api/v1/dead/drop", tag = "dead", request_body = DeadOnes,
    responses((status = 200, body = Dropped), (status = 400, body = Error), (status = 401, body = Error), (status = 403, body = Error),
        (status = 404, body = Error), (status = 413, body = Error), (status = 415, body = Error), (status = 422, body = Error), (status = 503, body = Error)))]
pub(super) async fn drop_dead(
    State(api): State<Api>,
    Extension(Who(who)): Extension<Who>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Dropped>, Refusal> {
    let asked = Asked::dead(&headers, &body)?;
    let said = spoken(&body);
    let dropping = async move {
        let plugins = plugins(&api.queue, &asked).await?;
        let Meant { events, unknown, next } = meant(&api.queue, &asked, &plugins).await?;
        let matched = events.len();
        let what = json!({ "action": "drop", "asked": said, "matched": matched });
        let (noting, mut dropped) = (Noting::begin(&api.queue, who, what).await?, Map::new());
        for plugin in plugins {
            let count = api.queue.drop_dead(&plugin, events.clone()).await.map_err(Refusal::NotWritten)?;
            dropped.extend((count > 0).then(|| (plugin.to_string(), count.into())));
        }
        noting.end("dropped", dropped.clone()).await?;
        Ok::<_, Refusal>(Dropped { matched, dropped, next: next.map(|id| id.to_string()), unknown })
    };
    to_its_end(dropping).await.map(Json)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::event::NewEvent;
    use crate::queue::{Keep, open};
    use crate::schedule::{Schedule, Schedules};

    fn event() -> NewEvent {
        NewEvent {
            source: "s".into(),
            provider: "s".into(),
            event_type: "t".into(),
            received_at_ms: crate::event::now_ms(),
            received: Instant::now(),
            attributes: Vec::new(),
            payload: Bytes::from_static(b"{}"),
            headers: None,
            repeat_key: None,
            trace: None,
        }
    }

    fn keep(open_deliveries: u64) -> Keep {
        let day = Duration::from_secs(86_400);
        Keep { events: day, bytes: None, open_deliveries, data_bytes: None, repeat_keys: day, subscriptions: day }
    }

    /// A queue with so many events that came before two plugins did.
    async fn with_events(folder: &std::path::Path, many: usize, keep: Keep) -> (Queue, Vec<EventId>) {
        let schedules = Schedules { plugins: Schedule(Vec::new()), webhooks: Schedule(Vec::new()) };
        let (queue, _) = open(folder, &schedules, keep).unwrap();
        let accepted = queue.accept((0..many).map(|_| event()).collect()).await.unwrap();
        for plugin in ["a", "b"] {
            queue.subscribe(plugin, Some(vec!["*".parse().unwrap()]), None, 0).await.unwrap();
        }
        (queue, accepted.iter().map(|receipt| receipt.id).collect())
    }

    #[test]
    fn what_is_put_back_slowly_is_spread_over_the_time() {
        let spread = |rate, plugins| {
            let Spread { at_once, each } = Spread::of(rate, plugins);
            (at_once, each.as_micros())
        };
        for (rate, spread_so) in [
            (Some(1), (1, 1_000_000)),
            (Some(30), (1, 33_333)),
            (Some(200), (4, 20_000)),
            (Some(2_000), (10, 5_000)),
            (Some(100_000), (10, 4_000)),
            (None, (10, 4_000)),
        ] {
            assert_eq!(spread(rate, 1), spread_so, "{rate:?}");
        }
        assert_eq!((spread(None, 3), spread(None, 64)), ((3, 1_200), (1, 400)), "as much work, and as fast");
    }

    #[tokio::test]
    async fn what_takes_long_ends_early_and_says_what_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, events) = with_events(folder.path(), 25, keep(1000)).await;
        let (plugins, how) = (["a".into(), "b".into()], (Which::All, Doing::ForReal));
        let Progress { put_back, left, why } =
            put_all_back(&queue, &plugins, events.clone(), how, (Spread::of(None, 2), Duration::ZERO)).await.unwrap();
        assert_eq!((json!(put_back), left.as_slice(), why), (json!({ "a": 5, "b": 5 }), &events[5..], None));
        let rest = put_all_back(&queue, &plugins, left, how, (Spread::of(None, 2), LONGEST)).await.unwrap();
        assert_eq!((json!(rest.put_back), rest.left), (json!({ "a": 20, "b": 20 }), Vec::new()));
        queue.close().await.unwrap();
    }

    #[tokio::test]
    async fn an_event_whose_payload_is_not_kept_any_more_is_told_as_one_that_there_is_none_of() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, events) = with_events(folder.path(), 1, Keep { bytes: Some(1), ..keep(1000) }).await;
        let let_go = || Wanted { went: Some(Went::LetGo), limit: 1, ..Wanted::default() };
        let begun = Instant::now();
        while queue.events(let_go()).await.unwrap().events.is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is not let go of");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let asked = Asked { events: Some(texts(&events)), ..Asked::default() };
        let told = put_back(&queue, "somebody".into(), asked, json!({})).await.unwrap();
        assert_eq!((told.matched, json!(told.put_back), told.unknown), (0, json!({}), texts(&events)));
        queue.close().await.unwrap();
    }

    #[tokio::test]
    async fn to_who_was_let_go_of_nothing_is_put_back_and_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, events) = with_events(folder.path(), 1, Keep { subscriptions: Duration::ZERO, ..keep(1000) }).await;
        let asked = || Asked { events: Some(texts(&events)), plugin: Some("a".into()), ..Asked::default() };
        let put_back = || put_back(&queue, "somebody".into(), asked(), json!({}));
        assert_eq!(json!(put_back().await.unwrap().put_back), json!({ "a": 1 }));
        queue.gone("a");
        let begun = Instant::now();
        while !queue.is_forgotten("a").await.unwrap() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is not let go of");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(matches!(put_back().await, Err(Refusal::Conflict(told)) if told.contains("put its file back")));
        let found = super::put_back(&queue, "somebody".into(), Asked { find: true, ..asked() }, json!({})).await;
        assert_eq!(found.unwrap().left, texts(&events), "what is dead of it can be found and dropped");
        assert!(!queue.is_forgotten("b").await.unwrap());
        queue.close().await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_put_back_that_would_take_the_room_of_what_comes_in() {
        let folder = tempfile::tempdir().unwrap();
        let (queue, events) = with_events(folder.path(), 25, keep(50)).await;
        let (plugins, how) = (["a".into(), "b".into()], (Which::All, Doing::ForReal));
        let first = put_all_back(&queue, &plugins, events.clone(), how, (Spread::of(None, 2), LONGEST)).await.unwrap();
        // 45 are nine tenths, and of an event both get it or none.
        assert_eq!((json!(first.put_back), first.left.as_slice()), (json!({ "a": 20, "b": 20 }), &events[20..]));
        assert!(first.why.is_some_and(|why| why.contains("the last tenth of open_deliveries")));
        let again = put_all_back(&queue, &plugins, first.left.clone(), how, (Spread::of(None, 2), LONGEST)).await;
        assert!(matches!(again, Err(Refusal::NotWritten(_))));
        let trial =
            put_all_back(&queue, &plugins, first.left, (Which::All, Doing::OnTrial), (Spread::of(None, 2), LONGEST))
                .await
                .unwrap();
        assert_eq!(json!(trial.put_back), json!({ "a": 5, "b": 5 }), "what is only tried takes no room");
        assert!(queue.accept(vec![event()]).await.is_ok(), "there is room for what comes in");
        queue.close().await.unwrap();
    }
}
