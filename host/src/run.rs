//! The gateway, put together and run until it is told to stop.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::admin::{Admin, SourceFace};
use crate::api::Api;
use crate::config::Config;
use crate::dispatch::Dispatch;
use crate::ingress::{Answer, Asking, Certificates, Fetching, Ingress, Means, Refused};
use crate::keys::Keys;
use crate::listen::{Bounds, Gate, Tls, serve};
use crate::outbound::{self, Fetcher, Outbound, Poster, SystemNames};
use crate::plugins::{Change, Plugins, Standing};
use crate::queue::Queue;
use crate::reload::{Reload, granting};
use crate::runtime::{EngineLimits, Runtime};
use crate::telemetry::{Flush, Telemetry};
use crate::webhooks::{Vault, Webhooks};
use crate::{clock, dispatch, ingress, queue};

/// What runs, for whoever started it.
#[derive(Debug, Clone)]
pub struct Running {
    /// Each source.
    pub sources: Vec<SourceFace>,
    /// Each plugin, as it stands at the start.
    pub plugins: Vec<Standing>,
    /// Where the API listens, beside the admin address.
    pub api: Option<SocketAddr>,
    /// What URLs of the hooks and of the API begin with: `http` or `https`.
    pub scheme: &'static str,
}

/// The most connections at a time to the admin address.
const ADMIN_CONNECTIONS: usize = 64;

/// The most to the API's own: each may hold a whole event.
const API_CONNECTIONS: usize = 500;

/// How long open requests to either may take to end.
const SHORT_DRAIN: Duration = Duration::from_secs(1);

/// How long a start waits for plugins at the most: code that was compiled before takes milliseconds, a slow compiler must not keep
/// senders out.
const LOADING: Duration = Duration::from_secs(30);

/// What is said where not all that was acknowledged may be on disk, before why.
const BROKEN: &str = "the gateway cannot keep its promises any more";

/// Runs the gateway on sockets that the caller brings, until the caller says stop.
///
/// `on_ready` is called once everything is loaded and requests are taken. Ends well after an orderly stop, and with an error
/// when something failed that nothing can be promised after.
pub async fn run(
    config: Config,
    hooks: TcpListener,
    admin: TcpListener,
    stop: CancellationToken,
    on_ready: impl FnOnce(&Running),
) -> anyhow::Result<()> {
    let tls = config.server.tls.clone().map(Tls::open).transpose().map_err(anyhow::Error::msg)?;
    let (queue, deliveries) = queue::open(&config.server.data_dir, &config.schedules, config.keep.clone())?;
    let runtime = Runtime::new(engine_limits(&config)).context("cannot start the WebAssembly engine")?;
    let mut registry = Registry::default();
    let api_listener = listen_for_api(&config).await?;
    let outbound = new_outbound(&config, [Some(&hooks), Some(&admin), api_listener.as_ref()], &mut registry)?;
    let (telemetry, flush) = tell(&config, &queue, &mut registry, &outbound, &runtime);
    let plugins = open_plugins(&config, &runtime, &outbound, &queue)?;
    let (came_in, went_out) = (ingress::Counters::new(&mut registry), dispatch::Counters::new(&mut registry));
    let api = open_api(&config, &queue, &outbound, telemetry.clone()).await?;
    let dispatch = new_dispatch(&config, &runtime, &plugins, &api, went_out);
    let (tell, mut changes) = mpsc::unbounded_channel();
    load_plugins(&config, &plugins, &tell, &stop).await?;
    // Who wants what is written down before the first request is taken.
    tokio::join!(dispatch.take_up(&mut changes), api.webhooks.take_up());
    let (base, bounds, drain) = (base(&config, &hooks)?, bounds(&config), config.server.drain);
    let (ingress_stop, [dispatch_stop, admin_stop]) = (stop.child_token(), [(); 2].map(|()| CancellationToken::new()));
    // On the guests' threads: what a delivery wakes is then the thread that calls, and reading plugins holds up no request.
    let watching = runtime.threads().spawn(plugins.clone().watch(tell.clone(), dispatch_stop.clone()));
    let means = means(&config, &api, asking(&dispatch, &runtime), &outbound, came_in.clone(), &runtime);
    let dispatching = dispatch.clone().run(deliveries, changes, dispatch_stop.clone(), drain);
    let mut dispatching = runtime.threads().spawn(dispatching);
    let (sources, refused, few) = (means.sources.clone(), means.refused.clone(), few(&bounds));
    let (gate, ingress) = (gate(tls, &means, &dispatch_stop), Ingress::new(means, &config.ingress));
    let taking = tokio::spawn(serve(hooks, ingress.router(), bounds.clone(), gate.clone(), ingress_stop.clone()));
    let shown = Admin {
        sources: sources.clone(),
        base,
        plugins: plugins.clone(),
        queue: queue.clone(),
        came_in: came_in.clone(),
        refused,
        dispatch,
        registry,
        api: api.clone(),
        token: config.server.admin_token.clone(),
        started: Instant::now(),
        stop: stop.clone(),
    };
    let running = running(&config, &shown, api_listener.as_ref());
    // What is published is taken for as long as webhooks are.
    let publishing = tokio::spawn(serve_api(api_listener, api, bounds, gate, ingress_stop.clone()));
    let showing = tokio::spawn(serve(admin, shown.router(), few, Gate::open(), admin_stop.clone()));
    let reload = Reload { config, sources, came_in, plugins, tell };
    let reloading = runtime.threads().spawn(watch(reload, dispatch_stop.clone()));
    on_ready(&running);

    if let Some(why) = first_end(&stop, &queue, &mut dispatching).await {
        // Nothing that goes on now can be written down.
        [ingress_stop, dispatch_stop, admin_stop].iter().for_each(CancellationToken::cancel);
        anyhow::bail!("{BROKEN}: {why}");
    }
    // In the order of the path: nothing new comes in, what runs ends, nobody looks any more, what is known is written down, and told.
    ingress_stop.cancel();
    let _ = tokio::join!(taking, publishing);
    dispatch_stop.cancel();
    tell_of_cut_off(dispatching.await.unwrap_or(0));
    admin_stop.cancel();
    let _ = tokio::join!(watching, reloading, showing);
    let closed = queue.close().await;
    flush.end_within(drain).await;
    closed.context(BROKEN)
}

/// Watches what others may change: the files of the config, and the clock.
async fn watch(reload: Reload, stop: CancellationToken) {
    tokio::join!(reload.watch(stop.clone()), clock::watch(stop));
}

/// Waits until it is to stop. Gives why nothing can be promised any more, where that is why.
async fn first_end(stop: &CancellationToken, queue: &Queue, dispatching: &mut JoinHandle<usize>) -> Option<String> {
    tokio::select! {
        () = stop.cancelled() => None,
        why = queue.failure() => Some(why),
        _ = dispatching => Some("what hands out deliveries ended".to_owned()),
    }
}

fn tell_of_cut_off(calls: usize) {
    if calls > 0 {
        tracing::warn!("{calls} calls did not end in time: they are tried again at the next start");
    }
}

/// Begins to load every plugin, and waits for them, but not for a slow compiler.
async fn load_plugins(
    config: &Config,
    plugins: &Arc<Plugins>,
    tell: &mpsc::UnboundedSender<Change>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let loads = plugins.scan(tell).await.with_context(|| unreadable_folder(config))?;
    tokio::select! {
        () = loads.ended() => {}
        () = stop.cancelled() => {}
        () = tokio::time::sleep(LOADING) => tracing::warn!(
            "some plugins are still being compiled after {} s: what was subscribed before waits for them, what comes in for others does not",
            LOADING.as_secs()
        ),
    }
    Ok(())
}

fn new_dispatch(
    config: &Config,
    runtime: &Arc<Runtime>,
    plugins: &Arc<Plugins>,
    api: &Api,
    counters: dispatch::Counters,
) -> Arc<Dispatch> {
    let (runtime, plugins, schedules) = (runtime.clone(), plugins.clone(), config.schedules.clone());
    let Api { queue, webhooks, telemetry, .. } = api.clone();
    let (lanes, breakers) = (dispatch::Lanes::default(), dispatch::Breakers::default());
    Arc::new(Dispatch { queue, runtime, plugins, webhooks, schedules, counters, telemetry, lanes, breakers })
}

/// Shows what the queue counts. Gives who is told of traces, and what has the last of them sent: nobody, where the config names none.
fn tell(
    config: &Config,
    queue: &Queue,
    registry: &mut Registry,
    outbound: &Outbound,
    runtime: &Runtime,
) -> (Telemetry, Flush) {
    queue.register_metrics(registry);
    let Some(settings) = &config.telemetry else { return (Telemetry::off(), Flush::nothing()) };
    let (telemetry, exporting) = Telemetry::new(settings, registry, || outbound.tls());
    (telemetry, exporting.start(runtime.threads()))
}

/// Has plugins answer senders, on threads of their own; a sender that waits no longer ends the call.
fn asking(dispatch: &Arc<Dispatch>, runtime: &Arc<Runtime>) -> Asking {
    let (dispatch, runtime) = (dispatch.clone(), runtime.clone());
    Arc::new(move |plugin, event| {
        let dispatch = dispatch.clone();
        let answering = async move { dispatch.respond(&plugin, &event).await };
        let answering = AbortOnDropHandle::new(runtime.answer_threads().spawn(answering));
        Box::pin(async move {
            let answer = answering.await.map_err(|_| "the host failed while it ran".to_owned())??;
            Ok(answer.map(|answer| Answer { status: answer.status, headers: answer.headers, body: answer.body }))
        })
    })
}

/// Gets what vendors serve to everyone.
fn fetching(outbound: &Outbound) -> Fetching {
    let fetcher = Arc::new(Fetcher::new(outbound));
    Arc::new(move |url| {
        let fetcher = fetcher.clone();
        Box::pin(async move { fetcher.get(&url).await })
    })
}

async fn open_api(config: &Config, queue: &Queue, outbound: &Outbound, telemetry: Telemetry) -> anyhow::Result<Api> {
    let outgoing = &config.outgoing;
    let vault = match &outgoing.key {
        Some(key) => Vault::new(key),
        None => Vault::in_folder(&config.server.data_dir)?,
    };
    let poster = Poster::new(outbound, outgoing.allow_private.clone());
    let webhooks = Webhooks::open(queue.clone(), poster, vault, outgoing.limits.clone()).await;
    let webhooks = webhooks.context("cannot read the webhooks")?;
    let keys = Keys::open(queue.clone()).await.context("cannot read the keys of the API")?;
    Ok(Api { keys, webhooks, queue: queue.clone(), telemetry, body_bytes: config.body_bytes })
}

async fn listen_for_api(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = config.outgoing.listen else { return Ok(None) };
    let fix = || format!("cannot listen on {address}: stop what does, or take another address ([outgoing] listen)");
    Ok(Some(TcpListener::bind(address).await.with_context(fix)?))
}

async fn serve_api(listener: Option<TcpListener>, api: Api, bounds: Bounds, gate: Gate, stop: CancellationToken) {
    if let Some(listener) = listener {
        let bounds = Bounds { connections: API_CONNECTIONS, drain: SHORT_DRAIN, ..bounds };
        serve(listener, api.router_alone(), bounds, gate, stop).await;
    }
}

fn new_outbound(
    config: &Config,
    own: [Option<&TcpListener>; 3],
    registry: &mut Registry,
) -> anyhow::Result<Arc<Outbound>> {
    let own = own.into_iter().flatten().map(TcpListener::local_addr).collect::<std::io::Result<_>>()?;
    let counters = outbound::Counters::new(registry);
    Ok(Outbound::new(config.roots.clone(), own, Arc::new(SystemNames), counters))
}

fn bounds(config: &Config) -> Bounds {
    let limits = &config.ingress;
    Bounds {
        connections: limits.connections,
        by_address: Some(limits.connections_by_address),
        header: limits.header,
        idle: limits.idle,
        handshake: limits.handshake,
        drain: config.server.drain,
    }
}

/// For operators: few, of any address.
fn few(bounds: &Bounds) -> Bounds {
    Bounds { connections: ADMIN_CONNECTIONS, by_address: None, drain: SHORT_DRAIN, ..bounds.clone() }
}

fn running(config: &Config, shown: &Admin, api: Option<&TcpListener>) -> Running {
    let (sources, plugins) = (shown.faces(), shown.plugins.standings());
    Running { sources, plugins, api: api.and_then(|api| api.local_addr().ok()), scheme: scheme(config) }
}

fn means(
    config: &Config,
    api: &Api,
    asking: Asking,
    outbound: &Outbound,
    counters: ingress::Counters,
    runtime: &Runtime,
) -> Means {
    Means {
        sources: Arc::new(RwLock::new(ingress::by_name(&config.sources))),
        queue: api.queue.clone(),
        asking,
        certificates: Certificates::new(fetching(outbound)),
        counters,
        telemetry: api.telemetry.clone(),
        refused: Refused::default(),
        proxies: Arc::new(config.server.proxies.clone()),
        traffic: runtime.traffic().clone(),
    }
}

/// How senders and applications come in. The certificate is looked at until the gateway stops.
fn gate(tls: Option<Arc<Tls>>, means: &Means, stop: &CancellationToken) -> Gate {
    if let Some(tls) = &tls {
        tokio::spawn(tls.clone().watch(stop.clone()));
    }
    let (counters, refused) = (means.counters.clone(), means.refused.clone());
    let told = move |closed, address| {
        counters.count_closed(closed);
        refused.note_connection(closed, address);
    };
    Gate { tls, proxies: means.proxies.clone(), told: Arc::new(told) }
}

/// What URLs begin with.
fn scheme(config: &Config) -> &'static str {
    if config.server.tls.is_some() { "https" } else { "http" }
}

fn engine_limits(config: &Config) -> EngineLimits {
    EngineLimits {
        memory_bytes: config.most_memory_bytes(),
        instances: config.instances,
        plugin_bytes: config.plugin_bytes,
        cache_folder: Some(config.server.data_dir.join("compiled")),
        compiler: config.compiler.clone(),
        compile: config.compile,
    }
}

fn open_plugins(
    config: &Config,
    runtime: &Arc<Runtime>,
    outbound: &Arc<Outbound>,
    queue: &Queue,
) -> anyhow::Result<Arc<Plugins>> {
    let folder = &config.server.plugins_dir;
    // Not where links lead now: they may lead elsewhere tomorrow.
    let folder = std::path::absolute(folder).with_context(|| unreadable_folder(config))?;
    let (runtime, outbound, memory) = (runtime.clone(), outbound.clone(), queue.memory());
    Ok(Plugins::new(folder, runtime, outbound, memory, granting(config), config.plugin_bytes))
}

fn unreadable_folder(config: &Config) -> String {
    let folder = config.server.plugins_dir.display();
    format!("cannot look into the plugins folder {folder}: make it, or name another (plugins_dir, --plugins)")
}

/// What stands in front of `/hooks/<source>`, as senders see it.
fn base(config: &Config, hooks: &TcpListener) -> anyhow::Result<String> {
    let bound = hooks.local_addr()?;
    let base = config.server.public_url.clone().unwrap_or_else(|| format!("{}://{bound}", scheme(config)));
    Ok(base.trim_end_matches('/').to_owned())
}
