//! What the process tells about itself: log lines and metrics. Neither ever holds a secret: query strings, bodies and
//! headers are not logged.

use crate::config::{Log, LogFormat};
use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Instant;
use tracing::field::Empty;
use tracing::{Level, Metadata, Span};
use tracing_actix_web::{RequestId, RootSpanBuilder};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

/// What others say about their insides, and the middleware that would log every refused request's error with `Debug`
/// (the API logs what is worth it itself). A pool logs an error for each connection to a host that is not the primary; the
/// search for the primary is logged once. `log.level` may name them to hear more.
const QUIET: &str =
    "actix_server=warn,sea_orm_migration=warn,sqlx=warn,sqlx_core::pool=off,tracing_actix_web=off";

/// Starts logging to standard error, once per process; later calls change nothing.
pub fn init(log: &Log) {
    let filter =
        EnvFilter::try_new(format!("{QUIET},{}", log.level)).unwrap_or_else(|_| EnvFilter::new(QUIET));
    let filter = filter.and(filter_fn(tellable));
    // A log that cannot be written must not end what it tells about.
    let lines = tracing_subscriber::fmt::layer()
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // An error means that a subscriber is there already: a test, or the demo, called before us.
    let _ = match log.format {
        LogFormat::Text => registry().with(lines.with_target(false).with_filter(filter)).try_init(),
        LogFormat::Json => registry().with(lines.json().flatten_event(true).with_filter(filter)).try_init(),
    };
}

/// Filters that apply regardless of `log.level`: these libraries log the database's password, every value that is stored, and
/// every message of an MCP server, which may repeat what it was sent.
fn tellable(metadata: &Metadata<'_>) -> bool {
    let of = |name: &str| metadata.target().starts_with(name);
    !of("rmcp") && (*metadata.level() <= Level::INFO || !(of("sea_orm") || of("sqlx")))
}

/// The process's metrics, collected from the first call on.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Installing fails only if the process already has a recorder (a test's); then this one stays empty.
            let _ = metrics::set_global_recorder(recorder);
            handle
        })
        .clone()
}

/// The span around each request, with these fields: request id, method, path (never the query: sign-in links carry a token
/// there), route (the pattern of the path), caller (kind and id; the API and the pages record it after authentication),
/// status.
#[derive(Debug)]
pub struct RequestSpan;

/// When a request arrived.
#[derive(Clone, Copy)]
struct ReceivedAt(Instant);

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        request.extensions_mut().insert(ReceivedAt(Instant::now()));
        let id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        tracing::info_span!(
            "request",
            request_id = %id,
            method = %request.method(),
            path = %request.path(),
            peer = %request.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default(),
            route = Empty,
            caller = Empty,
            status = Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, actix_web::Error>) {
        let (status, received_at, path) = match outcome {
            Ok(response) => (
                response.status(),
                response.request().extensions().get::<ReceivedAt>().copied(),
                response.request().path(),
            ),
            Err(error) => (error.as_response_error().status_code(), None, ""),
        };
        span.record("status", status.as_u16());
        if let Some(route) = outcome.as_ref().ok().and_then(|response| response.request().match_pattern()) {
            span.record("route", route);
        }
        let duration_ms =
            received_at.map(|received_at| received_at.0.elapsed().as_millis()).unwrap_or_default();
        // Probes come every few seconds and say nothing as long as they succeed.
        let probe = matches!(path, "/healthz" | "/readyz" | "/metrics") && status.is_success();
        let _entered = span.enter();
        if probe {
            tracing::debug!(duration_ms, "answered");
        } else {
            tracing::info!(duration_ms, "answered");
        }
    }
}
