//! The HTTP side of the SDK's client over the guarded client (INV-9). The SDK never opens a connection itself.

use crate::answered::UpstreamResponse;
use crate::client::{OutgoingRequest, UpstreamClient, VERSION_HEADER};
use crate::fetch::PROTOCOL_VERSION;
use crate::limits::MAX_MCP_MESSAGE_BYTES;
use crate::mcp::LookError;
use crate::probe::OWN;
use crate::response::ReadBody;
use crate::transport_error::TransportError;
use futures_util::stream::BoxStream;
use registry_core::oauth::{FailureClass, read_object};
use registry_core::secret::Secret;
use registry_core::url_text::host_of;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use serde_json::{Map, Value, json};
use sse_stream::Sse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The header that names a session (MCP, "Session Management").
const SESSION_HEADER: &str = "mcp-session-id";
/// Headers of configurations that are not sent: the request has its own.
const OWN_OF_MCP: [&str; 2] = [SESSION_HEADER, "last-event-id"];
/// How many requests one look may send: every page of every list, and the session around them.
const MAX_REQUESTS: usize = 100;

/// Why the SDK got no answer; the reason itself is in [`Shared::end`].
#[derive(Debug, thiserror::Error)]
#[error("the question was not answered")]
pub(crate) struct Unanswered;

type McpError = StreamableHttpError<Unanswered>;

/// One connection to an MCP server, as the SDK uses it. Clones share it.
#[derive(Clone)]
pub(crate) struct McpHttp(Arc<Shared>);

struct Shared {
    http: UpstreamClient,
    /// What a configuration sends along. The SDK does not know them: it would log them.
    headers: Vec<(String, Secret)>,
    left: AtomicUsize,
    /// How the look ended: the first reason.
    end: Mutex<Option<LookError>>,
    /// The result of `initialize`, as the server sent it.
    initialized: OnceLock<Map<String, Value>>,
}

impl McpHttp {
    pub(crate) fn new(http: &UpstreamClient, headers: &[(String, Secret)]) -> Self {
        let is_own = |name: &str| OWN.iter().chain(&OWN_OF_MCP).any(|own| own.eq_ignore_ascii_case(name));
        Self(Arc::new(Shared {
            http: http.clone(),
            headers: headers.iter().filter(|(name, _)| !is_own(name)).cloned().collect(),
            left: AtomicUsize::new(MAX_REQUESTS),
            end: Mutex::default(),
            initialized: OnceLock::new(),
        }))
    }

    /// Why the look ended, if the HTTP side ended it.
    pub(crate) fn end(&self) -> Option<LookError> {
        self.0.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The result of `initialize`.
    pub(crate) fn initialized(&self) -> Option<&Map<String, Value>> {
        self.0.initialized.get()
    }

    fn ends(&self, error: LookError) -> McpError {
        self.0.end.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        StreamableHttpError::Client(Unanswered)
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        session: Option<&str>,
        json: Option<&Value>,
    ) -> Result<UpstreamResponse, McpError> {
        let shared = &self.0;
        if shared.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Err(self.ends(LookError::Failed("It asks for too many requests.".to_owned())));
        }
        // The SDK goes on with the version that it asked for; the server may know only the one that it answered with.
        let negotiated = self.initialized().and_then(|result| result.get("protocolVersion")?.as_str());
        let version =
            negotiated.filter(|text| text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_graphic()));
        let mut headers = vec![(VERSION_HEADER, version.unwrap_or(PROTOCOL_VERSION))];
        headers.extend(session.map(|session| (SESSION_HEADER, session)));
        headers.extend(shared.headers.iter().map(|(name, value)| (name.as_str(), value.expose())));
        let outgoing = OutgoingRequest {
            accept: "application/json, text/event-stream",
            json,
            headers: &headers,
            wanted: ReadBody::Message(MAX_MCP_MESSAGE_BYTES),
            ..OutgoingRequest::plain("look", method, url)
        };
        shared.http.send(&outgoing).await.map_err(|error| self.ends(of_transport(error)))
    }
}

/// What the server sent is told; what happened in the network is for the operator's log alone.
fn of_transport(error: TransportError) -> LookError {
    match error.failure.class {
        FailureClass::Protocol => LookError::Failed(error.failure.message),
        _ => LookError::Unanswered(error.failure.message),
    }
}

impl StreamableHttpClient for McpHttp {
    type Error = Unanswered;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _: Option<String>,
        _: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, McpError> {
        let sent = serde_json::to_value(&message)?;
        let answer = self.send(Method::POST, &uri, session.as_deref(), Some(&sent)).await?;
        let host = host_of(&uri);
        let is_request = sent.get("id").is_some() && sent.get("method").is_some();
        match answer.status {
            401 | 403 => return Err(self.ends(LookError::NeedsUser)),
            200..=299 if !is_request => return Ok(StreamableHttpPostResponse::Accepted),
            200 => {}
            // The other side of a notification that no server needs to understand.
            _ if !is_request => return Ok(StreamableHttpPostResponse::Accepted),
            status => {
                let what =
                    format!("{host} answered {status} instead of a response of the Model Context Protocol.");
                return Err(self.ends(LookError::Failed(what)));
            }
        }
        let read = read_object(&answer.body).filter(|object| object.get("id") == sent.get("id"));
        let message = read.and_then(|object| self.for_sdk(&sent, object));
        let Some(message) = message else {
            let what =
                format!("{host} answered with something that is no response of the Model Context Protocol.");
            return Err(self.ends(LookError::Failed(what)));
        };
        Ok(StreamableHttpPostResponse::Json(message, answer.session))
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _: Option<String>,
        _: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), McpError> {
        // A server that cannot end sessions answers 405; the session ends by itself then.
        self.send(Method::DELETE, &uri, Some(&session), None).await.map(drop)
    }

    /// What the server would tell by itself is of no interest to a look: no stream is opened.
    async fn get_stream(
        &self,
        _: Arc<str>,
        _: Option<Arc<str>>,
        _: Option<String>,
        _: Option<String>,
        _: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, McpError> {
        Err(StreamableHttpError::ServerDoesNotSupportSse)
    }
}

impl McpHttp {
    /// The response as the SDK gets it. What a server says of itself is kept as it was sent, because one odd member would make
    /// the SDK refuse all of it: of `initialize` the SDK gets what it needs, of other results a wrapper that it does not look into.
    fn for_sdk(&self, sent: &Value, mut response: Map<String, Value>) -> Option<ServerJsonRpcMessage> {
        if let Some(result) = response.get_mut("result") {
            let Value::Object(members) = result.take() else { return None };
            if sent["method"] == "initialize" {
                let version = members.get("protocolVersion")?.as_str()?;
                *result = json!({
                    "protocolVersion": version, "capabilities": {}, "serverInfo": { "name": "", "version": "" },
                });
                // A second `initialize` in the same look says nothing new.
                let _ = self.0.initialized.set(members);
            } else {
                *result = json!({ WRAPPER: members });
            }
        }
        serde_json::from_value(Value::Object(response)).ok()
    }
}

/// The member around results that the SDK does not look into.
pub(crate) const WRAPPER: &str = "asSent";
