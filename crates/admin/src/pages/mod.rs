//! The pages, one file or folder per noun.

mod access;
mod account;
mod api_keys;
mod audit;
mod capabilities;
mod configuration;
mod drafts;
pub(crate) mod failure;
mod integrations;
mod logos;
mod orphans;
pub(crate) mod preflight;
pub(crate) mod registrations;
mod rollouts;
mod search;
mod settings;
mod shortcuts;
pub(crate) mod sign_in;
mod user_access;
mod workspaces;

use crate::http::session::SignedInUser;
use actix_web::HttpRequest;
use actix_web::web::ServiceConfig;
use registry_core::finding::Finding;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// All pages. Where two patterns match a path the earlier one wins, so `new` comes before `{integration}`.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .configure(sign_in::routes)
        .configure(sign_in::provider::routes)
        .configure(account::routes)
        .configure(drafts::routes)
        .configure(configuration::routes)
        .configure(preflight::routes)
        .configure(access::routes)
        .configure(capabilities::routes)
        .configure(user_access::routes)
        .configure(integrations::routes)
        .configure(registrations::routes)
        .configure(orphans::routes)
        .configure(rollouts::routes)
        .configure(workspaces::routes)
        .configure(api_keys::routes)
        .configure(logos::routes)
        .configure(search::routes)
        .configure(shortcuts::routes)
        .configure(audit::routes)
        .configure(settings::routes);
}

/// The public URL of this deployment, without trailing slash: the configured one, else the listen address. Never
/// the `Host` of the request: a sign-in link must not lead to a host that the sender of a request names.
fn base_url(request: &HttpRequest, signed_in: &SignedInUser) -> String {
    signed_in.registry.settings().public_url.clone().unwrap_or_else(|| {
        let config = request.app_config();
        let scheme = if config.secure() { "https" } else { "http" };
        format!("{scheme}://{}", reachable(config.local_addr()))
    })
}

/// The address of a listen address: an unspecified address ("all interfaces") cannot be reached.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// The refusals of a form; else the error itself.
fn problems(error: registry::Error) -> Result<Vec<Finding>, registry::Error> {
    match error {
        registry::Error::Invalid(findings) => Ok(findings.0),
        registry::Error::Conflict { code, message, pointer } => {
            Ok(vec![Finding::error(pointer.unwrap_or_default(), code, message)])
        }
        other => Err(other),
    }
}

/// The typed text, if it is not empty.
fn filled(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
