//! What all templates share.

mod browser;
mod chip;
mod cost;
mod flash;
mod icon;
mod known_server;
mod place;
mod shell;
mod text;
mod upstream;

pub(crate) use browser::browser;
pub(crate) use chip::*;
pub(crate) use cost::Cost;
pub(crate) use flash::deletion_message;
pub(crate) use icon::icon;
pub(crate) use known_server::KnownServerBox;
pub(crate) use place::{Around, Place};
pub(crate) use shell::{SHORTCUTS_COOKIE, Shell, THEME_COOKIE};
pub(crate) use text::*;
pub(crate) use upstream::{declared, sync_state, upstream_icon, upstream_line};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

/// A rendered page.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Result<HttpResponse, askama::Error> {
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page.render()?))
}

/// A redirect after a form (303).
pub(crate) fn go(location: impl Into<String>) -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("location", location.into())).finish()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{ago, copy, level_chip, member, words};
    use chrono::{TimeDelta, TimeZone, Utc};
    use std::path::Path;

    #[test]
    fn markup_without_template_is_escaped() {
        let bad = "<img src=x onerror=alert(1)>\"'&";
        for html in [words(bad), words(&format!("`{bad}` and")), copy(bad, bad), level_chip(bad, bad)] {
            assert!(!html.contains("<img") && !html.contains(bad), "{html}");
        }
        assert_eq!(words("`scope` must be one string."), "<code>scope</code> must be one string.");
        assert_eq!(words("an odd ` stays"), "an odd ` stays");
    }

    #[test]
    fn pointers_and_timestamps_are_readable() {
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

    /// Templates may contain nothing that the Content-Security-Policy would refuse or that INV-60 forbids.
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
