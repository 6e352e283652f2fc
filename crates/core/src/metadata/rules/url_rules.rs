//! Checks URLs by their text: pages and images for users, endpoints for machines.

use super::report::{Report, label};
use crate::character::{character_name, is_blank_or_invisible, written_plainly};
use crate::finding::Finding;
use url::{Host, Url};

/// The longest URL, in characters.
pub(crate) const MAX_URL: usize = 2048;

/// A page or an image shown on the consent page (RFC 7591 §2).
pub(crate) fn check_link(text: &str, is_logo: bool, pointer: &str, report: &mut Report) {
    let Some(url) = parse(text, pointer, report) else {
        return;
    };
    let member = label(pointer);
    if url.scheme() == "http" {
        let https = format!("https{}", &text[4..]);
        report.push(
            Finding::warning(
                pointer,
                "insecure_url",
                format!("`{member}` should be an https URL: authorization servers refuse or hide others."),
            )
            .suggest(https),
        );
    }
    if is_logo && matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))) {
        report.push(Finding::warning(
            pointer,
            "ip_literal_host",
            format!("`{member}` names its host by address; authorization servers rarely fetch such images. Use a host name."),
        ));
    }
}

/// An endpoint, or with `is_issuer` an issuer identifier (RFC 8414 §2).
pub(crate) fn check_endpoint(text: &str, is_issuer: bool, pointer: &str, report: &mut Report) {
    let Some(url) = parse(text, pointer, report) else {
        return;
    };
    let member = label(pointer);
    if url.scheme() == "http" && !is_loopback(&url) {
        report.push(
            Finding::error(
                pointer,
                "insecure_url",
                format!("`{member}` must be an https URL; http is for loopback hosts only."),
            )
            .suggest(format!("https{}", &text[4..])),
        );
    }
    if url.fragment().is_some() {
        report.push(Finding::error(
            pointer,
            "invalid_url",
            format!("`{member}` must have no fragment. Leave out `#` and what follows."),
        ));
    }
    if is_issuer {
        warn_of_other_address(text, pointer, report);
    }
    if is_issuer && url.query().is_some() {
        report.push(Finding::error(
            pointer,
            "invalid_url",
            format!("`{member}` must have no query (RFC 8414 §2). Leave out `?` and what follows."),
        ));
    }
}

/// Warns of an issuer that is the address of something else.
pub(crate) fn warn_of_other_address(text: &str, pointer: &str, report: &mut Report) {
    let other = Url::parse(text).ok().and_then(|url| address_of_something_else(&url));
    let Some((what, issuer)) = other else { return };
    let member = label(pointer);
    report.push(
        Finding::warning(
            pointer,
            "pasted_value",
            format!("`{member}` is {what}, not an issuer identifier. The issuer is probably {issuer}; the document there says it as `issuer`."),
        )
        .suggest(issuer),
    );
}

/// What an address entered as issuer is the address of, and the issuer that is probably meant.
fn address_of_something_else(url: &Url) -> Option<(&'static str, String)> {
    const ENDPOINTS: [&str; 5] = ["/authorize", "/token", "/register", "/introspect", "/revoke"];
    let origin = url.origin().ascii_serialization();
    let path = url.path();
    if let Some((before, after)) = path.split_once("/.well-known/") {
        // RFC 8414 §3.1 puts the path of the issuer behind the name, OpenID Connect Discovery §4 before it.
        let behind = after.split_once('/').map(|(_, rest)| rest).filter(|rest| !rest.is_empty());
        let issuer =
            behind.map_or_else(|| format!("{origin}{before}"), |rest| format!("{origin}{before}/{rest}"));
        return Some(("the address of a metadata document", issuer));
    }
    let trimmed = path.trim_end_matches('/').to_ascii_lowercase();
    let end = ENDPOINTS.iter().find(|end| trimmed.ends_with(**end))?;
    let before = &path[..trimmed.len() - end.len()];
    let before = before.strip_suffix("/oauth2").or_else(|| before.strip_suffix("/oauth")).unwrap_or(before);
    Some(("the address of an endpoint", format!("{origin}{before}")))
}

/// A resource identifier (RFC 8707 §2): an absolute URI of any scheme, without fragment. It is compared and sent, never
/// connected to.
pub(crate) fn check_resource_uri(text: &str, pointer: &str, report: &mut Report) {
    let member = label(pointer);
    let invalid = |why: &str| Finding::error(pointer, "invalid_url", format!("`{member}` {why}"));
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_~".contains(c);
    match scheme(text).filter(|scheme| scheme != "http" && scheme != "https") {
        // Some servers name themselves by a word, and their metadata count only for that.
        None if !text.is_empty() && text.len() <= MAX_URL && text.chars().all(is_word) => report.push(Finding::warning(
            pointer,
            "invalid_url",
            format!("`{member}` is not an absolute URI (RFC 8707 §2). It is used as it is; check that the server names itself so."),
        )),
        None => {
            if parse(text, pointer, report).is_none() {
                return;
            }
        }
        Some(_) if text.chars().count() > MAX_URL => {
            report.push(Finding::error(
                pointer,
                "too_long",
                format!("`{member}` must have at most {MAX_URL} characters."),
            ));
        }
        Some(scheme) => {
            let rest = &text[scheme.len() + 1..];
            if rest.is_empty() {
                report.push(invalid("must name something after the scheme, such as `urn:example:mcp`."));
            } else if rest.split('/').next().is_some_and(is_port) {
                // `mcp:8443/mcp` names a host and a port.
                report.push(
                    invalid("must be an absolute URI. Start it with `https://`.")
                        .suggest(format!("https://{text}")),
                );
            } else if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
                report.push(invalid(
                    "must contain only printable ASCII characters, without spaces and backslashes (RFC 3986).",
                ));
            }
        }
    }
    if text.contains('#') {
        report.push(invalid("must have no fragment (RFC 8707 §2). Leave out `#` and what follows."));
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An absolute http or https URL of ASCII characters, with a host and without user and password; else what is wrong.
fn parse(text: &str, pointer: &str, report: &mut Report) -> Option<Url> {
    let member = label(pointer);
    let invalid = |why: &str| Finding::error(pointer, "invalid_url", format!("`{member}` {why}"));
    if text.trim().is_empty() {
        report.push(Finding::error(
            pointer,
            "empty_value",
            format!("`{member}` must not be empty. Write an https URL, or leave the member out."),
        ));
        return None;
    }
    if text.chars().count() > MAX_URL {
        report.push(Finding::error(
            pointer,
            "too_long",
            format!("`{member}` must have at most {MAX_URL} characters."),
        ));
        return None;
    }
    let is_odd = |c: char| c.is_control() || c == '\\' || is_blank_or_invisible(c);
    if let Some(found) = text.chars().find(|character| is_odd(*character)) {
        let finding = invalid(&format!(
            "must not contain spaces, line breaks, invisible characters or backslashes; it contains {}. Percent-encode or remove it.",
            character_name(found)
        ));
        let bare: String = text.chars().filter(|c| !is_odd(*c)).collect();
        let is_sensible = found != '\\' && found != ' ' && Url::parse(&bare).is_ok_and(|url| url.has_host());
        report.push(if is_sensible { finding.suggest(bare) } else { finding });
        return None;
    }
    let Some(scheme) = scheme(text) else {
        let finding = invalid("must be an absolute URL. Start it with `https://`.");
        let https = format!("https://{}", text.trim_start_matches('/'));
        let sensible =
            Url::parse(&https).is_ok_and(|url| url.host_str().is_some_and(|host| host.contains('.')));
        report.push(if sensible { finding.suggest(https) } else { finding });
        return None;
    };
    if scheme != "http" && scheme != "https" {
        report.push(Finding::error(
            pointer,
            "scheme_not_allowed",
            format!("`{member}` must be an https URL; `{}:` is not allowed.", super::report::echo(&scheme)),
        ));
        return None;
    }
    let Some(authority) = authority(text, scheme.len()) else {
        report.push(invalid("must name a host after `https://`."));
        return None;
    };
    if authority.contains('@') {
        report.push(Finding::error(
            pointer,
            "credentials_in_url",
            format!("`{member}` must not carry a user name or password. Leave out everything before `@`."),
        ));
        return None;
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(why) => {
            report.push(invalid(&format!("is not a valid URL: {why}.")));
            return None;
        }
    };
    if let Some(found) = text.chars().find(|character| !character.is_ascii()) {
        let meant = written_plainly(text).unwrap_or_else(|| url.to_string());
        report.push(
            invalid(&format!(
                "must contain only ASCII characters (RFC 3986); it contains {}.",
                character_name(found)
            ))
            .suggest(meant),
        );
        return None;
    }
    if text.ends_with([',', ';']) {
        report.push(
            Finding::warning(
                pointer,
                "pasted_value",
                format!(
                    "`{member}` ends in `{}`, which was probably copied with it. Remove it.",
                    &text[text.len() - 1..]
                ),
            )
            .suggest(text.trim_end_matches([',', ';'])),
        );
    }
    Some(url)
}

/// The scheme in lower case; `acme.com:8080` and `localhost:8080` have none.
fn scheme(text: &str) -> Option<String> {
    let (scheme, _) = text.split_once(':')?;
    let mut characters = scheme.chars();
    let starts_well = characters.next().is_some_and(|first| first.is_ascii_alphabetic());
    let is_scheme = starts_well && characters.all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '-');
    (is_scheme && !scheme.eq_ignore_ascii_case("localhost")).then(|| scheme.to_ascii_lowercase())
}

/// The authority: the text between `://` and the path, when it is not empty.
fn authority(text: &str, scheme_length: usize) -> Option<&str> {
    let rest = text[scheme_length..].strip_prefix("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// Whether the URL's host is this machine by its text.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
