//! What can go wrong at an upstream, sorted by who can mend it (`standards.md` §7.4).

use crate::clock::Timestamp;
use chrono::DateTime;
use serde_json::Value;

/// Who can mend a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// Time: connection, TLS, 408, 425, 429, 5xx.
    Transient,
    /// Nobody knows: the request was sent and no answer read, so a client may exist.
    Ambiguous,
    /// An admin: the authorization server does not offer or does not allow it.
    NeedsAdmin,
    /// An admin: the metadata are refused.
    Configuration,
    /// Nobody should: what was found contradicts itself or may not be reached.
    Security,
    /// The upstream's developer: the answer makes no sense.
    Protocol,
}

/// A failure at an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who can mend it.
    pub class: FailureClass,
    /// Stable reason code (`docs/problems.md`).
    pub code: &'static str,
    /// What happened and what to do, for people. Holds no secret.
    pub message: String,
    /// Seconds the upstream asked to wait.
    pub retry_after: Option<u64>,
    /// The authorization server's error code (RFC 7591 §3.2.2), cleaned.
    pub error: Option<String>,
    /// The authorization server's own words, cleaned, at most 500 characters.
    pub error_description: Option<String>,
}

impl Failure {
    /// A failure without words of the upstream.
    pub fn new(class: FailureClass, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), retry_after: None, error: None, error_description: None }
    }

    /// A registration was sent and its answer never read.
    pub fn answer_lost() -> Self {
        Self::new(
            FailureClass::Ambiguous,
            "answer_lost",
            "The registration was sent, but its answer was lost: a client may exist at the authorization server that nobody knows. It is tried once more after a pause; a second loss waits for you.",
        )
    }

    /// Whether the upstream's words contain one of `needles`, ignoring case.
    pub(super) fn mentions(&self, needles: &[&str]) -> bool {
        let words = format!(
            "{} {}",
            self.error.as_deref().unwrap_or_default(),
            self.error_description.as_deref().unwrap_or_default()
        )
        .to_lowercase();
        needles.iter().any(|needle| words.contains(needle))
    }
}

/// Upstream text fit to be kept and shown: control characters removed, at most `most` characters.
pub(super) fn clean(text: &str, most: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(most)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3): a number, or a date after `now`.
pub fn retry_after_seconds(header: &str, now: Timestamp) -> Option<u64> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(seconds);
    }
    let date = DateTime::parse_from_rfc2822(&header.replace("GMT", "+0000")).ok()?;
    u64::try_from((date.to_utc() - now).num_seconds()).ok()
}

/// What a refused registration means: `status` is not 200 or 201.
pub fn classify_refusal(status: u16, retry_after: Option<u64>, body: &[u8]) -> Failure {
    let document: Option<Value> = serde_json::from_slice(body).ok();
    let text = |name: &str, most| {
        let value = document.as_ref()?.get(name)?;
        value.as_str().map(|text| clean(text, most)).filter(|text| !text.is_empty())
    };
    let error = text("error", 100);
    let description = text("error_description", 500).or_else(|| text("message", 500)).or_else(|| {
        // Many refusals are not OAuth-shaped; their words are still what a person needs.
        document.is_none().then(|| clean(&String::from_utf8_lossy(body), 500)).filter(|text| !text.is_empty())
    });
    let mut failure = judge(status, error.as_deref(), description.as_deref());
    failure.retry_after = retry_after;
    failure.error = error;
    failure.error_description = description;
    failure
}

fn judge(status: u16, error: Option<&str>, description: Option<&str>) -> Failure {
    use FailureClass as C;
    let words = description.unwrap_or_default().to_lowercase();
    let about = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
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
    if (200..400).contains(&status) {
        return Failure::new(
            C::Protocol,
            "unexpected_status",
            format!(
                "The registration endpoint answered {status}, which is no answer to a registration (200 or 201 is)."
            ),
        );
    }
    match (status, error) {
        (_, Some("invalid_redirect_uri")) => redirect(),
        (401, _) | (_, Some("invalid_token")) => Failure::new(
            C::NeedsAdmin,
            "initial_access_token_needed",
            "The authorization server registers nobody without authorization. Enter its initial access token in `registration.initial_access_token`, or a client registered by hand in `client_id`.",
        ),
        (
            _,
            Some("invalid_client_metadata" | "invalid_software_statement" | "unapproved_software_statement"),
        ) => {
            if about(&["redirect"]) {
                redirect()
            } else {
                metadata()
            }
        }
        (403, _) | (_, Some("access_denied" | "insufficient_scope")) => Failure::new(
            C::NeedsAdmin,
            "registration_not_allowed",
            "The authorization server refuses this client. Its words say why: often only approved names or callbacks are allowed. Ask its owner to allow the callback or name, or enter a client registered by hand in `client_id`.",
        ),
        (404 | 405 | 410, _) => Failure::new(
            C::NeedsAdmin,
            "registration_not_supported",
            format!(
                "There is no registration endpoint at the advertised address ({status}). Enter a client registered by hand in `client_id`."
            ),
        ),
        _ if about(&["redirect"]) => redirect(),
        _ => metadata(),
    }
}

fn redirect() -> Failure {
    Failure::new(
        FailureClass::NeedsAdmin,
        "invalid_redirect_uri",
        "The authorization server does not accept the gateway's callback. Ask its owner to allow the callback URL shown here.",
    )
}

fn metadata() -> Failure {
    Failure::new(
        FailureClass::Configuration,
        "invalid_client_metadata",
        "The authorization server refuses the client metadata. Its words say which member; change it in the Advanced Configuration.",
    )
}
