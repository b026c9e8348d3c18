//! The gateway, put together and run until it is told to stop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::response::IntoResponse;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::admin::{Admin, SourceFace};
use crate::config::Config;
use crate::dispatch::Dispatch;
use crate::ingress::{Asking, Ingress};
use crate::listen::{Bounds, serve};
use crate::outbound::{self, Outbound, SystemNames};
use crate::plugins::{Change, Plugins, Standing};
use crate::provider::Source;
use crate::queue::Queue;
use crate::reload::{Reload, granting};
use crate::runtime::{EngineLimits, Runtime};
use crate::{dispatch, ingress, queue};

/// What runs, for whoever started it.
#[derive(Debug, Clone)]
pub struct Running {
    /// Each source.
    pub sources: Vec<SourceFace>,
    /// Each plugin, as it stands at the start.
    pub plugins: Vec<Standing>,
}

/// How long a start waits for plugins at the most: code that was compiled before takes milliseconds, a slow compiler must not keep
/// senders out.
const LOADING: Duration = Duration::from_secs(30);

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
    let started = Instant::now();
    let (queue, deliveries) = queue::open(&config.server.data_dir, config.schedule.clone(), config.keep.clone())?;
    let runtime = Runtime::new(engine_limits(&config)).context("cannot start the WebAssembly engine")?;
    let mut registry = Registry::default();
    let outbound = new_outbound(&config, &hooks, &admin, &mut registry)?;
    let plugins = open_plugins(&config, &runtime, &outbound, &queue)?;
    let (came_in, went_out) = (ingress::Counters::new(&mut registry), dispatch::Counters::new(&mut registry));
    let dispatch = new_dispatch(&config, &queue, &runtime, &plugins, went_out.clone());
    let (tell, mut changes) = mpsc::unbounded_channel();
    load_plugins(&config, &plugins, &tell, &stop).await?;
    // Who wants what is written down before the first request is taken.
    dispatch.apply(std::iter::from_fn(|| changes.try_recv().ok())).await;
    dispatch.miss_the_gone().await;
    let show = faces(&hooks)?;
    let faces = show(&config);
    let (ingress_stop, dispatch_stop) = (stop.child_token(), CancellationToken::new());
    // On the guests' threads: what a delivery wakes is then the thread that calls, and reading plugins holds up no request.
    let watching = runtime.threads().spawn(plugins.clone().watch(tell.clone(), dispatch_stop.clone()));
    let asking = asking(&dispatch, &runtime);
    let mut dispatching =
        runtime.threads().spawn(dispatch.run(deliveries, changes, dispatch_stop.clone(), config.server.drain));
    let bounds = bounds(&config);
    let sources = Arc::new(std::sync::RwLock::new(ingress::by_name(&config.sources)));
    let shown_sources = Arc::new(std::sync::RwLock::new(faces.clone()));
    let ingress = Ingress::new(sources.clone(), queue.clone(), asking, &config.ingress, came_in.clone());
    let reload = Reload {
        config: config.clone(),
        sources,
        faces: shown_sources.clone(),
        show: Box::new(show),
        plugins: plugins.clone(),
        tell,
    };
    let reloading = runtime.threads().spawn(reload.watch(dispatch_stop.clone()));
    let taking = tokio::spawn(serve(hooks, ingress.router(), bounds.clone(), ingress_stop.clone()));
    let (token, standing) = (config.server.admin_token.clone(), plugins.clone());
    let stop_too = stop.clone();
    let shown = Admin {
        sources: shown_sources,
        plugins: standing,
        queue: queue.clone(),
        came_in,
        went_out,
        registry,
        token,
        started,
        stop: stop_too,
    };
    let admin_bounds = Bounds { connections: 64, drain: Duration::from_secs(1), ..bounds };
    let showing = tokio::spawn(serve(admin, shown.router(), admin_bounds, dispatch_stop.clone()));
    on_ready(&Running { sources: faces, plugins: plugins.standings() });

    let failed = tokio::select! {
        () = stop.cancelled() => None,
        why = queue.failure() => Some(why),
        _ = &mut dispatching => Some("what hands out deliveries ended".to_owned()),
    };
    if let Some(why) = failed {
        // Nothing that goes on now can be written down.
        ingress_stop.cancel();
        dispatch_stop.cancel();
        anyhow::bail!("the gateway cannot keep its promises any more: {why}");
    }
    // In the order of the path: nothing new comes in, what runs ends, what is known is written down.
    ingress_stop.cancel();
    let _ = taking.await;
    dispatch_stop.cancel();
    let cut_off = dispatching.await.unwrap_or(0);
    if cut_off > 0 {
        tracing::warn!("{cut_off} calls did not end in time: they are tried again at the next start");
    }
    let _ = tokio::join!(watching, reloading, showing);
    queue.close().await;
    Ok(())
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
    queue: &Queue,
    runtime: &Arc<Runtime>,
    plugins: &Arc<Plugins>,
    counters: dispatch::Counters,
) -> Arc<Dispatch> {
    let (queue, runtime, plugins, schedule) =
        (queue.clone(), runtime.clone(), plugins.clone(), config.schedule.clone());
    Arc::new(Dispatch { queue, runtime, plugins, schedule, counters, turns: dispatch::Turns::default() })
}

/// Has plugins answer senders, on the guests' threads; a sender that waits no longer ends the call.
fn asking(dispatch: &Arc<Dispatch>, runtime: &Arc<Runtime>) -> Asking {
    let (dispatch, runtime) = (dispatch.clone(), runtime.clone());
    Arc::new(move |plugin, event| {
        let dispatch = dispatch.clone();
        let answering = async move { dispatch.respond(&plugin, &event).await };
        let answering = AbortOnDropHandle::new(runtime.threads().spawn(answering));
        Box::pin(async move {
            let answer = answering.await.map_err(|_| "the host failed while it ran".to_owned())??;
            Ok((answer.status, answer.headers, answer.body).into_response())
        })
    })
}

fn new_outbound(
    config: &Config,
    hooks: &TcpListener,
    admin: &TcpListener,
    registry: &mut Registry,
) -> anyhow::Result<Arc<Outbound>> {
    let own = vec![hooks.local_addr()?, admin.local_addr()?];
    let counters = outbound::Counters::new(registry);
    Ok(Outbound::new(config.roots.clone(), own, Arc::new(SystemNames), counters))
}

fn bounds(config: &Config) -> Bounds {
    Bounds { connections: config.ingress.connections, header: config.ingress.header, drain: config.server.drain }
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

/// How the sources of a config are shown.
fn faces(hooks: &TcpListener) -> anyhow::Result<impl Fn(&Config) -> Vec<SourceFace> + Send + Sync + 'static> {
    let bound = hooks.local_addr()?;
    Ok(move |config: &Config| faces_at(config, bound))
}

fn faces_at(config: &Config, bound: std::net::SocketAddr) -> Vec<SourceFace> {
    let base = config.server.public_url.clone().unwrap_or_else(|| format!("http://{bound}"));
    let base = base.trim_end_matches('/').to_owned();
    let face = |source: &Source| SourceFace {
        name: source.name.clone(),
        provider: source.provider.name.clone(),
        url: format!("{base}/hooks/{}", source.name),
    };
    config.sources.iter().map(face).collect()
}
