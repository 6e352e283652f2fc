//! Which upstream addresses may be reached, and the timeouts.

use super::Tab;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use crate::view::{Shell, html};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use chrono::Duration;
use registry_core::backoff;
use registry_core::permission::Permission;

#[derive(Template)]
#[template(path = "pages/settings_outgoing.html")]
struct Page {
    shell: Shell,
    allowed: Vec<String>,
    loopback: bool,
    /// Name, duration, and the setting; `None`: built in.
    patience: Vec<(&'static str, String, Option<&'static str>)>,
}

#[get("/settings/outgoing")]
pub(super) async fn show(request: HttpRequest, signed_in: SignedInUser) -> Result<HttpResponse, Failure> {
    signed_in.actor.require_organisation(Permission::ReadOrganisation)?;
    let settings = signed_in.registry.settings();
    let (retry, life, rate) = (settings.retry, settings.life, settings.issuer_rate);
    let std = |wait| Duration::from_std(wait).unwrap_or_default();
    let steps =
        format!("{} to {}, doubling", span(std(backoff::FIRST_INTERVAL)), span(std(backoff::MAX_INTERVAL)));
    let patience = vec![
        ("Between tries that may succeed by themselves", steps, None),
        ("The longest `Retry-After` that is believed", span(std(backoff::MAX_RETRY_AFTER)), None),
        ("One request may take", span(std(settings.lease) / 3), Some("worker.request_timeout")),
        (
            "Before repeating what had no answer, once",
            span(retry.unconfirmed_pause),
            Some("worker.unconfirmed_pause"),
        ),
        (
            "Requests to one authorization server",
            format!("{} at once, then {} a minute", rate.burst, rate.per_minute),
            Some("worker.issuer_rate"),
        ),
        (
            "Looking for the authorization server again",
            span(life.rediscover_every),
            Some("worker.rediscover_every"),
        ),
        (
            "Checking a client that no gateway fetched",
            span(life.refresh_unused_after),
            Some("worker.refresh_unused_after"),
        ),
        ("Keeping a replaced client", span(life.drain_for), Some("worker.drain_for")),
        (
            "Keeping a client after access was switched off",
            span(life.withdraw_after),
            Some("worker.withdraw_after"),
        ),
        (
            "Between replacements that gateways' reports lead to",
            span(life.replace_cooldown),
            Some("worker.replace_cooldown"),
        ),
    ];
    let page = Page {
        shell: Shell::of(&request, &signed_in, "settings", "Outgoing requests"),
        allowed: settings.egress.allow.iter().cloned().map(String::from).collect(),
        loopback: settings.egress.allow_http_loopback,
        patience,
    };
    Ok(html(StatusCode::OK, &page)?)
}

/// A duration in its largest whole unit.
fn span(length: Duration) -> String {
    let seconds = length.num_seconds();
    let (count, unit) = [(86_400, "day"), (3_600, "hour"), (60, "minute")]
        .into_iter()
        .find(|(size, _)| seconds >= *size && seconds % size == 0)
        .map_or((seconds, "second"), |(size, unit)| (seconds / size, unit));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_whole_units() {
        for (seconds, words) in [
            (1, "1 second"),
            (90, "90 seconds"),
            (3_600, "1 hour"),
            (2_592_000, "30 days"),
            (86_401, "86401 seconds"),
        ] {
            assert_eq!(span(Duration::seconds(seconds)), words);
        }
    }
}
