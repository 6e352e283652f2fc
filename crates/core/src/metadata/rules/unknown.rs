//! Unknown members: suggestions, and secrets that must not stay readable.

use super::report::{Report, echo, label};
use crate::finding::{Finding, Path, Severity};
use crate::metadata::fields::field::Section;
use crate::metadata::fields::suggest::{looks_secret, nearest};
use crate::metadata::fields::table::{find, in_section};
use serde_json::Value;

/// Judges the member `name`, which `section` does not have; `value` is not null.
pub(crate) fn check_unknown(section: Section, name: &str, value: &Value, pointer: &str, report: &mut Report) {
    let shown = echo(name);
    if report.is_closed() {
        report.drop_one();
        return;
    }
    if let Some(at) = readable_secret(section, name, value, &Path::at(pointer)) {
        report.push(Finding::error(
            &at,
            "misplaced_secret",
            format!("`{}` looks like a secret, but this member is not encrypted. Move it to the right member, or remove it.", label(&at)),
        ));
        return;
    }
    if report.is_full(Severity::Warning) {
        report.drop_one();
        return;
    }
    let suggestion = nearest(name, in_section(section).map(|field| field.name));
    let elsewhere = [Section::TopLevel, Section::ClientMetadata, Section::Registration]
        .into_iter()
        .find(|other| *other != section && find(*other, name).is_some());
    let hint = match (suggestion, elsewhere) {
        (Some(right), _) => format!(" Did you mean `{right}`?"),
        (None, Some(Section::TopLevel)) => " It belongs at the top level.".to_owned(),
        (None, Some(other)) => format!(" It belongs in `{}`.", other.as_str()),
        (None, None) => String::new(),
    };
    let finding = if section == Section::TopLevel {
        Finding::warning(
            pointer,
            "unknown_top_level_member",
            format!("`{shown}` is not a known key and has no effect.{hint}"),
        )
    } else {
        Finding::warning(
            pointer,
            "unknown_member",
            format!("`{shown}` is not a known member of `{}` and has no effect.{hint}", section.as_str()),
        )
    };
    report.push(match suggestion {
        Some(right) => finding.suggest(right),
        None => finding,
    });
}

/// The pointer of the first string that would be kept readable although its name says that it is a secret.
fn readable_secret(section: Section, name: &str, value: &Value, path: &Path<'_>) -> Option<String> {
    let misspelt =
        || nearest(name, in_section(section).filter(|field| field.secret).map(|field| field.name)).is_some();
    let is_secret_elsewhere =
        || Section::ALL.iter().any(|section| find(*section, name).is_some_and(|field| field.secret));
    match value {
        Value::String(text) if !text.is_empty() => {
            (looks_secret(name) || misspelt() || is_secret_elsewhere()).then(|| path.pointer())
        }
        Value::Object(object) if misspelt() || is_secret_elsewhere() => {
            object.iter().find(|(_, value)| value.is_string()).map(|(name, _)| path.member(name).pointer())
        }
        Value::Object(object) => {
            object.iter().find_map(|(name, value)| readable_secret(section, name, value, &path.member(name)))
        }
        Value::Array(list) => list.iter().enumerate().find_map(|(index, value)| match value {
            Value::Object(_) => readable_secret(section, "", value, &path.element(index)),
            _ => None,
        }),
        _ => None,
    }
}
