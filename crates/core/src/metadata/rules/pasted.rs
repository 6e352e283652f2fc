//! Values as they come out of other programs: blanks at the ends, quotation marks and brackets around, a scheme before a
//! token. What is certainly not meant is repaired, with a warning; the stored text is the repaired one.

use super::fill_in::contains_fill_in;
use super::language::variant;
use super::string_rules::is_blank;
use crate::character::is_blank_or_invisible;
use crate::finding::pointer_push;
use crate::metadata::fields::field::{Field, Kind, Rule, Section};
use crate::metadata::fields::table::find;
use serde_json::{Map, Value};

/// A string that was changed.
pub(crate) struct Repair {
    /// Where, as the text spells it.
    pub(crate) pointer: String,
    /// What it is now.
    pub(crate) value: String,
    /// What was done, as the end of the sentence "`x` was entered …".
    pub(crate) what: &'static str,
}

const BLANKS: &str = "with blanks or invisible characters at its ends. They were removed.";
const AROUND: &str = "with quotation marks or brackets around it. They were removed.";
const SCHEME: &str = "with the name of a header or scheme before the token. It was removed, because the scheme `Bearer` is added when the token is sent.";
const SCOPES: &str = "as a list or with line breaks, tabs or repeated blanks. It was written with one space between two scopes.";

/// Repairs the strings of `document` and lists what was changed, in its order.
pub(crate) fn repair(document: &mut Map<String, Value>) -> Vec<Repair> {
    let mut repairs = Vec::new();
    walk(Section::TopLevel, document, "", &mut repairs);
    repairs
}

fn walk(section: Section, object: &mut Map<String, Value>, pointer: &str, repairs: &mut Vec<Repair>) {
    for (name, value) in object {
        let field = find(section, name).or_else(|| variant(section, name).map(|variant| variant.base));
        if let Some(field) = field.filter(|field| !field.is_ignored()) {
            member(field, value, &pointer_push(pointer, name), repairs);
        }
    }
}

fn member(field: &Field, value: &mut Value, pointer: &str, repairs: &mut Vec<Repair>) {
    match (field.kind, value) {
        (
            Kind::String | Kind::StringList | Kind::StringOrList | Kind::HeaderList | Kind::ForwardHeaders,
            Value::String(text),
        ) => {
            if let Some((repaired, what)) = repaired(field, text) {
                text.clone_from(&repaired);
                repairs.push(Repair { pointer: pointer.to_owned(), value: repaired, what });
            }
        }
        (
            Kind::StringList | Kind::StringOrList | Kind::HeaderList | Kind::ForwardHeaders,
            Value::Array(list),
        ) => {
            for (index, item) in list.iter_mut().enumerate() {
                let at = format!("{pointer}/{index}");
                match item {
                    Value::Object(object) => walk(Section::ForwardedHeader, object, &at, repairs),
                    item => member(field, item, &at, repairs),
                }
            }
        }
        (Kind::ForwardHeaders, Value::Object(object)) => {
            walk(Section::ForwardHeaders, object, pointer, repairs);
        }
        (Kind::StringMap, Value::Object(object)) => {
            let one = Field { kind: Kind::String, ..*field };
            for (name, value) in object {
                member(&one, value, &pointer_push(pointer, name), repairs);
            }
        }
        (Kind::Nested(section), Value::Object(object)) => walk(section, object, pointer, repairs),
        (Kind::MapOf(section), Value::Object(object)) => {
            for (name, value) in object {
                if let Value::Object(object) = value {
                    walk(section, object, &pointer_push(pointer, name), repairs);
                }
            }
        }
        _ => {}
    }
}

/// `text` as it was certainly meant, and what was done; `None`: it is used as it is.
fn repaired(field: &Field, text: &str) -> Option<(String, &'static str)> {
    if field.rule == Rule::Any || is_blank(text) || contains_fill_in(text) {
        return None;
    }
    let trimmed = trim(text);
    let mut repaired = trimmed.to_owned();
    let mut what = BLANKS;
    if takes_no_quotes(field) {
        let bare = without_quotes(&repaired);
        if bare.len() < repaired.len() {
            (repaired, what) = (bare.to_owned(), AROUND);
        }
    }
    if field.name == "initial_access_token" {
        let token = without_scheme(&repaired);
        if token.len() < repaired.len() {
            (repaired, what) = (without_quotes(token).to_owned(), SCHEME);
        }
    }
    if field.rule == Rule::Scope
        && let Some(scopes) = plain_scopes(text)
    {
        what = if scopes == trimmed {
            BLANKS
        } else if scopes == without_quotes(trimmed) {
            AROUND
        } else {
            SCOPES
        };
        repaired = scopes;
    }
    (repaired != text && !repaired.is_empty()).then_some((repaired, what))
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_blank_or_invisible)
}

/// Whether quotation marks around the whole value cannot be meant: addresses, ids, and words of a fixed set.
fn takes_no_quotes(field: &Field) -> bool {
    matches!(
        field.rule,
        Rule::Link
            | Rule::Logo
            | Rule::Endpoint
            | Rule::Issuer
            | Rule::ComparedIssuer(_)
            | Rule::ResourceUri
            | Rule::Contact
            | Rule::OneOf(..)
            | Rule::GrantType
            | Rule::HeaderName
            | Rule::SentMember
    ) || field.rule == Rule::Scope
        || matches!(field.name, "client_id" | "introspectClientId" | "initial_access_token")
}

/// Pairs that surround a value in a text or a program.
const PAIRS: [(char, char); 11] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('<', '>'),
    ('\u{201c}', '\u{201d}'),
    ('\u{201d}', '\u{201d}'),
    ('\u{201e}', '\u{201c}'),
    ('\u{2018}', '\u{2019}'),
    ('\u{ab}', '\u{bb}'),
    ('\u{bb}', '\u{ab}'),
    ('\u{2039}', '\u{203a}'),
];

fn without_quotes(text: &str) -> &str {
    let mut text = text;
    while let Some(inner) = PAIRS.iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(*open)?.strip_suffix(*close)?;
        (!is_blank(inner)).then_some(inner)
    }) {
        text = trim(inner);
    }
    text
}

/// An address without blanks and invisible characters at its ends, and without quotation marks or brackets around it.
pub fn pasted_address(text: &str) -> &str {
    without_quotes(trim(text))
}

/// A token without `Authorization:`, `Bearer` or `token` before it. A token itself has no blanks (RFC 6750 §2.1).
fn without_scheme(text: &str) -> &str {
    let mut rest = text;
    for word in ["authorization:", "bearer", "token"] {
        let begins = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if begins {
            let after = &rest[word.len()..];
            let token = after.trim_start_matches(|c: char| is_blank_or_invisible(c) || c == ':');
            if !token.is_empty() && (token.len() < after.len() || word.ends_with(':')) {
                rest = token;
            }
        }
    }
    rest
}

/// Scopes with one space between two, where only white space separates them or the text is a JSON list of texts.
fn plain_scopes(text: &str) -> Option<String> {
    let text = trim(text);
    if text.starts_with('[') {
        let scopes: Vec<String> = serde_json::from_str(text).ok()?;
        return Some(scopes.iter().flat_map(|scope| scope.split_whitespace()).collect::<Vec<_>>().join(" "));
    }
    Some(
        without_quotes(text)
            .split_whitespace()
            .map(trim)
            .filter(|scope| !scope.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
    )
}
