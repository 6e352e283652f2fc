//! What can go wrong at an upstream, sorted by who can fix it (INV-14).

use super::clean::clean;
use super::http_answer::HttpAnswer;
use super::refusal_words::refusal_words;
use super::unusable::UnusableClient;
use crate::clock::Timestamp;
use crate::secret::Secret;
use chrono::DateTime;

/// The longest pause that an upstream may ask for, in seconds (INV-8).
const MAX_RETRY_AFTER: u64 = 24 * 60 * 60;

/// The code of a read or an update whose answer was lost.
pub const MANAGEMENT_ANSWER_LOST: &str = "management_answer_lost";

/// Who can fix a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// Time: connection, TLS, 408, 425, 429, 5xx.
    Transient,
    /// The outcome is unknown: the request was sent and no answer was read, so a client may exist.
    Ambiguous,
    /// An admin: the authorization server does not offer or does not allow it.
    NeedsAdmin,
    /// An admin: the metadata are refused.
    Configuration,
    /// Not retried: what was found contradicts itself or may not be reached.
    Security,
    /// The upstream's developer: the answer makes no sense.
    Protocol,
    /// A registration was answered with success and yields no usable client: one may exist, so it is never repeated without
    /// a user (INV-3, INV-11).
    Unusable,
}

/// A failure at an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who can fix the failure.
    pub class: FailureClass,
    /// Stable reason code (`docs/registration-failures.md`).
    pub code: &'static str,
    /// What happened and what to do, as a sentence for users. Contains no secret.
    pub message: String,
    /// Seconds the upstream asked to wait.
    pub retry_after: Option<u64>,
    /// The authorization server's error code (RFC 7591 §3.2.2), cleaned.
    pub error: Option<String>,
    /// The authorization server's own words, cleaned, at most 500 characters.
    pub error_description: Option<String>,
    /// What is known of a client that was made and that cannot be used; also of one whose answer was cut off.
    pub unusable: Option<Box<UnusableClient>>,
}

impl Failure {
    /// A failure without an error description of the upstream.
    pub fn new(class: FailureClass, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            class,
            code,
            message: message.into(),
            retry_after: None,
            error: None,
            error_description: None,
            unusable: None,
        }
    }

    /// A registration was sent and its answer never read.
    pub fn answer_lost() -> Self {
        Self::new(
            FailureClass::Ambiguous,
            "answer_lost",
            "The registration was sent, but its response was lost: an unknown client may exist at the authorization server. The registration is tried once more after a pause; after a second lost response a user must decide.",
        )
    }

    /// A request to the client's management address (RFC 7592) was sent and its answer never read.
    pub fn management_answer_lost() -> Self {
        Self::new(
            FailureClass::Ambiguous,
            MANAGEMENT_ANSWER_LOST,
            "The client was to be read or updated at the authorization server, but the answer was lost: its secret and its registration access token may have been replaced there. It is asked again after a pause.",
        )
    }

    /// The same failure of a registration that was answered with success: a client may have been made, so the registration
    /// is not repeated by itself.
    #[must_use]
    pub fn with_unusable_client(self, client: UnusableClient) -> Self {
        let message = format!(
            "{} {} The registration is not repeated by itself, because each repetition may create another client: press Retry when the cause is gone.",
            self.message,
            client.fate()
        );
        Self { class: FailureClass::Unusable, message, unusable: Some(Box::new(client)), ..self }
    }

    /// The same failure without `secret`, which an upstream may have repeated in its words.
    #[must_use]
    pub fn without(mut self, secret: &Secret) -> Self {
        self.message = secret.scrub(&self.message);
        self.error = self.error.map(|error| secret.scrub(&error));
        self.error_description = self.error_description.map(|words| secret.scrub(&words));
        self.unusable = self.unusable.map(|client| Box::new(client.without(secret)));
        self
    }
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3): a number, or a date after `now`; at most a day.
pub fn retry_after_seconds(header: &str, now: Timestamp) -> Option<u64> {
    let header = header.trim();
    let seconds = header.parse().ok().or_else(|| {
        let date = DateTime::parse_from_rfc2822(&header.replace("GMT", "+0000")).ok()?;
        u64::try_from((date.to_utc() - now).num_seconds()).ok()
    })?;
    Some(seconds.min(MAX_RETRY_AFTER))
}

/// What a refused registration means: `answer` has no success as its status, or says with one that it refuses.
pub fn classify_refusal(answer: &HttpAnswer<'_>) -> Failure {
    let words = refusal_words(answer);
    // A refusal with a success as its status means what its body says.
    let status = if answer.is_success() { words.status.unwrap_or(400) } else { answer.status };
    let mut failure = match status {
        300..=399 => redirected(answer),
        _ => classify(
            (status, answer.status),
            words.error.as_deref(),
            words.description.as_deref(),
            words.is_page,
        ),
    };
    if answer.is_success() {
        failure.message =
            format!("{} (The status was {}; the body says that it failed.)", failure.message, answer.status);
    }
    failure.retry_after = answer.retry_after;
    failure.error = words.error;
    failure.error_description = words.description;
    failure
}

/// A redirect of a request that is never redirected: its body would be sent to another address.
fn redirected(answer: &HttpAnswer<'_>) -> Failure {
    let message = match answer
        .location
        .map(|location| clean(location, 500))
        .filter(|location| !location.is_empty())
    {
        Some(location) => format!(
            "The registration endpoint answered {} with a redirect to {location}, which is not followed. If that is the address for registrations, set `registration_endpoint` to it, as a complete URL; if it is a page to sign in, ask the server's owner.",
            answer.status
        ),
        None => format!(
            "The registration endpoint answered {} without an address (`Location`) that it redirects to. Ask the server's owner for the address for registrations, and set `registration_endpoint` to it.",
            answer.status
        ),
    };
    Failure::new(FailureClass::NeedsAdmin, "registration_redirected", message)
}

/// Whether `words` are about a callback. The word "redirect" alone is not: sign-in pages redirect as well.
fn is_about_callback(words: &str) -> bool {
    let plain = words.to_lowercase().replace(['_', '-', ' ', '\u{a0}', '`', '\'', '"'], "");
    ["redirecturi", "redirecturl", "redirectionuri", "redirectionurl", "callback"]
        .iter()
        .any(|one| plain.contains(one))
}

/// `status` decides, `shown` is the status of the response, which is told.
fn classify(
    (status, shown): (u16, u16),
    error: Option<&str>,
    description: Option<&str>,
    is_page: bool,
) -> Failure {
    use FailureClass as C;
    let about_callback = description.is_some_and(is_about_callback) || error.is_some_and(is_about_callback);
    if status == 429 {
        return Failure::new(
            C::Transient,
            "rate_limited",
            "The authorization server answered 429, too many registrations. It is tried again later.",
        );
    }
    if matches!(status, 408 | 425) || status >= 500 {
        return Failure::new(
            C::Transient,
            "upstream_unavailable",
            format!("The authorization server answered {status}. It is tried again later."),
        );
    }
    if status < 400 {
        return Failure::new(
            C::Protocol,
            "unexpected_status",
            format!("The registration endpoint answered {status}, which is no response to a registration."),
        );
    }
    match (status, error) {
        (_, Some("invalid_redirect_uri")) => redirect(),
        (401, _) | (_, Some("invalid_token")) => authorization_needed(shown, is_page),
        (
            _,
            Some("invalid_client_metadata" | "invalid_software_statement" | "unapproved_software_statement"),
        ) => {
            if about_callback {
                redirect()
            } else {
                metadata(shown, description)
            }
        }
        (402 | 403, _) | (_, Some("access_denied" | "insufficient_scope")) => {
            not_allowed(shown, is_page, description)
        }
        (404 | 405 | 410, _) => Failure::new(
            C::NeedsAdmin,
            "registration_not_supported",
            format!(
                "There is no registration endpoint at the advertised address ({status}). Enter a client registered manually in `client_id`."
            ),
        ),
        (406 | 415, _) => Failure::new(
            C::NeedsAdmin,
            "registration_not_supported",
            format!(
                "The registration endpoint does not accept registrations in JSON (it answered {status}), as RFC 7591 §3.1 has them. Enter a client registered manually in `client_id`."
            ),
        ),
        _ if about_callback => redirect(),
        _ => metadata(shown, description),
    }
}

fn authorization_needed(status: u16, is_page: bool) -> Failure {
    let what = if is_page {
        format!(
            "The registration endpoint answered {status} with a page, as a proxy or a sign-in in front of it does, so it cannot be used without authorization. Ask the server's owner whether registration needs an initial access token: enter it in `registration.initial_access_token`, or enter a client registered manually in `client_id`."
        )
    } else {
        "The authorization server requires authorization for registration. Enter its initial access token in `registration.initial_access_token`, or a client registered manually in `client_id`.".to_owned()
    };
    Failure::new(FailureClass::NeedsAdmin, "initial_access_token_needed", what)
}

fn not_allowed(status: u16, is_page: bool, description: Option<&str>) -> Failure {
    let what = if is_page {
        format!(
            "The registration endpoint answered {status} with a page, as a firewall or a bot check in front of an authorization server does. Ask its owner to let this deployment's requests through to the registration endpoint, or enter a client registered manually in `client_id`."
        )
    } else if description.is_some() {
        "The authorization server refuses this client; its error description says why. Often only approved names or callbacks are allowed. Ask its owner to allow the callback or name, or enter a client registered manually in `client_id`.".to_owned()
    } else {
        format!(
            "The authorization server refuses this client (it answered {status}) and does not say why. Often only approved names or callbacks are allowed, or an initial access token is needed (`registration.initial_access_token`). Ask its owner, or enter a client registered manually in `client_id`."
        )
    };
    Failure::new(FailureClass::NeedsAdmin, "registration_not_allowed", what)
}

fn redirect() -> Failure {
    Failure::new(
        FailureClass::NeedsAdmin,
        "invalid_redirect_uri",
        "The authorization server does not accept the gateway's callback. Ask its owner to allow the callback URL shown here.",
    )
}

fn metadata(status: u16, description: Option<&str>) -> Failure {
    let what = if description.is_some() {
        "The authorization server refuses the client metadata. Its error description names the member; change it in the Advanced Configuration.".to_owned()
    } else {
        format!(
            "The authorization server refuses the client metadata (it answered {status}) and does not say which member. Ask its owner what a registration may contain, or enter a client registered manually in `client_id`."
        )
    };
    Failure::new(FailureClass::Configuration, "invalid_client_metadata", what)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_parsed_and_bounded() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T10:00:00Z").unwrap().to_utc();
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999", Some(86_400)),
            ("Mon, 23 Nov 2026 10:02:00 GMT", Some(120)),
            ("Mon, 23 Nov 2026 09:00:00 GMT", None),
            ("Tue, 23 Nov 2027 10:00:00 GMT", Some(86_400)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after_seconds(header, now), seconds, "{header}");
        }
    }

    #[test]
    fn refusal_texts_are_safe_to_show() {
        let refused = |status, body: &str| classify_refusal(&HttpAnswer::new(status, body.as_bytes()));
        assert_eq!(
            refused(202, "client_secret=canary").error_description,
            None,
            "what is no refusal may hold a secret"
        );
        let body = r#"{"error":"invalid_token","error_description":"bad canary"}"#;
        let failure =
            classify_refusal(&HttpAnswer { retry_after: Some(5), ..HttpAnswer::new(401, body.as_bytes()) });
        assert_eq!(failure.retry_after, Some(5));
        assert_eq!(
            failure.without(&Secret::new("canary")).error_description.as_deref(),
            Some("bad [secret]")
        );
    }

    #[test]
    fn redirect_names_where_it_leads() {
        for (location, said) in [
            (Some("/register/"), "redirect to /register/,"),
            (Some("https://h/new\u{7}?x=1"), "redirect to https://h/new ?x=1,"),
            (Some("  "), "without an address"),
            (None, "without an address"),
        ] {
            for status in [300, 301, 302, 303, 304, 307, 308, 399] {
                let failure = classify_refusal(&HttpAnswer { location, ..HttpAnswer::new(status, b"") });
                assert_eq!(
                    (failure.class, failure.code),
                    (FailureClass::NeedsAdmin, "registration_redirected")
                );
                assert!(failure.message.contains(&format!("answered {status} ")), "{}", failure.message);
                assert!(
                    failure.message.contains(said) && failure.message.contains("`registration_endpoint`"),
                    "{}",
                    failure.message
                );
            }
        }
    }
}
