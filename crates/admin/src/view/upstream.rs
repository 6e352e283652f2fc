//! What an upstream server says about itself, for pages and rows of lists.

use super::icon::icon;
use super::text::when;
use registry::KnownServerInfo;
use registry_core::clock::Timestamp;
use registry_core::server_info::{ServerInfo, SyncStatus};
use serde_json::Value;

/// The longest icon that is put into a page, in bytes of its `data:` URL.
const MAX_ICON: usize = 32_768;
/// The longest name in a row of a list, in characters.
const MAX_LINE: usize = 48;
/// Images that browsers draw without running anything in them.
const IMAGES: [&str; 5] = ["png", "jpeg", "webp", "gif", "svg+xml"];

/// How current that is: a chip with the time of the last connection.
pub(crate) fn sync_state(known: &KnownServerInfo, now: &Timestamp) -> String {
    let seen = known.synced_at.as_ref().map(|at| when(at, now));
    let (class, name, words) = match (known.status, seen) {
        (SyncStatus::Synced, Some(seen)) => ("ok", "tick", format!("Seen {seen}")),
        (SyncStatus::Synced, None) => ("ok", "tick", "Seen".to_owned()),
        (SyncStatus::Pending, _) => ("", "clock", "Never seen".to_owned()),
        (SyncStatus::Error, Some(seen)) => ("warn", "warn", format!("Last try failed, seen {seen}")),
        (SyncStatus::Error, None) => ("warn", "warn", "Last try failed, never seen".to_owned()),
    };
    format!(r#"<span class="st {class}">{}<span>{words}</span></span>"#, icon(name))
}

/// Name and version on one line, for lists; empty: nothing is known.
pub(crate) fn upstream_line(known: Option<&KnownServerInfo>) -> String {
    let Some(info) = known.map(|known| &known.info) else { return String::new() };
    let mut parts = Vec::new();
    match (info.title.as_deref().or(info.server_name.as_deref()), info.server_version.as_deref()) {
        (Some(name), Some(version)) => parts.push(format!("{} {}", cut(name), cut(version))),
        (Some(name), None) => parts.push(cut(name)),
        (None, Some(version)) => parts.push(format!("version {}", cut(version))),
        (None, None) => {}
    }
    parts.extend(info.protocol_version.as_deref().map(|version| format!("MCP {}", cut(version))));
    parts.join(" · ")
}

fn cut(text: &str) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(MAX_LINE).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}

/// The first icon that needs no request: an image as a `data:` URL. Icons elsewhere are never loaded (INV-60).
pub(crate) fn upstream_icon(info: &ServerInfo) -> Option<&str> {
    let mut sources = info.icons.iter().flatten().filter_map(|one| one.get("src").and_then(Value::as_str));
    sources.find(|source| {
        let image = source.strip_prefix("data:image/").unwrap_or_default();
        source.len() <= MAX_ICON
            && IMAGES.iter().any(|name| {
                image.strip_prefix(name).is_some_and(|rest| rest.starts_with(';') || rest.starts_with(','))
            })
    })
}

/// The kinds of features that a server declared, for display.
pub(crate) fn declared(info: &ServerInfo) -> String {
    let names = info.capability_flags.iter().flat_map(|flags| flags.keys());
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use chrono::{TimeDelta, TimeZone, Utc};
    use serde_json::json;

    fn known(info: Value, status: SyncStatus, synced_at: Option<Timestamp>) -> KnownServerInfo {
        KnownServerInfo { info: serde_json::from_value(info).unwrap(), status, synced_at, error: None }
    }

    #[test]
    fn line_holds_what_is_known() {
        let full = json!({ "server_name": "linear", "title": "Linear", "server_version": "1.4", "protocol_version": "2025-11-25" });
        for (info, line) in [
            (full, "Linear 1.4 · MCP 2025-11-25"),
            (json!({ "server_name": "linear" }), "linear"),
            (json!({ "server_version": "1.4" }), "version 1.4"),
            (json!({ "protocol_version": "2025-11-25" }), "MCP 2025-11-25"),
            (json!({}), ""),
        ] {
            assert_eq!(upstream_line(Some(&known(info, SyncStatus::Synced, None))), line);
        }
        let long = known(json!({ "title": "ä".repeat(500) }), SyncStatus::Synced, None);
        assert_eq!(upstream_line(Some(&long)).chars().count(), MAX_LINE + 1);
        assert_eq!(upstream_line(None), "");
    }

    #[test]
    fn state_says_when_it_was_seen() {
        let now = Utc.with_ymd_and_hms(2026, 11, 23, 4, 0, 0).unwrap();
        let at = Some(now - TimeDelta::minutes(5));
        for (status, at, words) in [
            (SyncStatus::Pending, None, "Never seen"),
            (SyncStatus::Synced, at, "5 min ago"),
            (SyncStatus::Error, at, "Last try failed, seen <time"),
            (SyncStatus::Error, None, "never seen"),
        ] {
            let html = sync_state(&known(json!({}), status, at), &now);
            assert!(html.contains(words), "{html}");
        }
    }

    #[test]
    fn icons_that_need_a_request_are_not_shown() {
        for (source, is_shown) in [
            ("data:image/png;base64,AA", true),
            ("data:image/svg+xml,%3Csvg/%3E", true),
            ("https://a.example/x.png", false),
            ("data:text/html,x", false),
            ("data:image/pngx;base64,AA", false),
        ] {
            let info = ServerInfo {
                icons: Some(vec![json!({ "src": 7 }), json!({ "src": source })]),
                ..ServerInfo::default()
            };
            assert_eq!(upstream_icon(&info).is_some(), is_shown, "{source}");
        }
        let big = format!("data:image/png;base64,{}", "A".repeat(MAX_ICON));
        let info = ServerInfo { icons: Some(vec![json!({ "src": big })]), ..ServerInfo::default() };
        assert_eq!(upstream_icon(&info), None);
    }
}
