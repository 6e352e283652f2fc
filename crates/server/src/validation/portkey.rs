//! Judges the section `gateway.portkey`.

use crate::config::Config;
use registry::{PortkeySettings, PushTarget, is_callback};
use registry_core::finding::{Finding, Findings};
use registry_core::secret::Secret;
use registry_outbound::check_trusted_url;

/// What the application gets of the section; `None`: `/v2` is not served.
pub(super) fn settings(config: &Config, findings: &mut Findings) -> Option<PortkeySettings> {
    let portkey = &config.gateway.portkey;
    let token = token(config, findings);
    if !portkey.enabled {
        if token.is_some() || !portkey.sync_urls.is_empty() {
            findings.push(Finding::warning(
                "/gateway/portkey/enabled",
                "no_effect",
                "`gateway.portkey.enabled` is false, so gateways are not told of changes. Set it to true, or remove the rest of the section.",
            ));
        }
        return None;
    }
    let Some(token) = token else {
        findings.push(Finding::warning(
            "/gateway/portkey/sync_token",
            "not_set",
            "Without `gateway.portkey.sync_token` gateways are not told of changes, and keep what they fetched for up to 17 hours. Set it to their MCP_SYNC_AUTH_TOKEN.",
        ));
        return Some(PortkeySettings::default());
    };
    let (urls, place) = if portkey.sync_urls.is_empty() {
        (&config.gateway.urls, "/gateway/urls")
    } else {
        (&portkey.sync_urls, "/gateway/portkey/sync_urls")
    };
    let mut push = Vec::new();
    // A gateway that is configured by its callback is another product's.
    for (index, url) in urls.iter().enumerate().filter(|(_, url)| !is_callback(url)) {
        match check_trusted_url(url) {
            Ok(_) => {
                push.push(PushTarget { url: url.trim_end_matches('/').to_owned(), token: token.clone() });
            }
            Err(why) => findings.push(Finding::error(
                format!("{place}/{index}"),
                "invalid_url",
                format!(
                    "The gateway cannot be told of changes at this address: {why}. The token is sent with it."
                ),
            )),
        }
    }
    Some(PortkeySettings { push })
}

fn token(config: &Config, findings: &mut Findings) -> Option<Secret> {
    let portkey = &config.gateway.portkey;
    let mut refuse = |code, message: String| {
        findings.push(Finding::error("/gateway/portkey/sync_token_file", code, message));
        None
    };
    let token = match (&portkey.sync_token, &portkey.sync_token_file) {
        (Some(_), Some(_)) => {
            let message = "Set one of `gateway.portkey.sync_token` and `gateway.portkey.sync_token_file`.";
            return refuse("conflict", message.to_owned());
        }
        (None, Some(file)) => match std::fs::read_to_string(file) {
            Ok(text) => Some(Secret::new(text.trim().to_owned())),
            Err(error) => {
                let message = format!("The file {} cannot be read: {error}.", file.display());
                return refuse("unreadable_file", message);
            }
        },
        (token, None) => token.clone(),
    };
    token.filter(|token| !token.expose().is_empty())
}
