//! The binary as a process: what it prints, when it ends, what it leaves behind.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn binary(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-registry"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("MCP_REGISTRY__SERVER__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A process that always ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `serve` and gives it with its address and its one-time link, once it has printed both.
fn serve(folder: &Path) -> (Process, String, String) {
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut process = Process(binary(folder, &["serve"]).stderr(log).spawn().unwrap());
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    let mut next = |start: &str| {
        let line = lines.next().unwrap().unwrap();
        line.strip_prefix(start).unwrap_or_else(|| unreachable!("{line}")).to_owned()
    };
    let address = next("listening on http://");
    let link = next("no user can sign in yet; sign in once with ");
    (process, address, link)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn serve_needs_no_configuration_and_ends_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, address, link) = serve(folder.path());
    assert!(link.starts_with(&format!("http://{address}/ui/sign-in/link?token=")), "{link}");
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs/", "/ui/sign-in"] {
        let answer = get(&address, path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    assert!(get(&address, "/nowhere").starts_with("HTTP/1.1 404"));
    assert!(folder.path().join("data/sealing.key").is_file());
    get(&address, "/ui/sign-in/link?token=s3cret");

    // An idle connection must not hold it up.
    let _idle = TcpStream::connect(&address).unwrap();
    let told = Instant::now();
    assert!(Command::new("kill").arg(process.0.id().to_string()).status().unwrap().success());
    assert_eq!(process.0.wait().unwrap().code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());

    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(
        log.contains("path=/ui/sign-in/link") && !log.contains("s3cret"),
        "a query may hold a token: {log}"
    );
    let (_, token) = link.split_once("token=").unwrap();
    assert!(!log.contains(token), "{log}");
}

#[test]
fn key_create_prints_only_the_key() {
    let folder = tempfile::tempdir().unwrap();
    assert!(binary(folder.path(), &["migrate"]).status().unwrap().success());
    let output =
        binary(folder.path(), &["key", "create", "--name", "n", "--role", "viewer"]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.starts_with("mcpr_") && printed.lines().count() == 1, "{printed}");
    assert!(!String::from_utf8(output.stderr).unwrap().contains(printed.trim()));
}

#[test]
fn check_reports_errors_and_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = binary(folder.path(), &["check"]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let output = binary(folder.path(), &["check"])
        .env("MCP_REGISTRY__DATABASE__URL", "postgres://me:s3cret@db.example/registry")
        .env("MCP_REGISTRY__GATEWAY__URLS", "ftp://gateway.example")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let printed = String::from_utf8(output.stdout).unwrap();
    for part in ["gateway.urls[0]", "sealing.key_file", "me:redacted@"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    assert!(!printed.contains("s3cret"));

    let output = binary(folder.path(), &["check"]).env("MCP_REGISTRY__SERVER__PROT", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("MCP_REGISTRY__SERVER__PROT"));
}

#[test]
fn demo_shows_the_main_job() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let output = binary(folder.path(), &["demo", "--once"]).output().unwrap();
    let (printed, said) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{said}\n{printed}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    for part in ["\"client_name\": \"Acme Corp MCP Gateway\"", "client_id   ", "/oauth/upstream-callback"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let steps = [
        "1  User requests tool from MCP server",
        "2  The gateway initiates OAuth flow with authorization server",
        "3  Authorization server shows consent screen with client metadata",
        "4  User sees your company name/logo",
        "   Acme Corp MCP Gateway",
        "   Logo: https://acme.com/assets/logo.png",
        "5  User authorizes access",
        "6  Flow completes normally",
        "tools/call whoami answered",
    ];
    let mut rest = printed.as_str();
    for step in steps {
        rest = rest.split_once(step).unwrap_or_else(|| panic!("{step}: {printed}")).1;
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left in the working directory");
}
