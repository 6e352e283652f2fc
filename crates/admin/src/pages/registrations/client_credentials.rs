//! Forms of a registration: credentials of a pre-registered client, or an initial access token.

use super::actions::answer;
use super::list::Problem;
use super::show::refused;
use crate::http::choice::known;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use askama::Template;
use registry::{ClientCredentials, Error, RegistrationDetail};
use registry_core::finding::{Finding, Severity};
use registry_core::id::RegistrationId;
use registry_core::permission::Permission;
use registry_core::secret::Secret;
use serde::Deserialize;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(show).service(submit).service(submit_token);
}

/// The display names of token endpoint authentication methods (RFC 7591 §2).
const METHODS: [(&str, &str); 4] = [
    ("", "As set in the Advanced Configuration, or as the server offers"),
    ("none", "Not at all: a public client (none)"),
    ("client_secret_basic", "With its secret in a header (client_secret_basic)"),
    ("client_secret_post", "With its secret in the form (client_secret_post)"),
];

/// The form. The secret is never sent back: after a refusal the user enters it again.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Form {
    client_id: String,
    client_secret: String,
    method: String,
}

#[derive(Template)]
#[template(path = "pages/registration_client.html")]
struct Page {
    shell: Shell,
    detail: RegistrationDetail,
    client_id: String,
    method: String,
    problems: Vec<Finding>,
    /// Whether a secret was typed, which is not shown again.
    secret_typed: bool,
}

impl Page {
    /// The id of the field that a finding is about.
    #[expect(clippy::unused_self, reason = "called from the template")]
    fn field(&self, finding: &Finding) -> &'static str {
        match finding.pointer.rsplit('/').next() {
            Some("client_secret") => "client_secret",
            Some("token_endpoint_auth_method") => "method",
            _ => "client_id",
        }
    }

    fn problem(&self, field: &str) -> Option<&Finding> {
        self.problems.iter().find(|finding| self.field(finding) == field)
    }
}

#[get("/registrations/{registration}/client")]
async fn show(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<RegistrationId>,
) -> Result<HttpResponse, Failure> {
    render(&request, &signed_in, *path, &Form::default(), Vec::new()).await
}

async fn render(
    request: &HttpRequest,
    signed_in: &SignedInUser,
    id: RegistrationId,
    form: &Form,
    problems: Vec<Finding>,
) -> Result<HttpResponse, Failure> {
    signed_in.actor.require(Permission::OperateRegistrations)?;
    let detail = signed_in.registry.registrations().get(&signed_in.actor, id).await?;
    if detail.registration.server_deleted {
        let message = "The server of this registration is gone; no client is needed.".to_owned();
        let problem = Problem { field: "", message };
        return refused(request, signed_in, id, problem, StatusCode::CONFLICT).await;
    }
    let (status, title) = if problems.is_empty() {
        (StatusCode::OK, "Enter a client")
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Problem: enter a client")
    };
    let page = Page {
        shell: Shell::of(request, signed_in, "registrations", title),
        detail,
        client_id: form.client_id.clone(),
        method: form.method.clone(),
        problems,
        secret_typed: !form.client_secret.is_empty(),
    };
    Ok(html(status, &page)?)
}

#[post("/registrations/{registration}/client")]
async fn submit(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<RegistrationId>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Failure> {
    let form = form.into_inner();
    known("method", METHODS.iter().find(|(word, _)| *word == form.method))?;
    if form.client_id.trim().is_empty() {
        let finding = Finding::error("/client_id", "empty_value", "Write the `client_id` that was issued.");
        return render(&request, &signed_in, *path, &form, vec![finding]).await;
    }
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let client = ClientCredentials {
        client_id: form.client_id.trim().to_owned(),
        client_secret: filled(&form.client_secret).map(Secret::new),
        token_endpoint_auth_method: filled(&form.method),
    };
    match signed_in.registry.registrations().set_client_credentials(&signed_in.actor, *path, client).await {
        Err(Error::Invalid(findings)) => {
            let errors = findings.0.into_iter().filter(|one| one.severity == Severity::Error).collect();
            render(&request, &signed_in, *path, &form, errors).await
        }
        asked => answer(&request, &signed_in, *path, asked, "entered").await,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenForm {
    token: String,
}

#[post("/registrations/{registration}/access-token")]
async fn submit_token(
    request: HttpRequest,
    signed_in: SignedInUser,
    path: web::Path<RegistrationId>,
    form: web::Form<TokenForm>,
) -> Result<HttpResponse, Failure> {
    let token = form.into_inner().token;
    let problem = if token.trim().is_empty() {
        signed_in.actor.require(Permission::OperateRegistrations)?;
        "Write the initial access token that the authorization server's owner gave you.".to_owned()
    } else {
        let token = Secret::new(token.trim().to_owned());
        match signed_in
            .registry
            .registrations()
            .set_initial_access_token(&signed_in.actor, *path, token)
            .await
        {
            Err(Error::Invalid(findings)) => {
                let first = findings.0.into_iter().find(|one| one.severity == Severity::Error);
                first.map(|finding| finding.message).unwrap_or_default()
            }
            asked => return answer(&request, &signed_in, *path, asked, "token").await,
        }
    };
    let problem = Problem { field: "token", message: problem };
    refused(&request, &signed_in, *path, problem, StatusCode::UNPROCESSABLE_ENTITY).await
}
