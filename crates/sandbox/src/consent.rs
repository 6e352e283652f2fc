//! The HTML pages: the consent page and its preview, the index, a failure page. No script, everything escaped.

use crate::answer;
use crate::state::{RegisteredClient, State};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use url::Url;

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(|state: web::Data<State>| async move { index(&state) }))
        .route(
            "/consent/{client_id}",
            web::get().to(|state: web::Data<State>, client_id: web::Path<String>| async move {
                preview(&state, &client_id)
            }),
        )
        .route(
            "/style.css",
            web::get().to(|| async {
                HttpResponse::Ok()
                    .content_type("text/css; charset=utf-8")
                    .body(include_str!("../templates/style.css"))
            }),
        )
        .route(
            "/icon.svg",
            web::get().to(|| async {
                HttpResponse::Ok().content_type("image/svg+xml").body(include_str!("../templates/icon.svg"))
            }),
        );
}

/// A link a client gave: shown as text, and followed only when it is a web address.
struct Link<'a> {
    label: &'static str,
    address: &'a str,
    followed: bool,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    service: &'a str,
    name: &'a str,
    initial: String,
    client_id: &'a str,
    scopes: Vec<&'a str>,
    about: Vec<Link<'a>>,
    legal: Vec<Link<'a>>,
    contacts: Vec<&'a str>,
    software_id: &'a str,
    software_version: &'a str,
    redirect_host: String,
    /// Number of the waiting authorization; absent in the preview.
    request: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "index.html")]
struct IndexPage<'a> {
    service: &'a str,
    mcp_url: String,
    issuer: String,
    documents: Vec<String>,
    clients: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    text: &'a str,
}

/// The consent page for `client` and the asked `scope`; `running` is the waiting authorization and its redirect URI.
pub(crate) fn page(
    state: &State,
    client: &RegisteredClient,
    scope: &str,
    running: Option<(&str, &str)>,
) -> HttpResponse {
    let name = Some(client.text("client_name")).filter(|name| !name.is_empty()).unwrap_or(&client.client_id);
    let redirects = client.list("redirect_uris");
    let redirect_uri = running.map(|(_, address)| address).or(redirects.first().copied()).unwrap_or_default();
    let target = Url::parse(redirect_uri).ok();
    let links = |members: &[(&'static str, &str)]| -> Vec<Link<'_>> {
        members.iter().filter_map(|&(label, member)| link(client, label, member)).collect()
    };
    let template = ConsentPage {
        service: &state.name,
        name,
        initial: name
            .chars()
            .find(|letter| letter.is_alphanumeric())
            .unwrap_or('?')
            .to_uppercase()
            .to_string(),
        client_id: &client.client_id,
        scopes: scope.split(' ').filter(|scope| !scope.is_empty()).collect(),
        about: links(&[("Website", "client_uri"), ("Logo", "logo_uri")]),
        legal: links(&[("Terms of service", "tos_uri"), ("Privacy policy", "policy_uri")]),
        contacts: client.list("contacts"),
        software_id: client.text("software_id"),
        software_version: client.text("software_version"),
        redirect_host: target
            .as_ref()
            .map(|target| target.origin().ascii_serialization())
            .unwrap_or_default(),
        request: running.map(|(number, _)| number),
    };
    answer::page(StatusCode::OK, &template, &target.map(|target| form_target(&target)).unwrap_or_default())
}

/// A source expression of the Content Security Policy for where the form's answer redirects to.
fn form_target(target: &Url) -> String {
    if target.origin().is_tuple() {
        target.origin().ascii_serialization()
    } else {
        format!("{}:", target.scheme())
    }
}

fn link<'a>(client: &'a RegisteredClient, label: &'static str, member: &str) -> Option<Link<'a>> {
    let address = Some(client.text(member)).filter(|address| !address.is_empty())?;
    let followed = Url::parse(address).is_ok_and(|address| matches!(address.scheme(), "http" | "https"));
    Some(Link { label, address, followed })
}

/// Shows an error to the user.
pub(crate) fn failure(status: StatusCode, text: &str) -> HttpResponse {
    answer::page(status, &FailurePage { text }, "")
}

fn preview(state: &State, client_id: &str) -> HttpResponse {
    let client = state.book().clients.get(client_id).cloned();
    match client {
        Some(client) => {
            let challenge = state.book().quirks.scopes_supported.join(" ");
            let scope = if client.text("scope").is_empty() { &challenge } else { client.text("scope") };
            page(state, &client, scope, None)
        }
        None => failure(StatusCode::NOT_FOUND, "This application is not registered here."),
    }
}

fn index(state: &State) -> HttpResponse {
    let book = state.book();
    let quirks = &book.quirks;
    let documents = State::resource_metadata_path(quirks)
        .map(str::to_owned)
        .into_iter()
        .chain([format!("/.well-known/oauth-authorization-server{}", quirks.issuer_path)])
        .collect();
    let clients = book
        .clients
        .values()
        .map(|client| (client.client_id.clone(), client.text("client_name").to_owned()))
        .collect();
    let template = IndexPage {
        service: &state.name,
        mcp_url: state.mcp_url(),
        issuer: state.issuer(quirks),
        documents,
        clients,
    };
    answer::page(StatusCode::OK, &template, "")
}
