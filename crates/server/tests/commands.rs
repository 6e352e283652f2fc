//! Every command beside a running server, in an empty folder, and without the sealing key: none changes what it was not
//! asked to change. A new command must be entered in the table.
#![expect(clippy::unwrap_used, reason = "tests")]

use clap::CommandFactory;
use mcp_registry::cli::Cli;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// What a command does where there is no database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    /// It makes one.
    Makes,
    /// It says that there is none.
    Refuses,
    /// It has nothing to do with one.
    Unconcerned,
}

/// One row of the table.
struct Row {
    /// The subcommand's words, as clap knows them.
    name: &'static str,
    /// What is typed after them.
    arguments: &'static [&'static str],
    alone: Alone,
    /// Whether it works although the sealing key does not exist.
    without_key: bool,
    /// Whether it ends by itself; the others are not started here beside a running server.
    ends: bool,
}

const fn row(name: &'static str, arguments: &'static [&'static str], alone: Alone, without_key: bool) -> Row {
    Row { name, arguments, alone, without_key, ends: true }
}

const TABLE: &[Row] = &[
    Row { name: "serve", arguments: &[], alone: Alone::Makes, without_key: false, ends: false },
    Row { name: "work", arguments: &[], alone: Alone::Makes, without_key: false, ends: false },
    row("migrate", &[], Alone::Makes, false),
    row("openapi", &[], Alone::Unconcerned, true),
    row("key create", &["--name", "n", "--role", "viewer"], Alone::Refuses, true),
    row("check", &[], Alone::Unconcerned, true),
    row("demo", &["--once"], Alone::Unconcerned, true),
    row("sandbox", &[], Alone::Unconcerned, true),
    row("user link", &["--email", "ann@acme.com"], Alone::Refuses, true),
    row("user reset", &["--email", "ann@acme.com"], Alone::Refuses, true),
    row("backup", &["copy.sqlite"], Alone::Refuses, true),
    row("restore", &["there-is-no-copy.sqlite"], Alone::Refuses, false),
    row("audit verify", &[], Alone::Refuses, true),
    row("audit restart", &[], Alone::Refuses, false),
    row("rollout list", &[], Alone::Refuses, true),
    row("rollout watch", &[], Alone::Refuses, true),
    row("rollout pause", &["0192f5c2-4a10-7c3e-9b1d-3f2a6c000009"], Alone::Refuses, false),
    row("rollout resume", &["0192f5c2-4a10-7c3e-9b1d-3f2a6c000009"], Alone::Refuses, false),
    row("seal new-key", &[], Alone::Unconcerned, true),
    row("seal status", &[], Alone::Refuses, true),
    row("seal rotate", &[], Alone::Refuses, false),
    row("seal abandon", &["nokey"], Alone::Refuses, false),
];

/// Commands that are refused in every case: there is no copy, no such key, no such rollout.
const REFUSED: [&str; 4] = ["restore", "seal abandon", "rollout pause", "rollout resume"];

/// Commands that use a registry over its API: no database, setting or key of this machine concerns them.
const REMOTE: [&str; 1] = ["sync"];

/// The words of every subcommand that does something, as clap knows them.
fn all_commands(command: &clap::Command, before: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for one in command.get_subcommands() {
        let name = format!("{before}{}", one.get_name());
        if one.has_subcommands() {
            found.extend(all_commands(one, &format!("{name} ")));
        } else {
            found.insert(name);
        }
    }
    found
}

#[test]
fn command_table_is_complete() {
    let listed: BTreeSet<String> =
        TABLE.iter().map(|row| row.name).chain(REMOTE).map(str::to_owned).collect();
    assert_eq!(listed, all_commands(&Cli::command(), ""));
}

fn binary(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-registry"));
    command.args(arguments).current_dir(folder).env_clear();
    command.env("MCP_REGISTRY__SERVER__LISTEN", "127.0.0.1:0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(folder: &Path, row: &Row) -> Output {
    let typed: Vec<&str> = row.name.split(' ').chain(row.arguments.iter().copied()).collect();
    binary(folder, &typed).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file below `folder`, with its path from there.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.insert(name.clone());
            found.extend(files(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.insert(name);
        }
    }
    found
}

/// A process that always ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A server with settings that other shells do not have, and its address.
fn serve(folder: &Path) -> (Process, String) {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = binary(folder, &["serve", "--no-worker"]);
    command.env("MCP_REGISTRY__GATEWAY__URLS", "https://gateway.example");
    command.env("MCP_REGISTRY__SERVER__PUBLIC_URL", "https://registry.example");
    let mut process = Process(command.stderr(log).spawn().unwrap());
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let address = line.strip_prefix("listening on http://").unwrap().to_owned();
    // The link: what is noted for other shells is noted by then.
    lines.next().unwrap().unwrap();
    (process, address)
}

fn get(address: &str, path: &str, key: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nx-portkey-api-key: {key}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn command_in_another_shell_keeps_a_running_server_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, address) = serve(folder.path());
    let key = binary(folder.path(), &["key", "create", "--name", "k", "--role", "admin"]).output().unwrap();
    let key = String::from_utf8(key.stdout).unwrap().trim().to_owned();
    let database = folder.path().join("data/registry.sqlite").canonicalize().unwrap();
    for row in TABLE.iter().filter(|row| row.ends && row.alone != Alone::Makes) {
        let output = run(folder.path(), row);
        let works = !REFUSED.contains(&row.name);
        assert_eq!(output.status.success(), works, "{}: {}", row.name, said(&output));
        if row.alone == Alone::Refuses && row.name != "restore" {
            assert!(said(&output).contains(&*database.to_string_lossy()), "{}: {}", row.name, said(&output));
        }
        let ready = get(&address, "/readyz", "");
        assert!(ready.starts_with("HTTP/1.1 200") && !ready.contains("settings"), "{}: {ready}", row.name);
        let organisation = get(&address, "/v1/audit-events?action=deployment.changed", &key);
        assert!(organisation.starts_with("HTTP/1.1 200"), "{organisation}");
        assert!(!organisation.contains("\"deployment\""), "{} recorded settings: {organisation}", row.name);
    }
    // A link is for the address that the deployment serves at; where this shell says otherwise, it warns.
    let link = binary(folder.path(), &["user", "link", "--email", "bob@acme.com"]);
    let said_of = |mut command: Command| {
        let output = command.output().unwrap();
        (String::from_utf8(output.stdout.clone()).unwrap(), said(&output))
    };
    let (printed, _) = said_of(link);
    assert!(printed.starts_with("https://registry.example/ui/sign-in/link"), "{printed}");
    let mut link = binary(folder.path(), &["user", "link", "--email", "bob@acme.com"]);
    link.env("MCP_REGISTRY__SERVER__PUBLIC_URL", "https://other.example");
    let (printed, warned) = said_of(link);
    assert!(
        printed.starts_with("https://other.example/") && warned.contains("https://registry.example"),
        "{warned}"
    );

    // A second process with other settings does not start beside it, and says what to do.
    for name in ["serve", "work"] {
        let output = binary(folder.path(), &[name]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        for part in ["`gateway.urls`", "mcp-registry migrate", &*database.to_string_lossy()] {
            assert!(said(&output).contains(part), "{name}: {}", said(&output));
        }
        assert!(get(&address, "/readyz", "").starts_with("HTTP/1.1 200"), "{name}");
    }
    // `migrate` is how settings are changed; the server that runs stays in service and says so.
    assert!(run(folder.path(), &row("migrate", &[], Alone::Makes, false)).status.success());
    let ready = get(&address, "/readyz", "");
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("previous generation"), "{ready}");
}

#[test]
fn single_server_adopts_changed_settings_and_reports_it() {
    let folder = tempfile::tempdir().unwrap();
    drop(serve(folder.path()));
    let log = fs::File::create(folder.path().join("second")).unwrap();
    let mut second = Process(binary(folder.path(), &["serve", "--no-worker"]).stderr(log).spawn().unwrap());
    let mut lines = BufReader::new(second.0.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap().strip_prefix("listening on http://").unwrap().to_owned();
    let ready = get(&address, "/readyz", "");
    assert!(ready.starts_with("HTTP/1.1 200") && !ready.contains("settings"), "{ready}");
    let log = fs::read_to_string(folder.path().join("second")).unwrap();
    assert!(log.contains("gateway.urls"), "{log}");
}

#[test]
fn only_some_commands_create_a_database() {
    for row in TABLE.iter().filter(|row| row.ends) {
        let folder = tempfile::tempdir().unwrap();
        let output = run(folder.path(), row);
        match row.alone {
            Alone::Makes => {
                assert!(output.status.success(), "{}: {}", row.name, said(&output));
                assert!(folder.path().join("data/registry.sqlite").is_file(), "{}", row.name);
            }
            Alone::Refuses => {
                assert_eq!(output.status.code(), Some(1), "{}: {}", row.name, said(&output));
                assert!(files(folder.path()).is_empty(), "{} made {:?}", row.name, files(folder.path()));
                if row.name != "restore" {
                    let working = folder.path().canonicalize().unwrap();
                    for part in [
                        "There is no database at ./data/registry.sqlite",
                        &*working.to_string_lossy(),
                        "database.url",
                    ] {
                        assert!(said(&output).contains(part), "{}: {}", row.name, said(&output));
                    }
                }
            }
            Alone::Unconcerned => {
                assert!(output.status.success(), "{}: {}", row.name, said(&output));
                assert!(files(folder.path()).is_empty(), "{} made {:?}", row.name, files(folder.path()));
            }
        }
    }
}

#[test]
fn lost_sealing_key_is_not_replaced_for_an_encrypted_database() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(folder.path(), &row("migrate", &[], Alone::Makes, false)).status.success());
    let key = folder.path().join("data/sealing.key");
    let expected = key.canonicalize().unwrap();
    fs::rename(&key, folder.path().join("elsewhere")).unwrap();
    for row in TABLE {
        let output = run(folder.path(), row);
        let what = format!("{}: {}", row.name, said(&output));
        assert_eq!(output.status.success(), row.without_key, "{what}");
        assert!(!key.exists(), "{what}");
        // There is no such rollout, with a key or without.
        let asks_for_no_key = ["restore", "rollout pause", "rollout resume"].contains(&row.name);
        if row.alone != Alone::Unconcerned && !asks_for_no_key {
            assert!(said(&output).contains(&*expected.to_string_lossy()), "{what}");
        }
        drop(fs::remove_file(folder.path().join("copy.sqlite")));
    }
    // With its copy back everything is as before.
    fs::rename(folder.path().join("elsewhere"), &key).unwrap();
    for row in TABLE.iter().filter(|row| row.ends && !REFUSED.contains(&row.name)) {
        let output = run(folder.path(), row);
        assert!(output.status.success(), "{}: {}", row.name, said(&output));
        assert!(!said(&output).contains("warning"), "{}: {}", row.name, said(&output));
    }
}
