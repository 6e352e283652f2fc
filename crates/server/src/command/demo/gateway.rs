//! The demo's gateway: on the client library, for the demo itself and for a user with a browser. Its own sign-in is a
//! cookie that it gives to every browser; one process and no storage are enough here.

use super::mcp;
use crate::command::CommandError;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::ServerHandle;
use actix_web::http::header::{ACCEPT, LOCATION};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_registry_client::{Ensured, Follower, FollowerOptions, GatewayDocument, Registry, token_request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// The tool that users ask for, and its path at the gateway.
pub(super) const TOOL: &str = "whoami";
/// Where the gateway offers the tool.
pub(super) const TOOL_PATH: &str = "/tools/whoami";
/// The cookie that says who the user is.
pub(super) const USER_COOKIE: &str = "demo_user";

/// A sign-in on its way: one snapshot of the document for all of it.
struct Flow {
    user: String,
    document: GatewayDocument,
    verifier: String,
}

struct Gateway {
    follower: Arc<Follower>,
    http: reqwest::Client,
    server: String,
    /// By `state`.
    flows: Mutex<HashMap<String, Flow>>,
    /// Access tokens by user.
    tokens: Mutex<HashMap<String, String>>,
}

/// The running gateway.
pub(super) struct RunningGateway {
    handle: ServerHandle,
    follower: tokio::task::JoinHandle<()>,
}

impl RunningGateway {
    /// Serves `server` (`workspace/server`) on `listener`, with the documents of the registry at `base`.
    pub(super) fn start(
        listener: TcpListener,
        base: &str,
        key: String,
        server: String,
        http: reqwest::Client,
    ) -> Result<Self, CommandError> {
        let failed = |error: &dyn std::fmt::Display| CommandError::new(format!("No gateway: {error}."));
        let registry = Registry::new([base], move || key.clone()).map_err(|error| failed(&error))?;
        let follower = Arc::new(Follower::new(Arc::new(registry), FollowerOptions::default()));
        let gateway = web::Data::new(Gateway {
            follower: follower.clone(),
            http,
            server,
            flows: Mutex::default(),
            tokens: Mutex::default(),
        });
        let app = move || {
            App::new()
                .app_data(gateway.clone())
                .route(TOOL_PATH, web::get().to(ask))
                .route("/oauth/upstream-callback", web::get().to(call_back))
        };
        let server = HttpServer::new(app).workers(1).shutdown_timeout(2).disable_signals();
        let server = server.listen(listener).map_err(|error| failed(&error))?.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { handle, follower: tokio::spawn(async move { follower.run().await }) })
    }

    /// Ends the gateway.
    pub(super) async fn stop(self) {
        self.follower.abort();
        self.handle.stop(true).await;
    }
}

/// A user asks for the tool: its answer, or 401 with where the user signs in.
async fn ask(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    let known = request.cookie(USER_COOKIE).map(|cookie| cookie.value().to_owned());
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (mut response, user) = match gateway.ask_as(known.clone()).await {
        Ok((Called::Answered(told), user)) => (HttpResponse::Ok().json(told), user),
        Ok((Called::SignIn(at), user)) if accepts.contains("text/html") => {
            (HttpResponse::SeeOther().insert_header((LOCATION, at.as_str())).finish(), user)
        }
        Ok((Called::SignIn(at), user)) => {
            (HttpResponse::Unauthorized().json(json!({ "authorize": at.as_str() })), user)
        }
        Err(error) => return HttpResponse::BadGateway().json(json!({ "error": error.to_string() })),
    };
    if known.is_none() {
        let cookie =
            Cookie::build(USER_COOKIE, user).path("/").http_only(true).same_site(SameSite::Lax).finish();
        if let Err(error) = response.add_cookie(&cookie) {
            return HttpResponse::BadGateway().json(json!({ "error": error.to_string() }));
        }
    }
    response
}

/// The authorization server sends the user back.
async fn call_back(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    let user = request.cookie(USER_COOKIE).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
    match gateway.finish(&user, request.query_string()).await {
        Ok(()) => HttpResponse::SeeOther().insert_header((LOCATION, TOOL_PATH)).finish(),
        Err(error) => HttpResponse::BadRequest().json(json!({ "error": error.to_string() })),
    }
}

enum Called {
    Answered(Value),
    SignIn(Box<Url>),
}

impl Gateway {
    /// For a known user, or for a new one.
    async fn ask_as(&self, known: Option<String>) -> Result<(Called, String), CommandError> {
        let user = known.map_or_else(random, Ok)?;
        Ok((self.call_tool(&user).await?, user))
    }

    async fn call_tool(&self, user: &str) -> Result<Called, CommandError> {
        let failed = |error: &dyn std::fmt::Display| CommandError::new(error.to_string());
        let ensured = self.follower.ensure(&self.server, Duration::from_secs(5)).await;
        let document = match ensured.map_err(|error| failed(&error))? {
            Ensured::Ready(document) => *document,
            Ensured::NotYet { detail, .. } => {
                return Err(CommandError::new(
                    detail.unwrap_or_else(|| "There is no client yet.".to_owned()),
                ));
            }
        };
        let token = lock(&self.tokens).get(user).cloned();
        match mcp::call_tool(&self.http, &document.url, token.as_deref(), TOOL).await? {
            Some(told) => Ok(Called::Answered(told)),
            None => Ok(Called::SignIn(Box::new(self.begin(user, document)?))),
        }
    }

    fn begin(&self, user: &str, document: GatewayDocument) -> Result<Url, CommandError> {
        let missing = || CommandError::new("The document has no client.");
        let (client, server) =
            document.client.as_ref().zip(document.authorization_server.as_ref()).ok_or_else(missing)?;
        let mut url = Url::parse(&server.authorization_endpoint)
            .map_err(|error| CommandError::new(format!("authorization_endpoint: {error}")))?;
        let (state, verifier) = (random()?, random()?);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &client.client_id)
            .append_pair("redirect_uri", client.redirect_uris.first().map_or("", String::as_str))
            .append_pair("state", &state)
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)))
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(document.scope.iter().map(|scope| ("scope", scope)))
            .extend_pairs(document.resource.iter().map(|resource| ("resource", resource)));
        lock(&self.flows).insert(state, Flow { user: user.to_owned(), document, verifier });
        Ok(url)
    }

    async fn finish(&self, user: &str, query: &str) -> Result<(), CommandError> {
        let answer: HashMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let flow = answer.get("state").and_then(|state| lock(&self.flows).remove(state));
        let unknown = || CommandError::new("This sign-in is unknown, or of another user.");
        let flow = flow.filter(|flow| flow.user == user).ok_or_else(unknown)?;
        let issuer = flow.document.client.as_ref().map(|client| client.issuer.as_str());
        // RFC 9207 §2.4
        if answer.get("iss").is_some_and(|iss| Some(iss.as_str()) != issuer) {
            return Err(CommandError::new("The answer is of another authorization server."));
        }
        let Some(code) = answer.get("code") else {
            return Err(CommandError::new(format!(
                "No code: {}",
                answer.get("error").map_or("", String::as_str)
            )));
        };
        let callback = flow.document.client.as_ref().and_then(|client| client.redirect_uris.first());
        let parameters = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", callback.map_or("", String::as_str)),
            ("code_verifier", flow.verifier.as_str()),
            ("resource", flow.document.resource.as_deref().unwrap_or_default()),
        ];
        let request = token_request(&self.http, &flow.document, &parameters, None)
            .await
            .map_err(|error| CommandError::new(error.to_string()))?;
        let failed = |error: reqwest::Error| CommandError::new(format!("token endpoint: {error}"));
        let told: Value = request.send().await.map_err(failed)?.json().await.map_err(failed)?;
        let Some(token) = told["access_token"].as_str() else {
            return Err(CommandError::new(format!("The token endpoint answered {}.", told["error"])));
        };
        lock(&self.tokens).insert(flow.user, token.to_owned());
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 256 random bits.
fn random() -> Result<String, CommandError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| CommandError::new("The random generator failed."))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
