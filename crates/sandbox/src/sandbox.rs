//! Starts, observes and stops the sandbox: an actix server on its own thread, so that it runs under any runtime.

use crate::quirks::Quirks;
use crate::state::{LoggedRequest, Progress, RegisteredClient, RegisteredRequest, State};
use crate::{authorization_server, canned, consent, mcp_server};
use actix_web::dev::{ServerHandle, Service, ServiceResponse};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::Pin;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// TCP port; 0: any free one.
    pub port: u16,
    /// Loopback host to listen on and to use in all addresses: `127.0.0.1`, `127.0.0.2` (another origin), `localhost`.
    pub host: String,
    /// The switches at the start.
    pub quirks: Quirks,
    /// The service name on the consent page.
    pub name: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            host: "127.0.0.1".to_owned(),
            quirks: Quirks::default(),
            name: "Sandbox Notes".to_owned(),
        }
    }
}

/// A running sandbox. Dropping it ends it; [`Sandbox::stop`] does so in order.
pub struct Sandbox {
    state: web::Data<State>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Binds the port and starts answering. An error when the host is not loopback or the port is taken.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = bind(&options.host, options.port)?;
        let port = listener.local_addr()?.port();
        let host = if options.host.contains(':') { format!("[{}]", options.host) } else { options.host };
        let state = web::Data::new(State::new(format!("http://{host}:{port}"), options.name, options.quirks));
        let (report, started) = oneshot::channel();
        let shared = state.clone();
        let thread = std::thread::Builder::new()
            .name("registry-sandbox".to_owned())
            .spawn(move || actix_web::rt::System::new().block_on(serve(listener, shared, report)))?;
        let handle = started
            .await
            .map_err(|_| io::Error::other("The sandbox's thread ended before it could start."))??;
        Ok(Self { state, handle, thread: Some(thread) })
    }

    /// Scheme, host and port, such as `http://127.0.0.1:41234`.
    pub fn origin(&self) -> &str {
        &self.state.origin
    }

    /// The MCP server's address: origin and `/mcp`.
    pub fn mcp_url(&self) -> String {
        self.state.mcp_url()
    }

    /// The `issuer` of the authorization server's metadata as the present quirks have it.
    pub fn issuer(&self) -> String {
        self.state.issuer(&self.state.book().quirks)
    }

    /// Address of the consent page as a user would see it for this client, without a running authorization.
    pub fn consent_url(&self, client_id: &str) -> String {
        format!("{}/consent/{client_id}", self.state.origin)
    }

    /// The present switches; counting ones say what is left.
    pub fn quirks(&self) -> Quirks {
        self.state.book().quirks.clone()
    }

    /// Changes the switches while running; clients and tokens stay.
    pub fn set_quirks(&self, quirks: Quirks) {
        self.state.book().quirks = quirks;
    }

    /// What `POST /register` received, oldest first, refused and unanswered ones included.
    pub fn registrations(&self) -> Vec<RegisteredRequest> {
        self.state.book().received.clone()
    }

    /// All answered requests, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state.book().log.clone()
    }

    /// Waits until `count` clients have been registered since the start; `false` when `timeout` passed before.
    pub async fn wait_for_registration(&self, count: usize, timeout: Duration) -> bool {
        self.wait(timeout, |progress| progress.registered >= count).await
    }

    /// Waits until `POST /register` has been received `count` times, with any result; `false` on `timeout`.
    pub async fn wait_for_request(&self, count: usize, timeout: Duration) -> bool {
        self.wait(timeout, |progress| progress.received >= count).await
    }

    async fn wait(&self, timeout: Duration, reached: impl FnMut(&Progress) -> bool) -> bool {
        let mut progress = self.state.progress.subscribe();
        matches!(tokio::time::timeout(timeout, progress.wait_for(reached)).await, Ok(Ok(_)))
    }

    /// A client as it is registered now.
    pub fn client(&self, client_id: &str) -> Option<RegisteredClient> {
        self.state.book().clients.get(client_id).cloned()
    }

    /// All clients, by id.
    pub fn clients(&self) -> Vec<RegisteredClient> {
        self.state.book().clients.values().cloned().collect()
    }

    /// Removes a client and its tokens without notice, as servers that prune clients do; `false` if unknown.
    pub fn forget(&self, client_id: &str) -> bool {
        self.state.book().forget(client_id)
    }

    /// Finishes the requests under way (at most a second) and ends.
    pub async fn stop(mut self) {
        self.state.stopping.send_replace(true);
        self.handle.stop(true).await;
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread's panic, if there was one, has been printed by its own hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.state.stopping.send_replace(true);
            // The command is sent immediately; `stop` waits for its future.
            drop(self.handle.stop(false));
            self.join();
        }
    }
}

fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    let addresses: Vec<SocketAddr> =
        (host, port).to_socket_addrs()?.filter(|address| address.ip().is_loopback()).collect();
    if addresses.is_empty() {
        let message = format!("The sandbox listens on loopback only; `{host}` is not a loopback host.");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    TcpListener::bind(addresses.as_slice())
}

/// An answer under way, the sandbox's own or a canned one.
type OwnOrCanned = Pin<Box<dyn Future<Output = Result<ServiceResponse, actix_web::Error>>>>;

async fn serve(
    listener: TcpListener,
    state: web::Data<State>,
    report: oneshot::Sender<io::Result<ServerHandle>>,
) {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap_fn(|request, service| {
                let state = request.app_data::<web::Data<State>>().cloned();
                let canned =
                    state.as_ref().and_then(|state| canned::canned(&state.book().quirks.answers, &request));
                let answer: OwnOrCanned = match canned {
                    Some(canned) => Box::pin(std::future::ready(Ok(request.into_response(canned)))),
                    None => Box::pin(service.call(request)),
                };
                async move {
                    let answer = answer.await?;
                    if let Some(state) = state {
                        log(&state, &answer);
                    }
                    Ok(answer)
                }
            })
            .configure(mcp_server::routes)
            .configure(authorization_server::routes)
            .configure(consent::routes)
            .default_service(web::to(|state: web::Data<State>, request: HttpRequest| async move {
                document(&state, &request)
            }))
    })
    .workers(1)
    .disable_signals()
    .shutdown_timeout(1)
    .listen(listener);
    match server {
        Ok(server) => {
            let server = server.run();
            // There is no receiver only when `start` was cancelled; then the handle is gone and the server has no owner.
            if report.send(Ok(server.handle())).is_ok() {
                let _ = server.await;
            }
        }
        Err(error) => drop(report.send(Err(error))),
    }
}

/// Documents whose address depends on the quirks.
fn document(state: &State, request: &HttpRequest) -> HttpResponse {
    mcp_server::document(state, request)
        .or_else(|| authorization_server::metadata::document(state, request))
        .unwrap_or_else(|| HttpResponse::NotFound().content_type("text/plain").body("Nothing is here."))
}

fn log(state: &State, answer: &ServiceResponse) {
    state.book().log.push(LoggedRequest {
        method: answer.request().method().to_string(),
        path: answer.request().path().to_owned(),
        status: answer.status().as_u16(),
    });
}
