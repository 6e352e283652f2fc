//! Judges one string by its rule.

use super::language::{is_language_tag, variant};
use super::report::{Report, echo, label};
use super::url_rules::{check_endpoint, check_link, check_resource_uri, warn_of_other_address};
use crate::character::{character_name, plain_form, written_plainly};
use crate::finding::Finding;
use crate::metadata::fields::field::{Field, Rule, Section};
use crate::metadata::fields::suggest::nearest;
use crate::metadata::fields::table::{GRANT_TYPES, omittable};
use validator::ValidateEmail;

/// The longest `scope`, in characters.
pub(crate) const MAX_SCOPE: usize = 4096;
/// The longest header value or parameter, in characters.
pub(crate) const MAX_HEADER_VALUE: usize = 8192;
/// The longest contact, grant type or header name, in characters.
pub(crate) const MAX_NAME: usize = 255;

/// Judges `text` by the rule of `field`. Says nothing about the value of a secret.
pub(crate) fn check_string(field: &Field, text: &str, pointer: &str, report: &mut Report) {
    if crate::metadata::fields::marker::parse_marker(text).is_some() && field.secret {
        return;
    }
    if super::fill_in::check_fill_in(text, pointer, report) {
        return;
    }
    match field.rule {
        Rule::Any => {}
        Rule::Link => check_link(text, false, pointer, report),
        Rule::Logo => check_link(text, true, pointer, report),
        Rule::Endpoint => check_endpoint(text, false, pointer, report),
        Rule::Issuer => check_endpoint(text, true, pointer, report),
        Rule::Text(max) => {
            let _ = check_text(text, max, pointer, report);
        }
        Rule::ComparedIssuer(max) => {
            if check_text(text, max, pointer, report) {
                warn_of_other_address(text, pointer, report);
            }
        }
        Rule::Ascii(max) => {
            check_ascii(field, text, max, pointer, report);
            check_token(field, text, pointer, report);
        }
        Rule::HeaderMap => check_ascii(field, text, MAX_HEADER_VALUE, pointer, report),
        Rule::ParameterMap => {
            let _ = check_text(text, MAX_HEADER_VALUE, pointer, report);
        }
        Rule::Scope => check_scope(text, pointer, report),
        Rule::GrantType => check_grant_type(text, pointer, report),
        Rule::Contact => check_contact(text, pointer, report),
        Rule::OneOf(values, code) => check_one_of(values, code, text, pointer, report),
        Rule::HeaderName => {
            if check_text(text, MAX_NAME, pointer, report) && !is_header_name(text) {
                report.push(Finding::error(
                    pointer,
                    "invalid_header_name",
                    format!(
                        "`{}` must be the name of a header: letters, digits and `-` only.",
                        label(pointer)
                    ),
                ));
            }
        }
        Rule::ResourceUri => check_resource_uri(text, pointer, report),
        Rule::SentMember => check_sent_member(text, pointer, report),
        Rule::Duration => {
            if !is_duration(text) {
                report.push(Finding::error(
                    pointer,
                    "invalid_value",
                    format!(
                        "`{}` must be a number and a unit, such as `30s`, `5m`, `12h` or `1d`.",
                        label(pointer)
                    ),
                ));
            }
        }
    }
}

/// Whether nothing can be seen of `text`.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || character == '\u{feff}')
}

/// Characters that break lines or turn the direction of writing, so that a consent page would show something else.
pub(crate) fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check_length(text: &str, max: usize, pointer: &str, report: &mut Report) -> bool {
    if is_blank(text) {
        report.push(Finding::error(
            pointer,
            "empty_value",
            format!(
                "`{}` must not be empty. Leave the member out if it is not meant to be set here.",
                label(pointer)
            ),
        ));
        return false;
    }
    if text.chars().count() > max {
        report.push(Finding::error(
            pointer,
            "too_long",
            format!("`{}` must have at most {max} characters.", label(pointer)),
        ));
        return false;
    }
    true
}

fn check_text(text: &str, max: usize, pointer: &str, report: &mut Report) -> bool {
    if !check_length(text, max, pointer, report) {
        return false;
    }
    if let Some(found) = text.chars().find(|character| is_forbidden(*character)) {
        report.push(Finding::error(
            pointer,
            "illegal_character",
            format!(
                "`{}` must not contain line breaks or other control characters; it contains {}.",
                label(pointer),
                character_name(found)
            ),
        ));
        return false;
    }
    true
}

fn check_ascii(field: &Field, text: &str, max: usize, pointer: &str, report: &mut Report) {
    if !check_length(text, max, pointer, report) {
        return;
    }
    let Some(found) = text.chars().find(|character| !matches!(character, ' '..='~')) else { return };
    let finding = Finding::error(
        pointer,
        "illegal_character",
        format!(
            "`{}` must contain only printable ASCII characters; it contains {}. It was probably changed by the program it was copied from.",
            label(pointer),
            // Of a secret only what shows nothing of it is named.
            if field.secret && plain_form(found).is_none() && !found.is_control() {
                "another one".to_owned()
            } else {
                character_name(found)
            }
        ),
    );
    report.push(match written_plainly(text).filter(|_| !field.secret) {
        Some(plain) => finding.suggest(plain),
        None => finding,
    });
}

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`, one space between two.
fn check_scope(text: &str, pointer: &str, report: &mut Report) {
    if !check_length(text, MAX_SCOPE, pointer, report) {
        return;
    }
    let member = label(pointer);
    let is_token = |c: char| matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
    if let Some(bad) = text.chars().find(|c| *c != ' ' && !c.is_whitespace() && !is_token(*c)) {
        report.push(Finding::error(
            pointer,
            "invalid_scope",
            format!(
                "`{member}` must not contain {}: scopes are printable ASCII without quotes and backslashes.",
                character_name(bad)
            ),
        ));
        return;
    }
    let scopes: Vec<&str> = text.split_whitespace().collect();
    if scopes.join(" ") != text {
        report.push(
            Finding::error(
                pointer,
                "invalid_scope",
                format!("`{member}` must have exactly one space between two scopes, and none at the ends."),
            )
            .suggest(scopes.join(" ")),
        );
        return;
    }
    if let Some(found) = text.chars().find(|c| matches!(c, ',' | ';')) {
        let separated = text.replace([',', ';'], " ");
        report.push(
            Finding::warning(
                pointer,
                "pasted_value",
                format!("`{member}` contains `{found}`, but scopes are separated by spaces (RFC 6749 §3.3). Write a space there, unless the character is part of a scope."),
            )
            .suggest(separated.split_whitespace().collect::<Vec<_>>().join(" ")),
        );
    }
    let mut seen = std::collections::HashSet::new();
    let unique: Vec<&str> = scopes.iter().copied().filter(|scope| seen.insert(*scope)).collect();
    if unique.len() < scopes.len() {
        report.push(
            Finding::warning(
                pointer,
                "duplicate_value",
                format!("`{member}` names a scope twice. Once is enough."),
            )
            .suggest(unique.join(" ")),
        );
    }
}

fn check_grant_type(text: &str, pointer: &str, report: &mut Report) {
    if !check_text(text, MAX_NAME, pointer, report) || GRANT_TYPES.contains(&text) || is_absolute_uri(text) {
        return;
    }
    let finding = Finding::error(
        pointer,
        "unsupported_grant_type",
        match text {
            "implicit" | "password" => {
                format!(
                    "The grant type `{text}` must not be used any more (RFC 9700 §2). Use `authorization_code`."
                )
            }
            _ => format!(
                "`{}` is not a grant type. Registered ones are `authorization_code`, `refresh_token` and `client_credentials`; others are absolute URIs.",
                echo(text)
            ),
        },
    );
    report.push(match nearest(text, GRANT_TYPES.iter().copied()) {
        Some(right) => finding.suggest(right),
        None => finding,
    });
}

/// A scheme, a colon, and printable ASCII.
fn is_absolute_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-'))
            && !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_graphic())
    })
}

/// The initial access token is sent as `Authorization: Bearer …` (RFC 7591 §3), so it has no blanks and no other scheme.
fn check_token(field: &Field, text: &str, pointer: &str, report: &mut Report) {
    if field.name != "initial_access_token" || !text.contains(' ') {
        return;
    }
    let scheme = text.split(' ').next().unwrap_or_default();
    let other = ["SSWS", "Basic", "Digest", "DPoP", "MAC", "ApiKey"]
        .into_iter()
        .find(|one| one.eq_ignore_ascii_case(scheme));
    let message = match other {
        Some(scheme) => format!(
            "`{}` begins with the scheme `{scheme}`, but it is sent with the scheme `Bearer` (RFC 7591 §3). Enter a token that the authorization server accepts as a bearer token, without a scheme before it.",
            label(pointer)
        ),
        None => format!(
            "`{}` contains a blank, which no bearer token has (RFC 6750 §2.1). Copy it again.",
            label(pointer)
        ),
    };
    report.push(Finding::warning(pointer, "pasted_value", message));
}

/// The name of a member that may be left out of a registration request, or of a language variant of one.
fn check_sent_member(text: &str, pointer: &str, report: &mut Report) {
    let is_variant = variant(Section::ClientMetadata, text).is_some_and(|one| is_language_tag(one.tag));
    if is_variant
        || omittable().any(|field| field.name == text)
        || !check_text(text, MAX_NAME, pointer, report)
    {
        return;
    }
    if text == "redirect_uris" {
        report.push(Finding::error(
            pointer,
            "invalid_value",
            "`redirect_uris` cannot be left out: a registration without the gateway's callback is of no use. Remove it from the list.",
        ));
        return;
    }
    let finding = Finding::error(
        pointer,
        "invalid_value",
        format!(
            "`{}` is not a member that a registration request can have, so it cannot be left out. Remove it from the list.",
            echo(text)
        ),
    );
    report.push(match nearest(text, omittable().map(|field| field.name)) {
        Some(right) => finding.suggest(right),
        None => finding,
    });
}

fn check_contact(text: &str, pointer: &str, report: &mut Report) {
    if check_text(text, MAX_NAME, pointer, report) && !text.validate_email() {
        let finding = Finding::warning(
            pointer,
            "invalid_email",
            format!(
                "`{}` is not an e-mail address; some authorization servers refuse such a contact.",
                label(pointer)
            ),
        );
        report.push(match text.strip_prefix("mailto:").filter(ValidateEmail::validate_email) {
            Some(address) => finding.suggest(address),
            None => finding,
        });
    }
}

fn check_one_of(
    values: &'static [&'static str],
    code: &'static str,
    text: &str,
    pointer: &str,
    report: &mut Report,
) {
    if values.contains(&text) {
        return;
    }
    if is_blank(text) {
        let _ = check_length(text, 1, pointer, report);
        return;
    }
    let listed: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
    let choice = if values.len() == 1 { "must be" } else { "must be one of" };
    let finding = Finding::error(
        pointer,
        code,
        format!("`{}` {choice} {}, not `{}`.", label(pointer), listed.join(", "), echo(text)),
    );
    report.push(match nearest(text, values.iter().copied()) {
        Some(right) => finding.suggest(right),
        None => finding,
    });
}

/// RFC 9110 §5.6.2: `token`.
pub(crate) fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_duration(text: &str) -> bool {
    text.len() <= 10
        && text
            .strip_suffix(['s', 'm', 'h', 'd'])
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
