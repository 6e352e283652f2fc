//! What can go wrong at an upstream, sorted by who can fix it (INV-14).

use crate::clock::Timestamp;
use crate::secret::Secret;
use chrono::DateTime;
use serde_json::Value;

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
}

/// A failure at an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Who can fix the failure.
    pub class: FailureClass,
    /// Stable reason code (`docs/problems.md`).
    pub code: &'static str,
    /// What happened and what to do, as a sentence for users. Contains no secret.
    pub message: String,
    /// Seconds the upstream asked to wait.
    pub retry_after: Option<u64>,
    /// The authorization server's error code (RFC 7591 §3.2.2), cleaned.
    pub error: Option<String>,
    /// The authorization server's own words, cleaned, at most 500 characters.
    pub error_description: Option<String>,
}

impl Failure {
    /// A failure without an error description of the upstream.
    pub fn new(class: FailureClass, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), retry_after: None, error: None, error_description: None }
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

    /// The same failure without `secret`, which an upstream may have repeated in its words.
    #[must_use]
    pub fn without(mut self, secret: &Secret) -> Self {
        self.message = secret.scrub(&self.message);
        self.error = self.error.map(|error| secret.scrub(&error));
        self.error_description = self.error_description.map(|words| secret.scrub(&words));
        self
    }
}

/// Upstream text fit to be kept and shown: without control characters, and without the invisible ones that turn the
/// direction of what follows; at most `most` characters.
pub(crate) fn clean(text: &str, most: usize) -> String {
    text.chars()
        .filter(|c| !is_hidden(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(most)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Whether a character is invisible or turns the direction of what follows, without being a control character.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The error text of a response that is not JSON: its text, or the title of an HTML page.
fn words_of(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let words = if text.trim_start().starts_with('<') {
        // `to_ascii_lowercase` keeps every position.
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title")?;
        let start = title + lower[title..].find('>')? + 1;
        let end = start + lower[start..].find('<')?;
        clean(&text[start..end], 500)
    } else {
        clean(&text, 500)
    };
    (!words.is_empty()).then_some(words)
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

/// What a refused registration means: `status` is not 200 or 201.
pub fn classify_refusal(status: u16, retry_after: Option<u64>, body: &[u8]) -> Failure {
    let document: Option<Value> = serde_json::from_slice(body).ok();
    let text = |name: &str, most| {
        let value = document.as_ref()?.get(name)?;
        value.as_str().map(|text| clean(text, most)).filter(|text| !text.is_empty())
    };
    let error = text("error", 100);
    let description = text("error_description", 500).or_else(|| text("message", 500)).or_else(|| {
        // Many refusals are not OAuth errors; their text still helps users. A response that is not a refusal may hold a
        // client and its secret, so its text is not used.
        (status >= 400 && document.is_none()).then(|| words_of(body)).flatten()
    });
    let mut failure = classify(status, error.as_deref(), description.as_deref());
    failure.retry_after = retry_after;
    failure.error = error;
    failure.error_description = description;
    failure
}

fn classify(status: u16, error: Option<&str>, description: Option<&str>) -> Failure {
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
    if status < 400 {
        return Failure::new(
            C::Protocol,
            "unexpected_status",
            format!(
                "The registration endpoint answered {status}, which is not a valid response to a registration (200 or 201)."
            ),
        );
    }
    match (status, error) {
        (_, Some("invalid_redirect_uri")) => redirect(),
        (401, _) | (_, Some("invalid_token")) => Failure::new(
            C::NeedsAdmin,
            "initial_access_token_needed",
            "The authorization server requires authorization for registration. Enter its initial access token in `registration.initial_access_token`, or a client registered manually in `client_id`.",
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
            "The authorization server refuses this client; its error description says why. Often only approved names or callbacks are allowed. Ask its owner to allow the callback or name, or enter a client registered manually in `client_id`.",
        ),
        (404 | 405 | 410, _) => Failure::new(
            C::NeedsAdmin,
            "registration_not_supported",
            format!(
                "There is no registration endpoint at the advertised address ({status}). Enter a client registered manually in `client_id`."
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
        "The authorization server refuses the client metadata. Its error description names the member; change it in the Advanced Configuration.",
    )
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
        let words = |status, body: &str| classify_refusal(status, None, body.as_bytes()).error_description;
        assert_eq!(words(403, "Forbidden\r\n").as_deref(), Some("Forbidden"));
        assert_eq!(
            words(502, "<!DOCTYPE html><html><head><TITLE>Bad\ngateway</TITLE></head>").as_deref(),
            Some("Bad gateway")
        );
        assert_eq!(words(502, "<html><body>no title"), None);
        assert_eq!(words(400, r#"{"message":"a\u0000b\u202ec"}"#).as_deref(), Some("a bc"));
        assert_eq!(words(400, &"é".repeat(600)).map(|text| text.chars().count()), Some(500));
        assert_eq!(words(202, "client_secret=canary"), None, "what is no refusal may hold a secret");
        let failure =
            classify_refusal(401, Some(5), br#"{"error":"invalid_token","error_description":"bad canary"}"#);
        assert_eq!(failure.retry_after, Some(5));
        assert_eq!(
            failure.without(&Secret::new("canary")).error_description.as_deref(),
            Some("bad [secret]")
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_refusals_never_panic(status: u16, body: Vec<u8>, page in "<title.{0,40}") {
            let _ = classify_refusal(status, None, &body);
            let _ = classify_refusal(status, None, page.as_bytes());
        }
    }
}
