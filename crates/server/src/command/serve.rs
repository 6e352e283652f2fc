//! `mcp-registry serve`: API, pages and worker in one process.

use super::database::{database_name, join};
use super::shutdown::ShutdownSignal;
use super::work::{Worker, process_name};
use super::{CommandError, print, user};
use crate::app::{self, Parts};
use crate::cli::Serve;
use crate::config::Config;
use crate::connections::Connections;
use crate::telemetry;
use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use registry::Registry;
use std::net::SocketAddr;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Seconds that pending requests may still take at shutdown.
const SHUTDOWN_TIMEOUT_SECONDS: u64 = 3;
/// The user of the first sign-in link, when no user can sign in yet.
const FIRST_ADMIN: &str = "admin@localhost";

/// A registry that serves in this process.
pub struct Running {
    address: SocketAddr,
    registry: Registry,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    worker: Option<Worker>,
    follower: JoinHandle<()>,
    /// Tells open gateways of changes.
    pusher: JoinHandle<()>,
    stop: CancellationToken,
}

/// Opens the database, listens, and starts the worker unless disabled. Returns as soon as requests are answered.
pub async fn start(config: &Config, options: Serve) -> Result<Running, CommandError> {
    let registry = join(config).await?;
    let parts = Parts {
        registry: registry.clone(),
        metrics: telemetry::metrics(),
        secure_cookies: config.server.cookies_are_secure(),
        basic: config.ui.basic,
        hsts: config.server.hsts,
    };
    let connections =
        Connections::new(config.limits.connections, registry.settings().trusted_proxies.clone());
    let most = connections.most();
    // Signals are handled here: the worker must end before the threads whose database connections it may hold.
    let mut server = HttpServer::new(move || app::build(parts.clone()))
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_TIMEOUT_SECONDS)
        .max_connections(most.div_ceil(workers(config)))
        .on_connect(move |stream, extensions| connections.admit(stream, extensions))
        // Without it one answer in twenty came 40 ms late (docs/page-speed.md).
        .tcp_nodelay(true);
    if let Some(workers) = config.server.workers {
        server = server.workers(workers);
    }
    let server = server
        .bind(&config.server.listen)
        .map_err(|error| CommandError::new(format!("Cannot listen on {}: {error}.", config.server.listen)))?;
    let address = *server.addrs().first().ok_or_else(|| CommandError::new("The listener has no address."))?;
    let server = server.run();
    let handle = server.handle();
    let server = tokio::spawn(server);
    let stop = CancellationToken::new();
    let follower = tokio::spawn({
        let (registry, stop) = (registry.clone(), stop.clone());
        let url = config.database.url.expose().to_owned();
        let memory = config.gateway.memory.saturating_mul(1024 * 1024);
        async move { registry.gateway().watch(&url, memory, stop.cancelled_owned()).await }
    });
    let pusher = tokio::spawn({
        let (registry, stop) = (registry.clone(), stop.clone());
        let name = process_name("push");
        async move { registry.gateway().push_changes(&name, stop.cancelled_owned()).await }
    });
    let worker =
        if options.no_worker { None } else { Some(Worker::start(config, registry.clone(), stop.clone())?) };
    Ok(Running { address, registry, handle, server, worker, follower, pusher, stop })
}

/// How many threads serve requests.
fn workers(config: &Config) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    config.server.workers.unwrap_or_else(processors).max(1)
}

impl Running {
    /// The address and port listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The application behind it.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Ends the worker, then answers what is under way, then ends; within ten seconds.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.registry.gateway().close();
        if let Some(worker) = self.worker.take() {
            worker.drain().await;
        }
        self.handle.stop(true).await;
        drop(self.follower.await);
        drop(self.pusher.await);
        if let Ok(Err(error)) = self.server.await {
            tracing::error!(%error, "the listener failed");
        }
    }
}

/// Serves until the process is stopped, also while it is still starting.
pub(super) async fn run(
    config: &Config,
    options: Serve,
    mut shutdown: ShutdownSignal,
) -> Result<(), CommandError> {
    let Some(running) = shutdown.run_until(Box::pin(start(config, options))).await else {
        tracing::info!("stopped while starting");
        return Ok(());
    };
    let mut running = running?;
    tracing::info!(database = database_name(&config.database.url), "database opened");
    if let Some(announced) = shutdown.run_until(Box::pin(announce(config, &running))).await {
        announced?;
    } else {
        running.stop().await;
        return Ok(());
    }
    tokio::select! {
        () = shutdown.received() => tracing::info!("ending"),
        ended = &mut running.server => {
            return Err(CommandError::new(match ended {
                Ok(Err(error)) => format!("The listener failed: {error}."),
                _ => "The listener stopped unexpectedly.".to_owned(),
            }));
        }
        () = worker_ended(&mut running.worker) => {
            running.worker = None;
            running.stop().await;
            // A restart is better than serving pages without a working registration worker.
            return Err(CommandError::new("The worker stopped unexpectedly; the log says why."));
        }
    }
    running.stop().await;
    tracing::info!("ended");
    Ok(())
}

/// Waits until the worker ends unexpectedly; forever if there is none.
async fn worker_ended(worker: &mut Option<Worker>) {
    match worker {
        Some(worker) => worker.ended().await,
        None => std::future::pending().await,
    }
}

/// Prints the address; standard output is read by users and tests, the log by machines.
async fn announce(config: &Config, running: &Running) -> Result<(), CommandError> {
    let address = running.address();
    let base = config.public_url(address);
    tracing::info!(%address, url = base, "listening");
    print(format_args!("listening on http://{address}"))?;
    if let Err(error) = running.registry().deployment().ready().await {
        tracing::warn!("not ready: {error}");
        return Ok(());
    }
    // For commands that print links in other shells.
    if (config.server.public_url.is_some() || config.database.url.is_sqlite())
        && let Err(error) = running.registry().deployment().record_address(&base).await
    {
        tracing::warn!(%error, "the address of this deployment could not be noted");
    }
    // Several serving processes would each print a link; use `mcp-registry user link` there.
    if config.database.url.is_sqlite() && !running.registry().login().has_users().await? {
        let link = user::sign_in_link(running.registry(), &base, FIRST_ADMIN, None).await?;
        print(format_args!("no user can sign in yet; sign in once with {link}"))?;
    }
    Ok(())
}
