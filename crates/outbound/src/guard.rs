//! The guarded client (`standards.md` §6.1): one connection for one request, to an address that was judged.

use registry_core::egress::EgressPolicy;
use registry_core::oauth::{Failure, FailureClass, retry_after_seconds};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use reqwest::{Certificate, Client, Method, redirect};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use url::{Host, Url};

/// How many redirects a GET follows.
const MOST_REDIRECTS: usize = 3;
/// The deepest JSON that is read.
const MOST_DEPTH: usize = 32;

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The whole exchange, from resolving the name to the last byte.
    pub total: Duration,
    /// Opening the connection, TLS included.
    pub connect: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: Duration::from_secs(10), connect: Duration::from_secs(3) }
    }
}

/// The client for every URL that is not the operator's own.
#[derive(Clone, Debug)]
pub struct Guarded {
    policy: EgressPolicy,
    limits: Limits,
    roots: Vec<Certificate>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The URL that answered, after redirects.
    pub url: String,
    /// `WWW-Authenticate` lines.
    pub challenges: Vec<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// The body, complete.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What kind, and a sentence for people.
    pub failure: Failure,
    /// Whether the request may have reached the upstream: the connection stood and writing had begun.
    pub maybe_sent: bool,
}

/// One request.
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) accept: &'static str,
    pub(crate) bearer: Option<&'a str>,
    pub(crate) json: Option<&'a Value>,
    pub(crate) headers: &'a [(&'static str, &'static str)],
    /// The most bytes of body, decompressed.
    pub(crate) most: usize,
    /// Whether redirects are followed; only for GET without credentials.
    pub(crate) redirects: bool,
}

impl Guarded {
    /// A client that reaches what `policy` allows.
    pub fn new(policy: EgressPolicy, limits: Limits) -> Self {
        Self { policy, limits, roots: Vec::new() }
    }

    /// Also trusts the certificate authorities in `pem`. The error says what is wrong with it.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, String> {
        self.roots = Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
        Ok(self)
    }

    pub(crate) async fn send(&self, asked: &Asked<'_>) -> Result<Answer, Trouble> {
        match tokio::time::timeout(self.limits.total, self.follow(asked)).await {
            Ok(result) => result,
            // The clock cannot say how far it came, so the worst is assumed.
            Err(_) => Err(Trouble {
                failure: Failure::new(
                    FailureClass::Transient,
                    "timeout",
                    format!(
                        "{} did not answer within {} seconds.",
                        host_of(asked.url),
                        self.limits.total.as_secs_f32()
                    ),
                ),
                maybe_sent: true,
            }),
        }
    }

    async fn follow(&self, asked: &Asked<'_>) -> Result<Answer, Trouble> {
        let mut url = asked.url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.once(asked, &url).await?;
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let redirected = response.status().is_redirection() && asked.redirects;
            let (Some(location), true) = (location, redirected) else {
                return read(response, url, asked.most).await;
            };
            let from =
                Url::parse(&url).map_err(|_| blocked("redirect_not_allowed", "A URL could not be read."))?;
            let next = from
                .join(location)
                .ok()
                .filter(|next| next.scheme() == "https" || next.scheme() == from.scheme())
                .ok_or_else(|| {
                    blocked("redirect_not_allowed", "It redirects to an address that may not be followed.")
                })?;
            url = next.into();
        }
        Err(blocked("redirect_not_allowed", "It redirects too often."))
    }

    /// One hop: judge the text, resolve, judge every address, connect to those and no others.
    async fn once(&self, asked: &Asked<'_>, url: &str) -> Result<reqwest::Response, Trouble> {
        let parsed = self.policy.judge_text(url).map_err(|problem| {
            blocked("address_blocked", &format!("The address {} may not be reached: {problem}.", shown(url)))
        })?;
        let client = self.client(&parsed).await?;
        let mut request = client
            .request(asked.method.clone(), parsed)
            .header(ACCEPT, asked.accept)
            .header(USER_AGENT, concat!("mcp-registry/", env!("CARGO_PKG_VERSION")));
        for (name, value) in asked.headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = asked.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(json) = asked.json {
            request = request.header(CONTENT_TYPE, "application/json").body(json.to_string());
        }
        request.send().await.map_err(|error| {
            // Only a connection that never stood is sure to have carried nothing.
            let maybe_sent = !error.is_connect() && !error.is_builder();
            let (code, what) = if error.is_timeout() {
                ("timeout", "did not answer in time")
            } else if error.is_connect() {
                ("connection_failed", "cannot be connected to (name, network or certificate)")
            } else {
                ("connection_lost", "closed the connection without an answer")
            };
            tracing::debug!(error = ?error.without_url(), "exchange failed");
            Trouble {
                failure: Failure::new(FailureClass::Transient, code, format!("{} {what}.", host_of(url))),
                maybe_sent,
            }
        })
    }

    /// A client that can reach nothing but the judged addresses of `url`. A client for each request costs a handshake
    /// and buys that no pooled connection, cookie or cache of one upstream ever serves another.
    async fn client(&self, url: &Url) -> Result<Client, Trouble> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let addresses: Vec<SocketAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![(IpAddr::V4(address), port).into()],
            Some(Host::Ipv6(address)) => vec![(IpAddr::V6(address), port).into()],
            _ => tokio::net::lookup_host((host.as_str(), port))
                .await
                .map_err(|_| Trouble {
                    failure: Failure::new(
                        FailureClass::Transient,
                        "name_not_found",
                        format!("The name {host} cannot be resolved."),
                    ),
                    maybe_sent: false,
                })?
                .collect(),
        };
        // All of them: an answer that mixes public and private addresses is an attack, not a choice.
        for address in &addresses {
            self.policy.judge_address(&host, address.ip()).map_err(|_| {
                blocked(
                    "address_blocked",
                    &format!("The name {host} leads to a private or reserved address. The operator can allow it with `egress.allow`."),
                )
            })?;
        }
        #[expect(clippy::disallowed_methods, reason = "this is the one guarded place")]
        let builder = Client::builder();
        let mut builder = builder
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.total)
            .pool_max_idle_per_host(0)
            .http1_only()
            .resolve_to_addrs(&host, &addresses);
        for root in &self.roots {
            builder = builder.add_root_certificate(root.clone());
        }
        builder.build().map_err(|error| Trouble {
            failure: Failure::new(
                FailureClass::Transient,
                "client_failed",
                format!("No connection could be prepared: {error}."),
            ),
            maybe_sent: false,
        })
    }
}

/// Reads the body as a stream, so that a cap holds also for what grows when decompressed.
async fn read(mut response: reqwest::Response, url: String, most: usize) -> Result<Answer, Trouble> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let lost = |code, message: String| Trouble {
        failure: Failure::new(FailureClass::Transient, code, message),
        maybe_sent: true,
    };
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > most => {
                let mut trouble = lost(
                    "answer_too_large",
                    format!("{} answered with more than {most} bytes.", host_of(&url)),
                );
                trouble.failure.class = FailureClass::Protocol;
                return Err(trouble);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => {
                return Err(lost(
                    "connection_lost",
                    format!("{} broke off in the middle of its answer.", host_of(&url)),
                ));
            }
        }
    }
    Ok(Answer { status, url, challenges: lines(&headers), retry_after: retry_after(&headers), body })
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    #[expect(clippy::disallowed_methods, reason = "a date in an answer is relative to the machine's clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = registry_core::clock::from_unix_seconds(now.as_secs())?;
    retry_after_seconds(value, now)
}

fn blocked(code: &'static str, message: &str) -> Trouble {
    Trouble { failure: Failure::new(FailureClass::Security, code, message), maybe_sent: false }
}

fn host_of(url: &str) -> String {
    Url::parse(url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| "The upstream".to_owned())
}

/// A URL fit to be shown: without user, password and query.
pub(crate) fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string().chars().filter(|c| !c.is_control()).take(300).collect()
        }
        Err(_) => "(not a URL)".to_owned(),
    }
}

/// Reads a JSON object that is not deeper than is sane and has no member twice.
pub(crate) fn read_object(body: &[u8]) -> Option<serde_json::Map<String, Value>> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MOST_DEPTH {
                    return None;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let Unique(object) = serde_json::from_slice(body).ok()?;
    Some(object)
}

/// An object whose members are each there once: a document that says two things says neither.
struct Unique(serde_json::Map<String, Value>);

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Unique;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<Unique, A::Error> {
                let mut object = serde_json::Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member is there twice"));
                    }
                }
                Ok(Unique(object))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
