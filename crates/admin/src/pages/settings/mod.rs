//! Settings: the values in effect and where they are set. Only users and the organisation's layer are changed here;
//! the operator sets the rest in the configuration file.

mod gateways;
mod groups;
mod invite;
mod outgoing;
mod user;
mod users;

pub(crate) use groups::decided_by;

use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use registry::ConfigurationScope;
use registry_core::permission::Permission;
use serde_json::Value;

/// Mounts the routes of these pages.
pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .service(defaults)
        .service(gateways::show)
        .service(gateways::check)
        .service(outgoing::show)
        .service(users::list)
        .service(users::confirm_deactivate)
        .service(users::deactivate)
        .service(users::reactivate)
        .service(user::change)
        .service(user::end_all)
        .service(user::end_one)
        .service(users::confirm_link)
        .service(users::new_link)
        .service(invite::show)
        .service(invite::submit)
        .service(user::show);
}

#[derive(Template)]
#[template(path = "pages/settings.html")]
struct Page {
    shell: Shell,
    /// Member and value; `None`: not set.
    defaults: Vec<(&'static str, Option<String>)>,
    /// The number of members that the organisation's layer sets.
    layer: usize,
    /// `registration.replace` of the organisation's layer.
    replace: Option<String>,
}

/// The selected tab.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tab {
    Defaults,
    Gateways,
    Outgoing,
    Users,
}

#[get("/settings")]
async fn defaults(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    signed_in.actor.require_organisation(Permission::ReadOrganisation)?;
    let branding = serde_json::to_value(&signed_in.registry.shared_settings().branding).unwrap_or_default();
    let layer =
        signed_in.registry.configurations().get(&signed_in.actor, &ConfigurationScope::Organisation).await?;
    let layer: Value = layer.text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let metadata = layer.get("oauth_client_metadata").or_else(|| layer.get("oauth_metadata"));
    let page = Page {
        shell: Shell::of(&request, &signed_in, "settings", "Settings"),
        defaults: MEMBERS
            .iter()
            .map(|member| {
                (*member, branding.get(member).map(crate::view::plain).filter(|text| !text.is_empty()))
            })
            .collect(),
        layer: metadata.and_then(Value::as_object).map_or(0, serde_json::Map::len),
        replace: layer.pointer("/registration/replace").and_then(Value::as_str).map(str::to_owned),
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// The members of the configuration section `branding`.
const MEMBERS: [&str; 12] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "software_id",
    "software_version",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "grant_types",
    "response_types",
    "token_endpoint_auth_method",
];
