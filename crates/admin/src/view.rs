//! What all templates share: the shell around a page, icons, chips, times.

use crate::assets;
use crate::session::{self, Visitor};
use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use chrono::SecondsFormat;
use registry_core::clock::Timestamp;
use registry_core::finding::{Finding, Severity};
use registry_core::permission::Permission;
use registry_core::registration::{AuthType, RegistrationMethod, State};
use serde_json::Value;
use std::fmt::Write as _;

/// The name of the cookie that keeps light, dark or system.
pub(crate) const THEME_COOKIE: &str = "mcp_registry_theme";

/// Everything around a page's content.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) section: &'static str,
    pub(crate) user: Option<String>,
    pub(crate) theme: &'static str,
    /// Registrations that a person should look at.
    pub(crate) attention: u64,
    pub(crate) flash: Option<String>,
    pub(crate) path: String,
    pub(crate) may_write: bool,
    pub(crate) may_administer: bool,
    pub(crate) version: &'static str,
    pub(crate) css: String,
    pub(crate) script: String,
    pub(crate) basic: bool,
}

impl Shell {
    /// For pages outside of a session.
    pub(crate) fn plain(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: "",
            user: None,
            theme: "system",
            attention: 0,
            flash: None,
            path: "/ui/integrations".to_owned(),
            may_write: false,
            may_administer: false,
            version: env!("CARGO_PKG_VERSION"),
            css: assets::url("app.css"),
            script: assets::url("app.js"),
            basic: !assets::FULL,
        }
    }

    /// For a visitor; `section` names the item of the side bar.
    pub(crate) fn of(
        request: &HttpRequest,
        visitor: &Visitor,
        section: &'static str,
        title: impl Into<String>,
    ) -> Self {
        let mut shell = Self::plain(title);
        shell.section = section;
        shell.user = Some(visitor.actor.name().to_owned());
        shell.theme = theme(request);
        shell.attention = visitor.attention;
        shell.flash = flash(request);
        request.uri().path().clone_into(&mut shell.path);
        shell.may_write = visitor.actor.can(Permission::WriteIntegrations);
        shell.may_administer =
            visitor.actor.can(Permission::ManageKeys) && visitor.actor.workspace().is_none();
        shell.version = session::state(request).version;
        shell
    }

    /// For a page that may be shown with or without a session.
    pub(crate) fn around(request: &HttpRequest, title: impl Into<String>) -> Self {
        let visitor = request.extensions().get::<Visitor>().cloned();
        match visitor {
            Some(visitor) => Self::of(request, &visitor, "", title),
            None => Self::plain(title).themed(request),
        }
    }

    /// The same in the theme this browser chose.
    pub(crate) fn themed(self, request: &HttpRequest) -> Self {
        Self { theme: theme(request), ..self }
    }

    /// What the theme button does: the next theme, and its name for people.
    pub(crate) fn next_theme(&self) -> &'static str {
        match self.theme {
            "system" => "light",
            "light" => "dark",
            _ => "system",
        }
    }

    /// The icon of the present theme.
    pub(crate) fn theme_icon(&self) -> &'static str {
        match self.theme {
            "light" => "sun",
            "dark" => "moon",
            _ => "half",
        }
    }

    /// Two letters for the account badge.
    pub(crate) fn initials(&self) -> String {
        initials(self.user.as_deref().unwrap_or_default())
    }
}

/// The theme this browser chose.
fn theme(request: &HttpRequest) -> &'static str {
    match request.cookie(THEME_COOKIE).as_ref().map(actix_web::cookie::Cookie::value) {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "system",
    }
}

/// What the page before this one did, as one of our own sentences: the address names which, never the words.
fn flash(request: &HttpRequest) -> Option<String> {
    let query = request.query_string();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, done) = pairs.find(|(name, _)| name == "done")?;
    let mut parts = done.split('-');
    let what = parts.next().unwrap_or_default();
    let mut number = || parts.next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    let count = |number: u64, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
    Some(match what {
        "saved" => format!("Saved as v{}. {} queued.", number(), count(number(), "registration")),
        "restored" => "Restored as a new version.".to_owned(),
        "created" => "Created.".to_owned(),
        "partly" => format!(
            "Created, but {} could not be made. Add what is missing below.",
            count(number(), "server")
        ),
        "deleted" => format!("Deleted, with {}.", count(number(), "server")),
        "revoked" => "The key is revoked.".to_owned(),
        "retry" => "It is tried again now.".to_owned(),
        "reregister" | "approve" => "A new client is being registered.".to_owned(),
        "skip" => "The client is kept as it is. The next change asks again.".to_owned(),
        "withdraw" => "The client is being withdrawn.".to_owned(),
        "resolved" => "Noted as dealt with.".to_owned(),
        "password" => "Your password is set.".to_owned(),
        _ => return None,
    })
}

/// A rendered page.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Result<HttpResponse, askama::Error> {
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.render()?))
}

/// Somewhere else, after a form.
pub(crate) fn go(location: impl Into<String>) -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", location.into())).finish()
}

/// The strokes of an icon, 16 × 16.
pub(crate) fn icon(name: &str) -> String {
    let strokes = match name {
        "plug" => "M6 2v3.5M10 2v3.5M4 5.5h8V8a4 4 0 0 1-8 0zM8 12v2.5",
        "list" => "M3 4.2l1.2 1.2L6.4 3M3 11l1.2 1.2 2.2-2.4M8.5 4.5H13M8.5 11H13",
        "box" => "M2.5 5.5h11v8h-11zM5.5 5.5V3h5v2.5M2.5 9h11",
        "key" => "M9.5 8.5a3 3 0 1 0-2 2.8V9.8h2v-1.3h3.8M13 7v3",
        "gear" => {
            "M8 5.7a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 0 0 0-4.6zM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6L5 5M11 11l1.4 1.4M12.4 3.6L11 5M5 11l-1.4 1.4"
        }
        "book" => {
            "M8 4c-1.4-1-3.2-1.2-5.5-1.2v9.7c2.3 0 4.1.2 5.5 1.2 1.4-1 3.2-1.2 5.5-1.2V2.8C11.2 2.8 9.4 3 8 4zM8 4v9.7"
        }
        "plus" => "M8 3v10M3 8h10",
        "copy" => "M5.5 5.5h7.5v7.5H5.5zM10.5 5.5V3H3v7.5h2.5",
        "search" => "M7 2.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8zM10.3 10.3l3.2 3.2",
        "ok" => "M8 1.9a6.1 6.1 0 1 0 0 12.2A6.1 6.1 0 0 0 8 1.9zM5.4 8.2l1.8 1.8 3.4-3.8",
        "bad" => "M8 1.9a6.1 6.1 0 1 0 0 12.2A6.1 6.1 0 0 0 8 1.9zM8 5v3.6M8 10.9v.2",
        "warn" => "M8 2.4L14.2 13H1.8zM8 6.4v3.2M8 11.3v.2",
        "clock" => "M8 1.9a6.1 6.1 0 1 0 0 12.2A6.1 6.1 0 0 0 8 1.9zM8 4.8V8l2.2 1.6",
        "turn" => "M13 5.2A5.6 5.6 0 0 0 3.2 5M3 10.8a5.6 5.6 0 0 0 9.8.2M13 2.4v2.8h-2.8M3 13.6v-2.8h2.8",
        "lock" => "M4 7.2h8v6H4zM5.6 7.2V5.2a2.4 2.4 0 0 1 4.8 0v2",
        "cross" => "M4 4l8 8M12 4l-8 8",
        "sun" => {
            "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.6v1.6M8 12.8v1.6M1.6 8h1.6M12.8 8h1.6M3.5 3.5l1.1 1.1M11.4 11.4l1.1 1.1M3.5 12.5l1.1-1.1M11.4 4.6l1.1-1.1"
        }
        "half" => {
            "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 0 0 8 2.2zM8 2.2v11.6M8 5.4l4.6-1M8 8.2h5.8M8 11l4.7 1"
        }
        "approx" => "M2.5 5.5c2.7-3 5.3 3 8 0M2.5 10.5c2.7-3 5.3 3 8 0M12.5 3.5v9",
        "ask" => {
            "M8 1.9a6.1 6.1 0 1 0 0 12.2A6.1 6.1 0 0 0 8 1.9zM6.3 6.3a1.8 1.8 0 1 1 2.5 1.7c-.6.3-.8.6-.8 1.2M8 11.2v.2"
        }
        "ring" => "M8 2.2a5.8 5.8 0 1 1-5.5 4",
        "info" => "M8 1.9a6.1 6.1 0 1 0 0 12.2A6.1 6.1 0 0 0 8 1.9zM8 7.3v3.6M8 5v.2",
        "tick" => "M3 8.5l3.2 3.2L13 5",
        "moon" => "M12.8 9.6A5.4 5.4 0 0 1 6.4 3.2a5.4 5.4 0 1 0 6.4 6.4z",
        _ => "M3 8h10",
    };
    format!(r#"<svg class="i" viewBox="0 0 16 16" aria-hidden="true"><path d="{strokes}"/></svg>"#)
}

/// Where a value comes from, as a chip with its rung of the ladder.
pub(crate) fn level(origin: &str) -> String {
    level_chip(origin, &capital(origin))
}

/// The same with other words on it.
pub(crate) fn level_chip(origin: &str, words: &str) -> String {
    let rung = ["default", "organisation", "integration", "workspace", "server"]
        .iter()
        .position(|one| *one == origin);
    let mut chip = format!(r#"<span class="lv {}">"#, escape(origin));
    match rung {
        Some(rung) => {
            chip.push_str(r#"<svg viewBox="0 0 13 14" aria-hidden="true">"#);
            let ladder = [("11.6", 5), ("8.8", 7), ("6", 9), ("3.2", 11), ("0.4", 13)];
            for (index, (y, width)) in ladder.iter().enumerate() {
                let on = if index == rung { r#" class="on""# } else { "" };
                // Writing to a string cannot fail.
                let _ = write!(chip, r#"<rect x="0" y="{y}" width="{width}" height="1.9" rx="0.9"{on}/>"#);
            }
            chip.push_str("</svg>");
        }
        None => chip += &icon(if origin == "ignored" { "cross" } else { "lock" }),
    }
    chip + &escape(words) + "</span>"
}

/// How many members of client metadata an integration sets, as the chip of its level.
pub(crate) fn fields(count: usize) -> String {
    level_chip("integration", &format!("{count} field{}", if count == 1 { "" } else { "s" }))
}

/// A moment as people say it, with the exact one beside it.
pub(crate) fn when(moment: &Timestamp, now: &Timestamp) -> String {
    let exact = exact(moment);
    let words = ago(moment, now);
    format!(r#"<time datetime="{exact}" title="{exact}">{words}</time>"#)
}

/// A button that copies `text`; without script it is not there.
pub(crate) fn copy(text: &str, label: &str) -> String {
    let (text, label, icon) = (escape(text), escape(label), icon("copy"));
    format!(
        r#"<button class="copy" type="button" data-text="{text}" aria-label="{label}" hidden>{icon}</button>"#
    )
}

/// One of our sentences: what stands between backticks is code.
pub(crate) fn words(sentence: &str) -> String {
    let parts: Vec<&str> = sentence.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // An odd backtick belongs to what is quoted.
        return escape(sentence);
    }
    parts.iter().enumerate().fold(String::new(), |mut html, (index, part)| {
        let part = escape(part);
        // Writing to a string cannot fail.
        let _ = if index % 2 == 1 { write!(html, "<code>{part}</code>") } else { write!(html, "{part}") };
        html
    })
}

/// Text for HTML, in a text or in a quoted attribute.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

/// One of five hues for a thing without a logo, always the same for the same name.
pub(crate) fn hue(name: &str) -> &'static str {
    let sum: usize = name.bytes().map(usize::from).sum();
    ["a", "b", "c", "d", "e"][sum % 5]
}

/// A state as icon, word and colour.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn state(state: &State) -> String {
    let (class, name) = state_look(state);
    format!(r#"<span class="st {class}">{}{}</span>"#, icon(name), capital(state.as_str()))
}

/// How a client ended, in words.
pub(crate) fn withdrawal(how: &str) -> &'static str {
    match how {
        "deleted" => "Deleted upstream",
        "unpublished" => "Not published any more",
        "entered" => "Entered by hand, not ours to delete",
        "shared" => "Its id serves another server",
        "forgotten" => "Gone upstream before",
        "sent" => "Deletion sent",
        "answer_lost" => "Deletion sent, answer lost",
        _ => "Could not be deleted, see the ledger of orphans",
    }
}

/// What saving would do to clients, as sentences.
pub(crate) fn cost(affected: registry::Affected) -> String {
    if affected.registrations == 0 {
        return "Saving would change no client.".to_owned();
    }
    let parts = [
        (affected.registered, "for a first client"),
        (affected.updated, "updated, which nobody notices"),
        (affected.rediscovered, "looked for at the new address first"),
        (affected.replaced, "replaced, so that people must sign in again"),
        (affected.asked, "kept as it is until somebody approves a new client"),
        (affected.withdrawn, "withdrawn"),
    ];
    let said: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let of = affected.registrations;
    if said.is_empty() {
        return format!(
            "Saving would look at {of} registration{} again and change no client.",
            if of == 1 { "" } else { "s" }
        );
    }
    format!("Saving would affect {of} registration{}: {}.", if of == 1 { "" } else { "s" }, said.join("; "))
}

/// Class and icon of a state.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn state_look(state: &State) -> (&'static str, &'static str) {
    match state {
        State::Registered => ("ok", "tick"),
        State::Queued => ("", "clock"),
        State::Registering | State::Withdrawing => ("info", "ring"),
        State::Outdated => ("info", "approx"),
        State::Retrying => ("warn", "turn"),
        State::Unconfirmed => ("warn", "ask"),
        State::Failed => ("bad", "bad"),
        State::Withdrawn => ("", "cross"),
    }
}

/// Class and icon of an attempt's outcome.
pub(crate) fn outcome_look(outcome: &str) -> (&'static str, &'static str) {
    match outcome {
        "succeeded" => ("ok", "tick"),
        "pending" => ("info", "ring"),
        "lost" => ("warn", "ask"),
        _ => ("bad", "bad"),
    }
}

/// What an authentication is called on pages.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn auth(auth_type: &AuthType) -> &'static str {
    match auth_type {
        AuthType::OauthAuto => "OAuth 2.1",
        AuthType::OauthClientCredentials => "Client credentials",
        AuthType::Headers => "Headers",
        AuthType::None => "None",
    }
}

/// What a method is called on pages.
#[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "askama passes references")]
pub(crate) fn method(method: &Option<RegistrationMethod>) -> &'static str {
    match method {
        Some(RegistrationMethod::Dcr) => "Dynamic registration",
        Some(RegistrationMethod::PreRegistered) => "Registered by hand",
        Some(RegistrationMethod::Cimd) => "Metadata document",
        None => "–",
    }
}

/// A finding as class, icon and words.
pub(crate) fn finding_look(finding: &Finding) -> (&'static str, String) {
    match finding.severity {
        Severity::Error => ("bad", icon("bad")),
        Severity::Warning => ("warn", icon("warn")),
        Severity::Notice => ("info", icon("info")),
    }
}

/// The member a JSON Pointer leads to, as people call it: without the wrapper of client metadata.
pub(crate) fn member(pointer: &str) -> String {
    let path = pointer.strip_prefix("/configurations").unwrap_or(pointer);
    let path = path
        .strip_prefix("/oauth_client_metadata/")
        .or_else(|| path.strip_prefix("/oauth_metadata/"))
        .unwrap_or_else(|| path.trim_start_matches('/'));
    path.replace('/', ".").replace("~1", "/").replace("~0", "~")
}

/// First letter large.
pub(crate) fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + characters.as_str())
}

/// Two letters that stand for a name.
pub(crate) fn initials(name: &str) -> String {
    let letters: String = name.chars().filter(|character| character.is_alphanumeric()).take(2).collect();
    capital(&letters)
}

/// A JSON value as people read it: lists joined, texts without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// JSON on several lines.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// An object on several lines.
pub(crate) fn pretty_map(members: &serde_json::Map<String, Value>) -> String {
    serde_json::to_string_pretty(members).unwrap_or_default()
}

/// A moment for machines and for the title of a relative time.
pub(crate) fn exact(moment: &Timestamp) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// How long ago, or how soon.
pub(crate) fn ago(moment: &Timestamp, now: &Timestamp) -> String {
    let seconds = (*now - *moment).num_seconds();
    let (count, unit) = match seconds.unsigned_abs() {
        0..=4 => return if seconds < 0 { "in a moment" } else { "now" }.to_owned(),
        count @ 5..=59 => (count, "s"),
        count @ 60..=3_599 => (count / 60, "min"),
        count @ 3_600..=86_399 => (count / 3_600, "h"),
        count => (count / 86_400, if count < 172_800 { "day" } else { "days" }),
    };
    if seconds >= 0 { format!("{count} {unit} ago") } else { format!("in {count} {unit}") }
}

/// A long id with its middle left out.
pub(crate) fn short(id: &str) -> String {
    let length = id.chars().count();
    if length <= 32 {
        return id.to_owned();
    }
    let start: String = id.chars().take(18).collect();
    let end: String = id.chars().skip(length - 10).collect();
    format!("{start}…{end}")
}

/// The path of an address, or the whole of what is none.
pub(crate) fn path_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.path().to_owned())
}

/// An address without its scheme, its middle left out when long.
pub(crate) fn short_url(url: &str) -> String {
    let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
    let length = bare.chars().count();
    if length <= 44 {
        return bare.to_owned();
    }
    let start: String = bare.chars().take(24).collect();
    let end: String = bare.chars().skip(length - 18).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{ago, copy, level_chip, member, words};
    use chrono::{TimeDelta, TimeZone, Utc};
    use std::path::Path;

    #[test]
    fn what_is_made_without_a_template_is_escaped() {
        let bad = "<img src=x onerror=alert(1)>\"'&";
        for html in [words(bad), words(&format!("`{bad}` and")), copy(bad, bad), level_chip(bad, bad)] {
            assert!(!html.contains("<img") && !html.contains(bad), "{html}");
        }
        assert_eq!(words("`scope` must be one string."), "<code>scope</code> must be one string.");
        assert_eq!(words("an odd ` stays"), "an odd ` stays");
    }

    #[test]
    fn pointers_and_moments_are_for_people() {
        for (pointer, name) in [
            ("/oauth_client_metadata/client_name", "client_name"),
            ("/configurations/oauth_client_metadata/contacts/0", "contacts.0"),
            ("/headers/a~1b", "headers.a/b"),
            ("/url", "url"),
            ("", ""),
        ] {
            assert_eq!(member(pointer), name);
        }
        let now = Utc.with_ymd_and_hms(2026, 11, 23, 4, 0, 0).unwrap();
        for (seconds, said) in [
            (0, "now"),
            (59, "59 s ago"),
            (-90, "in 1 min"),
            (-1, "in a moment"),
            (7_200, "2 h ago"),
            (86_400, "1 day ago"),
            (864_000, "10 days ago"),
        ] {
            assert_eq!(ago(&(now - TimeDelta::seconds(seconds)), &now), said);
        }
    }

    /// Templates may hold nothing that the Content-Security-Policy would refuse, nor what `ui.md` §5.1 forbids.
    #[test]
    fn templates_have_no_inline_style_script_or_handler() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates");
        let mut stack = vec![root];
        let mut seen = 0;
        while let Some(path) = stack.pop() {
            if path.is_dir() {
                stack.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            seen += 1;
            let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
            for forbidden in [
                " style=",
                "<style",
                "javascript:",
                "hx-on",
                "hx-vals=\"js",
                " onclick",
                " onload",
                " onsubmit",
                " onchange",
                " oninput",
                "http://",
                "https://unpkg",
                "|safe }}<!--",
            ] {
                let placeholder =
                    text.replace("placeholder=\"https://", "").replace("placeholder=\"http://", "");
                assert!(!placeholder.contains(forbidden), "{forbidden} in {}", path.display());
            }
            for script in text.match_indices("<script") {
                assert!(text[script.0..].starts_with("<script src="), "inline script in {}", path.display());
            }
        }
        assert!(seen > 10, "the templates were read");
    }
}
