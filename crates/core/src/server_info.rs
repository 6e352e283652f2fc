//! What an MCP server says about itself when a client connects (MCP, "Lifecycle": `serverInfo`, `protocolVersion`,
//! `capabilities`, `instructions`).

use crate::words::words;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

words! {
    /// Whether something is known of an upstream server.
    SyncStatus {
        /// Nobody has connected yet.
        Pending = "pending",
        /// The values are those of the last connection.
        Synced = "synced",
        /// The last try to connect failed; the values are older.
        Error = "error",
    }
}

/// How long a short text may be, in bytes; the rest is cut off.
const MAX_TEXT: usize = 500;
/// How long `instructions` and `description` may be, in bytes; the rest is cut off.
const MAX_LONG_TEXT: usize = 20_000;
/// How long icons and flags may be, as JSON, in bytes; longer ones are left out.
const MAX_JSON: usize = 65_536;

/// What a server says about itself. Every member may be absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerInfo {
    /// The name that the server gives itself.
    pub server_name: Option<String>,
    /// The version of the server.
    pub server_version: Option<String>,
    /// The negotiated version of the Model Context Protocol.
    pub protocol_version: Option<String>,
    /// Name for display.
    pub title: Option<String>,
    /// What the server is for.
    pub description: Option<String>,
    /// Page about the server.
    pub website_url: Option<String>,
    /// Icons, as the server names them: `src`, `mimeType`, `sizes`.
    pub icons: Option<Vec<Value>>,
    /// The capabilities that were negotiated, e.g. `tools.listChanged`.
    pub capability_flags: Option<Map<String, Value>>,
    /// How clients shall use the server.
    pub instructions: Option<String>,
}

impl ServerInfo {
    /// Bounded and cleaned: texts are cut to their maximum length, empty texts and icons without an address that a page may
    /// load (`https:`, or an image as `data:`) are left out.
    #[must_use]
    pub fn cleaned(mut self) -> Self {
        for text in [
            &mut self.server_name,
            &mut self.server_version,
            &mut self.protocol_version,
            &mut self.title,
            &mut self.website_url,
        ] {
            *text = text.take().and_then(|text| cut(&text, MAX_TEXT));
        }
        for text in [&mut self.description, &mut self.instructions] {
            *text = text.take().and_then(|text| cut(&text, MAX_LONG_TEXT));
        }
        self.website_url =
            self.website_url.filter(|url| url.starts_with("https://") || url.starts_with("http://"));
        self.icons = self.icons.map(|icons| icons.into_iter().filter(is_icon).collect::<Vec<_>>());
        self.icons = self.icons.filter(|icons| !icons.is_empty() && fits(icons));
        self.capability_flags = self.capability_flags.filter(fits);
        self
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn fits(value: &impl Serialize) -> bool {
    serde_json::to_string(value).is_ok_and(|text| text.len() <= MAX_JSON)
}

fn is_icon(icon: &Value) -> bool {
    let source = icon.get("src").and_then(Value::as_str).unwrap_or_default();
    source.starts_with("https://") || source.starts_with("data:image/")
}

/// The text without surrounding space, NUL and what exceeds `most` bytes; `None`: nothing is left.
fn cut(text: &str, most: usize) -> Option<String> {
    let clean: String = text.chars().filter(|character| *character != '\0').collect();
    let clean = clean.trim();
    let end = (0..=most.min(clean.len())).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
    let clean = clean[..end].trim_end();
    (!clean.is_empty()).then(|| clean.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_cut_and_icons_that_no_page_may_load_are_left_out() {
        let info: ServerInfo = serde_json::from_value(json!({
            "server_name": " linear\u{0} ", "server_version": "", "title": "ä".repeat(MAX_TEXT),
            "website_url": "javascript:alert(1)", "instructions": "i".repeat(MAX_LONG_TEXT + 9),
            "icons": [{ "src": "http://a/x.png" }, { "src": "https://a/x.png" }, { "src": "data:image/png;base64,AA" }, 7],
            "capability_flags": { "tools": { "listChanged": true } },
        }))
        .unwrap();
        let clean = info.cleaned();
        assert_eq!(clean.server_name.as_deref(), Some("linear"));
        assert_eq!((clean.server_version, clean.website_url), (None, None));
        assert_eq!(clean.title.unwrap().len(), MAX_TEXT);
        assert_eq!(clean.instructions.unwrap().len(), MAX_LONG_TEXT);
        assert_eq!(clean.icons.unwrap().len(), 2);
        assert!(clean.capability_flags.is_some());
        assert!(ServerInfo { icons: Some(vec![json!(1)]), ..ServerInfo::default() }.cleaned().is_empty());
    }
}
