//! Pages of the documentation that are made from tables in code. `MCP_REGISTRY_TEST_UPDATE=1` rewrites them.

use registry_core::egress::{HANDED_OUT, METADATA, METADATA_NAMES, NO_SERVER, PRIVATE, Range};
use registry_core::known_servers::{KNOWN_SERVERS, Place};
use registry_core::metadata::{CODES, FIELDS, Kind, Rule, Section, Usage};
use registry_core::preflight::ADVICE;
use registry_core::registration::{REASONS, RetryClass};
use registry_outbound::{
    Limits, MAX_LOOK_TIME, MAX_MCP_EVENTS, MAX_MCP_ITEMS, MAX_MCP_MESSAGE_BYTES, MAX_MCP_PAGES,
    MAX_METADATA_BYTES, MAX_REDIRECTS, MAX_REFUSAL_BYTES, MAX_RESPONSE_BYTES, MAX_RESPONSE_HEADERS,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- made from code: begin -->";
const END: &str = "<!-- made from code: end -->";

/// The part of `docs/<page>` between the marks equals `made`.
fn check(page: &str, made: &str) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let begin = text.find(BEGIN).unwrap() + BEGIN.len();
    let end = text.find(END).unwrap();
    let wanted = format!("\n\n{}\n\n", made.trim());
    if text[begin..end] == wanted {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a switch for people who change the tables")]
    let update = std::env::var("MCP_REGISTRY_TEST_UPDATE").is_ok();
    assert!(
        update,
        "docs/{page} is not what the tables say; run with MCP_REGISTRY_TEST_UPDATE=1 and commit it"
    );
    std::fs::write(&path, format!("{}{wanted}{}", &text[..begin], &text[end..])).unwrap();
}

#[test]
fn client_metadata_page_lists_every_field() {
    let mut made = String::new();
    for section in Section::ALL {
        let _ = writeln!(made, "### {}\n", section_title(section));
        made.push_str("| member | type | used | default | what it is |\n|---|---|---|---|---|\n");
        for field in FIELDS.iter().filter(|field| field.section == section) {
            let secret = if field.secret { " Secret." } else { "" };
            let _ = writeln!(
                made,
                "| `{}` | {} | {} | {} | {}{} E.g. `{}` |",
                field.name,
                kind(field.kind),
                usage(field.usage),
                field.default.map_or_else(|| "–".to_owned(), |default| format!("`{default}`")),
                field.help.replace('|', "\\|"),
                secret,
                field.example.replace('|', "\\|"),
            );
            if let Rule::OneOf(values, _) = field.rule {
                made.truncate(made.trim_end_matches(" |\n").len());
                let _ = writeln!(
                    made,
                    " One of {}. |",
                    values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")
                );
            }
        }
        made.push('\n');
    }
    check("client-metadata.md", &made);
}

#[test]
fn problems_page_lists_every_finding() {
    let mut made = String::from("| code | severity | meaning, and what to do |\n|---|---|---|\n");
    for code in CODES {
        let severities: Vec<_> = code.severities.iter().map(|severity| severity.as_str()).collect();
        let _ = writeln!(
            made,
            "| `{}` | {} | {} |",
            code.code,
            severities.join(", "),
            code.meaning.replace('|', "\\|")
        );
    }
    check("problems.md", &made);
}

#[test]
fn failures_page_lists_every_reason() {
    let mut made = String::new();
    for retry_class in RetryClass::ALL {
        let _ = writeln!(
            made,
            "## {}\n\n| reason | what happened | what to do |\n|---|---|---|",
            retry_class.title()
        );
        for reason in REASONS.iter().filter(|reason| reason.retry_class == retry_class) {
            let _ = writeln!(made, "| `{}` | {} | {} |", reason.code, reason.meaning, reason.next);
        }
        made.push('\n');
    }
    check("registration-failures.md", &made);
}

#[test]
fn real_servers_page_lists_every_known_server() {
    let mut made = String::from(
        "| server | recognised by | clients | what is known | what to set |\n|---|---|---|---|---|\n",
    );
    for server in KNOWN_SERVERS.iter() {
        let places = |title: &str, places: &[Place]| {
            let list: Vec<_> = places.iter().map(|place| format!("`{place}`")).collect();
            if list.is_empty() { String::new() } else { format!("{title} {}", list.join(", ")) }
        };
        let by = [places("address", server.mcp), places("issuer", server.issuers)];
        let by: Vec<_> = by.into_iter().filter(|part| !part.is_empty()).collect();
        let notes: Vec<_> = server
            .notes
            .iter()
            .map(|note| {
                let links: Vec<_> =
                    note.links().into_iter().map(|(label, url)| format!("[{label}]({url})")).collect();
                format!("{} ({})", note.text, links.join(", "))
            })
            .collect();
        let preset = server.preset.map_or_else(
            || "–".to_owned(),
            |preset| format!("`{}`", serde_json::to_string(&preset.members()).unwrap()),
        );
        let _ = writeln!(
            made,
            "| **{}** | {} | {} | {} | {preset} |",
            server.name,
            by.join("; "),
            server.clients.title(),
            notes.join("<br>")
        );
    }
    check("real-servers.md", &made);
}

/// The switches as they are documented at the fields of `Quirks`: name and text.
fn switches() -> Vec<(String, String)> {
    let source = include_str!("../../../crates/sandbox/src/quirks.rs");
    let fields = source.split_once("pub struct Quirks {").unwrap().1.split_once("\n}").unwrap().0;
    let (mut found, mut text) = (Vec::new(), String::new());
    for line in fields.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("///") {
            text.push_str(more);
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|line| line.split_once(':')) {
            found.push((name.to_owned(), std::mem::take(&mut text).trim().to_owned()));
        }
    }
    found
}

#[test]
fn sandbox_page_lists_every_switch() {
    let defaults = serde_json::to_value(registry_sandbox::Quirks::default()).unwrap();
    let defaults = defaults.as_object().unwrap();
    let switches = switches();
    assert_eq!(switches.len(), defaults.len(), "every field of `Quirks` is a line `pub name: Type`");
    let mut made = String::from("| switch | default | what it does |\n|---|---|---|\n");
    for (name, text) in switches {
        let _ = writeln!(made, "| `{name}` | `{}` | {} |", defaults[&name], text.replace('|', "\\|"));
    }
    check("sandbox.md", &made);
}

/// Every example of the page is a set of switches.
#[test]
fn sandbox_page_has_valid_examples() {
    let page = include_str!("../../../docs/sandbox.md");
    // The texts of the table of switches hold other JSON too.
    let page = page.split_once("| switch | default").unwrap().0;
    let examples = page.split('`').filter(|part| part.starts_with('{')).collect::<Vec<_>>();
    assert!(examples.len() >= 15, "{examples:?}");
    for example in examples {
        serde_json::from_str::<registry_sandbox::Quirks>(example)
            .unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

/// The sources that make reasons, without their tests.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut text = String::new();
    for folder in [
        "crates/core/src/oauth",
        "crates/core/src/registration",
        "crates/outbound/src",
        "crates/worker/src",
        "crates/registry/src",
    ] {
        for path in rust_files(&root.join(folder)) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_test =
                path.strip_prefix(&root).unwrap().components().any(|part| part.as_os_str() == "tests");
            if !is_test && !["tests.rs", "histories.rs", "reasons.rs", "answer_tests.rs"].contains(&name) {
                let source = std::fs::read_to_string(&path).unwrap();
                text.push_str(source.split("#[cfg(test)]").next().unwrap());
            }
        }
    }
    text
}

/// Every Rust file below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn failure_reasons_in_code_and_table_agree() {
    let text = sources();
    let mut named = std::collections::BTreeSet::new();
    // A class, or one of the helpers that make a block, and the code after it.
    for mark in ["FailureClass::", "C::", "block(", "ask(", "protocol(", "code: "] {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).trim_start_matches(',');
            let Some(quoted) = rest.trim_start().strip_prefix('"') else { continue };
            named.insert(quoted.split('"').next().unwrap().to_owned());
        }
    }
    assert!(named.len() > 30, "the marks find nothing any more: {named:?}");
    // Codes of preflights, findings and looks, not of registrations.
    let elsewhere = [
        "issuer_busy",
        "not_needed",
        "secret_withheld",
        "stream_not_readable",
        "stream_without_response",
        "unreachable",
        "upstream_slow",
    ];
    let unknown: Vec<_> = named
        .iter()
        .filter(|code| {
            !elsewhere.contains(&code.as_str()) && REASONS.iter().all(|reason| reason.code != **code)
        })
        .collect();
    assert!(unknown.is_empty(), "reasons without an entry in REASONS: {unknown:?}");
    let stale: Vec<_> = REASONS
        .iter()
        .map(|reason| reason.code)
        .filter(|code| !text.contains(&format!("\"{code}\"")))
        .collect();
    assert!(stale.is_empty(), "entries that nothing makes: {stale:?}");
    for (index, reason) in REASONS.iter().enumerate() {
        assert!(REASONS[..index].iter().all(|other| other.code != reason.code), "{} twice", reason.code);
        assert!(reason.meaning.ends_with('.') && reason.next.ends_with('.'), "{}", reason.code);
    }
}

#[test]
fn preflight_page_lists_every_advice() {
    let mut made = String::from("| code | weight | what it means |\n|---|---|---|\n");
    for rule in ADVICE {
        let meaning = rule.meaning.replace('|', "\\|");
        let _ = writeln!(made, "| `{}` | {} | {meaning} |", rule.code, rule.weight.as_str());
    }
    check("preflight.md", &made);
}

#[test]
fn egress_page_lists_every_range_and_limit() {
    let mut made = String::new();
    for (title, ranges) in [
        ("Never reached: clouds' services for their own machines", METADATA),
        ("Never reached: no server's", NO_SERVER),
        ("Private and reserved, refused unless allowed", PRIVATE),
    ] {
        let _ = writeln!(made, "### {title}\n\n| network | is |\n|---|---|");
        for Range { network, what } in ranges {
            let _ = writeln!(made, "| `{network}` | {what} |");
        }
        if title.contains("clouds") {
            let names: Vec<_> = METADATA_NAMES.iter().map(|name| format!("`{name}`")).collect();
            let _ = writeln!(made, "\nBy name, whatever they lead to: {}.", names.join(", "));
        }
        made.push('\n');
    }
    let _ = writeln!(
        made,
        "`::ffff:0:0/96` and `64:ff9b::/96` are judged as the IPv4 addresses in them. Of IPv6, everything else outside \
         `{HANDED_OUT}` is refused as well, listed here or not.\n"
    );
    let Limits { total, connect } = Limits::default();
    made.push_str("### Limits\n\n| what | limit |\n|---|---|\n");
    for (what, limit) in [
        (
            "The whole exchange, redirects included",
            format!("{} seconds (`worker.request_timeout`)", total.as_secs()),
        ),
        ("Opening a connection: name, TCP, TLS", format!("{} seconds", connect.as_secs())),
        ("Redirects of a metadata document", MAX_REDIRECTS.to_string()),
        ("Headers of an answer", MAX_RESPONSE_HEADERS.to_string()),
        ("A metadata document", format!("{} KiB", MAX_METADATA_BYTES / 1024)),
        (
            "An answer to a registration or to a client's management",
            format!("{} KiB", MAX_RESPONSE_BYTES / 1024),
        ),
        ("What is read of a refusal", format!("{} KiB", MAX_REFUSAL_BYTES / 1024)),
        ("A look at an MCP server, all requests together", format!("{} seconds", MAX_LOOK_TIME.as_secs())),
        ("One answer to a look", format!("{} KiB", MAX_MCP_MESSAGE_BYTES / 1024)),
        ("Events of a stream before the response", MAX_MCP_EVENTS.to_string()),
        (
            "Tools, and as many prompts, resources and resource templates",
            format!("{MAX_MCP_ITEMS}, on {MAX_MCP_PAGES} pages"),
        ),
    ] {
        let _ = writeln!(made, "| {what} | {limit} |");
    }
    check("egress.md", &made);
}

fn section_title(section: Section) -> String {
    match section {
        Section::TopLevel => "The Advanced Configuration".to_owned(),
        other => format!("`{}`", other.as_str()),
    }
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::String => "string".into(),
        Kind::StringList => "list of strings".into(),
        Kind::StringOrList => "string or list".into(),
        Kind::StringMap => "object of strings".into(),
        Kind::Nested(section) => format!("object, see `{}`", section.as_str()),
        Kind::MapOf(section) => format!("object of `{}`", section.as_str()),
        Kind::HeaderList | Kind::ForwardHeaders => "list, or object".into(),
        Kind::Object => "object".into(),
        Kind::Boolean => "boolean".into(),
        Kind::Integer(..) => "integer".into(),
        Kind::Any => "any".into(),
    }
}

fn usage(usage: Usage) -> String {
    match usage {
        Usage::Container => "holds members".into(),
        Usage::Sent => "sent at registration".into(),
        Usage::Credential => "credential".into(),
        Usage::AuthorizationServer => "overrides discovery".into(),
        Usage::AuthorizationRequest => "authorization request".into(),
        Usage::Registration => "how we register".into(),
        Usage::Gateway => "handed to gateways".into(),
        Usage::Ignored { reason } => format!("ignored: {reason}"),
    }
}

/// Names of functions in the Rust files below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for path in rust_files(folder) {
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            if let Some((_, rest)) = line.split_once("fn ") {
                found.insert(rest.split(['(', '<']).next().unwrap_or_default().to_owned());
            }
        }
    }
}

#[test]
fn threat_model_names_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut known = BTreeSet::new();
    functions(&root.join("tests/it"), &mut known);
    functions(&root.join("crates"), &mut known);
    let text = std::fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let mut rows = 0;
    for line in text.lines().filter(|line| line.starts_with("| ") && line.matches('|').count() == 5) {
        let shown = line.split('|').nth(4).unwrap().trim();
        if matches!(shown, "shown by" | "") {
            continue;
        }
        rows += 1;
        let tests: Vec<_> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty() || shown.starts_with('–'), "neither a test nor a reason: {line}");
        for test in tests.iter().filter(|test| !test.contains('/')) {
            assert!(known.contains(*test), "there is no test `{test}`: {line}");
        }
    }
    assert!(rows > 60, "{rows}");
}
