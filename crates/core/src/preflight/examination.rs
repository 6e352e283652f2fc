//! A discovery as a list of probes, and the approaches that remain possible.

use super::approach::Approach;
use crate::known_servers::recognise_found;
use crate::metadata::Method;
use crate::oauth::{Discovery, Exchange, Failure, FailureClass, ResourceMatch};
use crate::registration::{Choice, Desired, choose_method};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a probe went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// As it should be.
    Good,
    /// It may do, but is worth a look.
    Doubtful,
    /// It prevents the registration.
    Bad,
    /// It was not looked for.
    Unknown,
}

/// One thing that was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// How it went.
    pub grade: Quality,
    /// What was found, a few words.
    pub title: String,
    /// The norm it follows, or how much it matters.
    pub norm: String,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// One sentence or an address.
    pub detail: String,
    /// Another address that the upstream says it is known by.
    pub instead: Option<String>,
    /// The document that was found, verbatim.
    pub document: Option<Map<String, Value>>,
}

/// Whether an approach can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// The upstream offers it.
    Offered,
    /// It cannot be known before it is tried.
    Unknown,
    /// It cannot be used; the text says why.
    Closed(String),
}

/// An approach, and whether it can be used at this upstream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproachOption {
    /// The approach.
    pub approach: Approach,
    /// Whether it can be used.
    #[serde(rename = "openness")]
    pub availability: Availability,
}

/// What a check of an upstream showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// Whether the MCP endpoint answered at all.
    pub reached: bool,
    /// What was looked for, in order.
    pub probes: Vec<Probe>,
    /// Every approach, in display order.
    pub ways: Vec<ApproachOption>,
    /// The approach to propose; `None`: the user must choose.
    pub proposed: Option<Approach>,
    /// Scopes worth asking for.
    pub scopes: Vec<String>,
    /// Key of the known server that the address or the authorization server leads to; `None`: neither is known.
    #[serde(default)]
    pub known_server: Option<String>,
}

impl Examination {
    /// Whether `approach` can be used; `Unknown` for one that was not examined.
    pub fn availability(&self, approach: Approach) -> &Availability {
        self.ways
            .iter()
            .find(|way| way.approach == approach)
            .map_or(&Availability::Unknown, |way| &way.availability)
    }
}

/// Tells what was found for `desired`, whose `auth_type` needs a client. `other_resource` is the `resource` of metadata for
/// another address. The ways are judged by the functions that decide for the worker, so that both agree.
pub fn examine(
    desired: &Desired,
    found: &Result<Discovery, Failure>,
    trace: &[Exchange],
    other_resource: Option<&str>,
) -> Examination {
    let discovery = found.as_ref().ok();
    let failure = found.as_ref().err();
    let status = trace.iter().find(|one| one.step == "probe").and_then(|one| one.status);
    let mut probes = vec![endpoint(trace), protected_resource(found, trace, other_resource)];
    probes.push(authorization_server(found, trace));
    if let Some(discovery) = discovery {
        probes.extend(offers(discovery));
        probes.push(documents(desired, discovery));
        probes.push(scopes(discovery));
        // PKCE has a line of its own.
        let oddities = discovery.warnings.iter().filter(|warning| !warning.contains("PKCE"));
        probes.extend(oddities.map(|warning| probe(Quality::Doubtful, "Oddity", "", warning.as_str())));
    }
    let ways: Vec<ApproachOption> = Approach::ALL
        .into_iter()
        .map(|approach| ApproachOption { approach, availability: availability(approach, desired, found) })
        .collect();
    let offered = |approach| {
        ways.iter().any(|way| way.approach == approach && way.availability == Availability::Offered)
    };
    let proposed = match failure {
        None => [Approach::Publish, Approach::Register]
            .into_iter()
            .find(|one| offered(*one))
            .or(Some(Approach::ByHand)),
        // The upstream does not require OAuth.
        Some(failure) if failure.code == "authorization_server_not_found" => match status {
            Some(200..=299) => Some(Approach::Nothing),
            Some(401 | 403) => Some(Approach::Headers),
            _ => None,
        },
        Some(_) => None,
    };
    Examination {
        reached: status.is_some(),
        probes,
        ways,
        proposed,
        scopes: discovery.map(|discovery| discovery.scopes.clone()).unwrap_or_default(),
        known_server: recognise_found(&desired.mcp_url, discovery, trace).map(|known| known.key.to_owned()),
    }
}

fn availability(approach: Approach, desired: &Desired, found: &Result<Discovery, Failure>) -> Availability {
    let by = |discovery: &Discovery, method| {
        let mut desired = desired.clone();
        desired.effective.registration.method = method;
        // A pre-registered client is a different approach.
        desired.effective.credentials = None;
        match choose_method(&desired, discovery, true) {
            Choice::Nobody(block) => {
                let own = closed(&block.code).map(str::to_owned);
                Availability::Closed(own.or(block.detail).unwrap_or(block.code))
            }
            Choice::Adopt | Choice::Publish | Choice::Register => Availability::Offered,
        }
    };
    match (approach, found) {
        (Approach::Publish, _) if !desired.publishes_documents => {
            Availability::Closed(closed("cimd_not_available").unwrap_or_default().to_owned())
        }
        (Approach::Register, Ok(discovery)) => by(discovery, Method::Dcr),
        (Approach::Publish, Ok(discovery)) => by(discovery, Method::Cimd),
        (Approach::Register | Approach::Publish, Err(failure)) => match failure.class {
            // What may change by itself closes nothing.
            FailureClass::Transient | FailureClass::Ambiguous => Availability::Unknown,
            _ => Availability::Closed(failure.message.clone()),
        },
        (Approach::ByHand | Approach::Headers | Approach::Nothing, _) => Availability::Unknown,
    }
}

/// Why an approach is not possible, for a user who is about to choose another one.
fn closed(code: &str) -> Option<&'static str> {
    Some(match code {
        "registration_not_supported" => {
            "The authorization server offers no dynamic registration. Register a client there manually."
        }
        "cimd_not_available" => {
            "This deployment publishes no Client ID Metadata Documents: the operator has not set `cimd.public_url`."
        }
        "cimd_not_supported" => {
            "The authorization server does not say that it reads Client ID Metadata Documents."
        }
        "cimd_auth_method" => {
            "A document is public and contains no secret, and the authorization server does not accept clients without one."
        }
        _ => return None,
    })
}

fn probe(grade: Quality, title: &str, norm: &str, detail: impl Into<String>) -> Probe {
    Probe {
        grade,
        title: title.to_owned(),
        norm: norm.to_owned(),
        duration_ms: None,
        detail: detail.into(),
        instead: None,
        document: None,
    }
}

/// How long all exchanges of a step took; `None` if there were none.
fn took(trace: &[Exchange], step: &str) -> Option<u64> {
    let mut durations = trace.iter().filter(|one| one.step == step).map(|one| one.duration_ms).peekable();
    durations.peek()?;
    Some(durations.sum())
}

fn endpoint(trace: &[Exchange]) -> Probe {
    let norm = "MCP";
    let mut asked = trace.iter().filter(|one| one.step == "probe");
    // Both transports may have been tried; the request that was answered with a challenge tells more.
    let Some(one) = asked.clone().find(|one| one.status == Some(401)).or_else(|| asked.next()) else {
        return probe(Quality::Unknown, "MCP endpoint not asked", norm, "");
    };
    let (grade, title) = match one.status {
        None => (Quality::Bad, "MCP endpoint cannot be reached"),
        Some(401) => (Quality::Good, "MCP endpoint answers and asks for OAuth"),
        Some(200..=299) => (Quality::Good, "MCP endpoint answers without asking for authorization"),
        Some(404 | 410) => (Quality::Bad, "No MCP endpoint at this address"),
        Some(300..=399) => (Quality::Bad, "MCP endpoint redirects"),
        Some(_) => (Quality::Doubtful, "MCP endpoint answers with an error"),
    };
    let status = one.status.map(|status| format!("{status}. ")).unwrap_or_default();
    Probe { duration_ms: Some(one.duration_ms), ..probe(grade, title, norm, format!("{status}{}", one.note)) }
}

fn protected_resource(
    found: &Result<Discovery, Failure>,
    trace: &[Exchange],
    other_resource: Option<&str>,
) -> Probe {
    const STEP: &str = "protected_resource";
    const TITLE: &str = "Protected resource metadata";
    const NORM: &str = "RFC 9728";
    let asked = trace.iter().any(|one| one.step == STEP);
    let read = trace.iter().find(|one| one.step == STEP && one.status == Some(200) && one.note == "Found.");
    let missing = |one: &Exchange| one.step != STEP || matches!(one.status, Some(404 | 410));
    let mut told = match found {
        Ok(discovery) => match &discovery.protected_resource {
            Some(document) => resource_found(discovery, document.clone()),
            None => probe(
                Quality::Doubtful,
                "No protected resource metadata",
                NORM,
                "The server names no resource; its authorization server was found without.",
            ),
        },
        Err(failure) if failure.code == "resource_mismatch" => {
            let mut told = probe(Quality::Bad, TITLE, NORM, failure.message.clone());
            told.instead = other_resource.filter(|other| !other.is_empty()).map(str::to_owned);
            told
        }
        Err(_) if !asked => probe(Quality::Unknown, TITLE, NORM, "Not looked for."),
        // Found, and what failed is what it led to.
        Err(failure) if read.is_some() && failure.code != "authorization_server_not_found" => {
            probe(Quality::Good, TITLE, NORM, read.map(|one| one.url.clone()).unwrap_or_default())
        }
        Err(failure) if failure.code == "authorization_server_not_found" => probe(
            Quality::Doubtful,
            "No protected resource metadata",
            NORM,
            if trace.iter().all(missing) {
                "The server names no authorization server, as one without OAuth does."
            } else {
                failure.message.as_str()
            },
        ),
        Err(failure) => probe(Quality::Bad, TITLE, NORM, failure.message.clone()),
    };
    told.duration_ms = took(trace, STEP);
    told
}

fn resource_found(discovery: &Discovery, document: Map<String, Value>) -> Probe {
    let resource = &discovery.resource;
    let title = "Protected resource metadata";
    let mut told = match discovery.resource_match {
        Some(ResourceMatch::Exact) => {
            probe(Quality::Good, title, "RFC 9728", format!("resource = {resource}, matches the URL"))
        }
        Some(ResourceMatch::Entered) => {
            probe(Quality::Good, title, "RFC 9728", format!("resource = {resource}, as it is entered"))
        }
        Some(ResourceMatch::Prefix) | None => {
            let detail = format!("resource = {resource}, which is more than this URL");
            let mut told = probe(Quality::Doubtful, title, "RFC 9728", detail);
            told.instead = Some(resource.clone());
            told
        }
    };
    told.document = Some(document);
    told
}

fn authorization_server(found: &Result<Discovery, Failure>, trace: &[Exchange]) -> Probe {
    const STEP: &str = "authorization_server";
    const TITLE: &str = "Authorization server metadata";
    const NORM: &str = "RFC 8414";
    let mut told = match found {
        Ok(discovery) => {
            let mut told = probe(Quality::Good, TITLE, NORM, discovery.metadata_url.clone());
            told.document = Some(discovery.metadata.clone());
            told
        }
        Err(failure) if trace.iter().any(|one| one.step == STEP) => {
            probe(Quality::Bad, TITLE, NORM, failure.message.clone())
        }
        Err(_) => {
            probe(Quality::Unknown, TITLE, NORM, "Not looked for: nothing names an authorization server.")
        }
    };
    told.duration_ms = took(trace, STEP);
    told
}

/// Registration endpoint, PKCE and public clients: one line where all is well, else one for each.
fn offers(discovery: &Discovery) -> Vec<Probe> {
    let server = discovery.authorization_server();
    let endpoint = server.registration_endpoint();
    let pkce = server.code_challenge_methods_supported();
    let s256 = pkce.is_some_and(|methods| methods.iter().any(|method| method == "S256"));
    let methods = server.token_endpoint_auth_methods_supported();
    let public = methods.as_ref().map(|methods| methods.iter().any(|method| method == "none"));
    if let (Some(endpoint), true, Some(true)) = (endpoint, s256, public) {
        return vec![probe(
            Quality::Good,
            "Registration endpoint, S256 PKCE, public clients",
            "RFC 7591",
            endpoint,
        )];
    }
    vec![
        match endpoint {
            Some(endpoint) => probe(Quality::Good, "Registration endpoint", "RFC 7591", endpoint),
            None => probe(
                Quality::Doubtful,
                "No registration endpoint",
                "RFC 7591",
                "Clients are not registered automatically here.",
            ),
        },
        if s256 {
            probe(Quality::Good, "PKCE with S256", "RFC 7636", "Supported.")
        } else {
            probe(
                Quality::Bad,
                "No PKCE with S256",
                "RFC 7636",
                "The authorization server does not say that it supports it; MCP clients must refuse to sign in there.",
            )
        },
        match public {
            Some(true) => {
                probe(Quality::Good, "Public clients", "RFC 8414", "Clients without a secret are accepted.")
            }
            Some(false) => probe(
                Quality::Doubtful,
                "No public clients",
                "RFC 8414",
                format!("Clients must authenticate: {}.", methods.unwrap_or_default().join(", ")),
            ),
            None => probe(
                Quality::Doubtful,
                "Public clients not listed",
                "RFC 8414",
                "The authorization server does not list auth methods. What it answers when registering is used.",
            ),
        },
    ]
}

fn documents(desired: &Desired, discovery: &Discovery) -> Probe {
    let supported = discovery.authorization_server().client_id_metadata_document_supported();
    let (grade, title, detail) = match (supported, desired.publishes_documents) {
        (true, true) => {
            (Quality::Good, "Client ID Metadata Documents", "The authorization server reads them.")
        }
        (true, false) => (
            Quality::Good,
            "Client ID Metadata Documents",
            "The authorization server reads them; this deployment publishes none (`cimd.public_url` is not set).",
        ),
        (false, _) => (
            Quality::Unknown,
            "No Client ID Metadata Documents",
            "The authorization server does not say that it reads them.",
        ),
    };
    probe(grade, title, "optional", detail)
}

fn scopes(discovery: &Discovery) -> Probe {
    let listed = discovery.authorization_server().scopes_supported().unwrap_or_default();
    let scopes = if discovery.scopes.is_empty() { &listed } else { &discovery.scopes };
    if scopes.is_empty() {
        let detail = "The default sends no scope. Set one in the next step if sign-in asks for too little.";
        return probe(Quality::Doubtful, "No scopes advertised", "optional", detail);
    }
    let title = format!("{} scope{} advertised", scopes.len(), if scopes.len() == 1 { "" } else { "s" });
    probe(Quality::Good, &title, "optional", scopes.join(" "))
}
