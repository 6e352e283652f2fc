//! Values, moments and names as people read them.

use chrono::SecondsFormat;
use registry_core::clock::Timestamp;
use serde_json::Value;
use std::fmt::Write as _;

/// A moment as people say it, with the exact one beside it.
pub(crate) fn when(moment: &Timestamp, now: &Timestamp) -> String {
    let exact = exact(moment);
    let words = ago(moment, now);
    format!(r#"<time datetime="{exact}" title="{exact}">{words}</time>"#)
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
pub(super) fn escape(text: &str) -> String {
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

/// How a client ended, in words.
pub(crate) fn withdrawal(how: &str) -> &'static str {
    match how {
        "deleted" => "Deleted upstream",
        "unpublished" => "Not published any more",
        "entered" => "Entered by hand, not ours to delete",
        "shared" => "Its id serves another server",
        "forgotten" => "Gone upstream before",
        "sent" => "IntegrationDeletion sent",
        "answer_lost" => "IntegrationDeletion sent, answer lost",
        _ => "Could not be deleted, see the ledger of orphans",
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

/// The member that a named secret sets, as people call it.
pub(crate) fn mapped_member(mapped: &registry::MappedSecret) -> &str {
    let target = &mapped.mapping.target_field;
    target.strip_prefix("configurations.").unwrap_or(target)
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

/// The same for where there is little room.
pub(crate) fn shortest(id: &str) -> String {
    let length = id.chars().count();
    if length <= 18 {
        return id.to_owned();
    }
    let start: String = id.chars().take(10).collect();
    let end: String = id.chars().skip(length - 5).collect();
    format!("{start}…{end}")
}

/// What the rows of a page are, "26–50": the number of the first, counted from 1, and how many there are.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "askama passes references")]
pub(crate) fn range(first: &u64, count: usize) -> String {
    let last = (first + count as u64).saturating_sub(1);
    if last > *first { format!("{first}–{last}") } else { first.to_string() }
}

/// The end of an id that begins with its time.
pub(crate) fn tail(id: &str) -> String {
    let length = id.chars().count();
    if length <= 9 {
        id.to_owned()
    } else {
        format!("…{}", id.chars().skip(length - 8).collect::<String>())
    }
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
