//! Judges a document against the table: structure first, then each value by its kind.

use super::language::{Variant, is_language_tag, variant};
use super::report::{Report, echo, label};
use super::shape::{expected, hint, wrong_type};
use super::string_rules::check_string;
use super::unknown::check_unknown;
use crate::finding::{Finding, pointer_push};
use crate::metadata::fields::field::{Field, Kind, Rule, Section};
use crate::metadata::fields::names::ALIAS_WRAPPER;
use crate::metadata::fields::names::CANONICAL_WRAPPER;
use crate::metadata::fields::table::{RESERVED_PARAMETERS, find, in_section};
use serde_json::{Map, Value};

/// The longest list.
pub(crate) const MAX_ITEMS: usize = 1000;
/// The most members of an object whose names are free (headers, parameters, claims).
pub(crate) const MAX_MEMBERS: usize = 100;

/// Judges the whole Advanced Configuration.
pub(crate) fn check_document(document: &Map<String, Value>, report: &mut Report) {
    let mut without_wrapper: Vec<&str> = Vec::new();
    for (name, value) in document {
        if value.is_null() {
            continue;
        }
        let pointer = pointer_push("", name);
        if let Some(field) = find(Section::TopLevel, name) {
            if let Some(canonical) = field.alias_of
                && document.get(canonical).is_some_and(|value| !value.is_null())
            {
                report.push(
                    Finding::error(
                        &pointer,
                        "both_spellings",
                        format!("`{name}` and `{canonical}` are two spellings of one key. Keep one of them."),
                    )
                    .suggest(canonical),
                );
            }
            check_member(field, value, &pointer, report);
        } else if name == "configurations" {
            report.push(doubled_wrapper(
                &pointer,
                name,
                "this text already is the content of `configurations`",
            ));
        } else if find(Section::ClientMetadata, name).is_some()
            || variant(Section::ClientMetadata, name).is_some()
        {
            without_wrapper.push(name);
        } else {
            check_unknown(Section::TopLevel, name, value, &pointer, report);
        }
    }
    super::cross::check_omitted(document, report);
    if let Some(first) = without_wrapper.first() {
        let names: Vec<String> =
            without_wrapper.iter().take(6).map(|name| format!("`{}`", echo(name))).collect();
        let more = if without_wrapper.len() > 6 { " and others" } else { "" };
        report.push(
            Finding::error(
                pointer_push("", first),
                "missing_wrapper",
                format!(
                    "{}{more} must be inside `{CANONICAL_WRAPPER}`. Write {{\"{CANONICAL_WRAPPER}\": {{ … }}}} around the client metadata.",
                    names.join(", ")
                ),
            )
            .suggest(CANONICAL_WRAPPER),
        );
    }
}

/// Judges an object of the table, its pointer being `pointer`.
pub(crate) fn check_section(
    section: Section,
    object: &Map<String, Value>,
    pointer: &str,
    report: &mut Report,
) {
    let mut seen_variants = std::collections::HashSet::new();
    let mut has_too_many = false;
    for (name, value) in object {
        if value.is_null() {
            continue;
        }
        let at = pointer_push(pointer, name);
        if let Some(field) = find(section, name) {
            check_member(field, value, &at, report);
        } else if let Some(Variant { base, tag }) = variant(section, name) {
            if seen_variants.len() >= MAX_MEMBERS {
                has_too_many = true;
                continue;
            }
            if !is_language_tag(tag) {
                report.push(Finding::error(
                    &at,
                    "invalid_language_tag",
                    format!(
                        "`{}` must end in a language tag (BCP 47), such as `{}#fr` or `{}#pt-BR`.",
                        echo(name),
                        base.name,
                        base.name
                    ),
                ));
            }
            if !seen_variants.insert(name.to_ascii_lowercase()) {
                report.push(Finding::error(
                    &at,
                    "duplicate_member",
                    format!("`{}` is the same language as one above; case does not matter in tags. Keep one of them.", echo(name)),
                ));
            }
            check_member(base, value, &at, report);
        } else if section == Section::ClientMetadata && (name == CANONICAL_WRAPPER || name == ALIAS_WRAPPER) {
            report.push(doubled_wrapper(&at, name, "its members belong one level up"));
        } else {
            check_unknown(section, name, value, &at, report);
        }
    }
    if has_too_many {
        report.push(Finding::error(
            pointer,
            "too_many",
            format!("`{}` may have at most {MAX_MEMBERS} members in other languages.", label(pointer)),
        ));
    }
    for field in in_section(section).filter(|field| field.required) {
        if object.get(field.name).is_none_or(Value::is_null) {
            report.push(Finding::error(
                pointer,
                "missing_member",
                format!("`{}` needs `{}`. {}", label(pointer), field.name, field.help),
            ));
        }
    }
    super::cross::check_object(section, object, pointer, report);
}

fn doubled_wrapper(pointer: &str, name: &str, why: &str) -> Finding {
    Finding::error(
        pointer,
        "doubled_wrapper",
        format!("`{name}` is wrapped twice: {why}. Take the inner `{name}` and its braces away."),
    )
}

/// Judges the value (not null) of a known member.
pub(crate) fn check_member(field: &Field, value: &Value, pointer: &str, report: &mut Report) {
    if let crate::metadata::fields::field::Usage::Ignored { reason } = field.usage {
        report.push(Finding::notice(
            pointer,
            "ignored_member",
            format!("`{}` is not used: {reason}. You may leave it out.", field.name),
        ));
        return;
    }
    match (field.kind, value) {
        (Kind::String | Kind::StringOrList, Value::String(text)) => {
            check_string(field, text, pointer, report);
        }
        (Kind::StringList | Kind::StringOrList, Value::Array(list)) => {
            check_list(field, list, pointer, report, |item, at, report| match item {
                Value::String(text) => check_string(field, text, at, report),
                other => wrong_type(at, "a string", other, "", report),
            });
        }
        (Kind::HeaderList | Kind::ForwardHeaders, Value::Array(list)) => {
            check_list(field, list, pointer, report, |item, at, report| match item {
                Value::String(text) => check_string(field, text, at, report),
                Value::Object(object) => {
                    check_section(Section::ForwardedHeader, object, at, report);
                }
                other => wrong_type(
                    at,
                    "the name of a header, or an object with `from` and `to`",
                    other,
                    "",
                    report,
                ),
            });
        }
        (Kind::ForwardHeaders, Value::Object(object)) => {
            check_section(Section::ForwardHeaders, object, pointer, report);
        }
        (Kind::StringMap, Value::Object(object)) => check_map(field, object, pointer, report),
        (Kind::Nested(section), Value::Object(object)) => {
            check_section(section, object, pointer, report);
        }
        (Kind::MapOf(section), Value::Object(object)) => {
            check_size(object.len(), pointer, report);
            for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
                let at = pointer_push(pointer, name);
                match value {
                    Value::Object(object) => check_section(section, object, &at, report),
                    other => wrong_type(&at, "an object", other, "", report),
                }
            }
        }
        (Kind::Integer(low, high), Value::Number(number)) => {
            // `5.0` is an integer to JSON Schema; nothing outside ±2^53 survives every JSON reader.
            #[expect(clippy::cast_precision_loss, reason = "both bounds are below 2^53")]
            let fits =
                number.as_f64().is_some_and(|n| n.fract() == 0.0 && n >= low as f64 && n <= high as f64);
            if !fits {
                report.push(Finding::error(
                    pointer,
                    "invalid_value",
                    format!("`{}` must be a whole number from {low} to {high}.", label(pointer)),
                ));
            }
        }
        (Kind::Object, Value::Object(_)) | (Kind::Boolean, Value::Bool(_)) | (Kind::Any, _) => {}
        (_, other) => wrong_type(pointer, expected(field), other, &hint(field, other), report),
    }
}

fn check_list(
    field: &Field,
    list: &[Value],
    pointer: &str,
    report: &mut Report,
    check: impl Fn(&Value, &str, &mut Report),
) {
    if list.is_empty() && field.not_empty {
        report.push(Finding::error(
            pointer,
            "empty_value",
            format!(
                "`{}` must not be an empty list. Leave the member out to use the default.",
                label(pointer)
            ),
        ));
    }
    if list.len() > MAX_ITEMS {
        report.push(Finding::error(
            pointer,
            "too_many",
            format!("`{}` may have at most {MAX_ITEMS} entries.", label(pointer)),
        ));
        return;
    }
    let mut seen = std::collections::HashSet::new();
    for (index, item) in list.iter().enumerate() {
        let at = format!("{pointer}/{index}");
        check(item, &at, report);
        if item.as_str().is_some_and(|text| !seen.insert(text)) {
            report.push(Finding::warning(
                &at,
                "duplicate_value",
                format!("`{}` is already in the list. Remove it.", label(&at)),
            ));
        }
    }
}

fn check_size(members: usize, pointer: &str, report: &mut Report) {
    if members > MAX_MEMBERS {
        report.push(Finding::error(
            pointer,
            "too_many",
            format!("`{}` may have at most {MAX_MEMBERS} members.", label(pointer)),
        ));
    }
}

fn check_map(field: &Field, object: &Map<String, Value>, pointer: &str, report: &mut Report) {
    check_size(object.len(), pointer, report);
    for (index, (name, value)) in object.iter().enumerate().take(MAX_MEMBERS) {
        let at = pointer_push(pointer, name);
        if field.rule == Rule::HeaderMap {
            if !super::string_rules::is_header_name(name) {
                report.push(Finding::error(
                    &at,
                    "invalid_header_name",
                    format!("`{}` is not the name of a header: letters, digits and `-` only.", echo(name)),
                ));
            }
            if let Some(twin) = object.keys().take(index).find(|other| other.eq_ignore_ascii_case(name)) {
                report.push(Finding::error(
                    &at,
                    "duplicate_member",
                    format!("`{}` and `{}` are the same header. Keep one of them.", echo(twin), echo(name)),
                ));
            }
        } else if name.is_empty() {
            report.push(Finding::error(&at, "empty_value", "A parameter must have a name."));
        }
        match value {
            Value::Null => {}
            _ if field.rule == Rule::ParameterMap && RESERVED_PARAMETERS.contains(&name.as_str()) => {
                report.push(Finding::error(
                    &at,
                    "reserved_parameter",
                    format!("`{name}` is set by the gateway and cannot be given here. Take it out."),
                ));
            }
            Value::String(text) => check_string(field, text, &at, report),
            other => wrong_type(&at, "a string", other, "", report),
        }
    }
}
