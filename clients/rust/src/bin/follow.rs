//! `mcp-registry-follow`: follows the documents of the registry and prints what changes, one JSON object per line.
//!
//! Commands on standard input: `show`, `generation WORKSPACE/SERVER N`, `report WORKSPACE/SERVER ERROR`. Settings
//! (environment): `REGISTRY_URLS` (comma-separated), `REGISTRY_KEY_FILE`, `FOLLOW_MODE` (`poll`, `stream`),
//! `FOLLOW_PAUSE_MS` (shortest,longest), `FOLLOW_SILENCE_MS`, `FOLLOW_SAVED` (a file, read at the start, written at the end).

use mcp_registry_client::{BoxError, Follower, FollowerOptions, Mode, Registry};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let urls: Vec<String> = setting("REGISTRY_URLS")?.split(',').map(str::to_owned).collect();
    let key_file = setting("REGISTRY_KEY_FILE")?;
    // The key is read before each request, so that a rotated key needs no restart.
    let key = move || std::fs::read_to_string(&key_file).unwrap_or_default().trim().to_owned();
    let saved_file = setting("FOLLOW_SAVED").ok();
    let saved = saved_file.as_ref().and_then(|file| std::fs::read(file).ok());
    let mut options = FollowerOptions {
        mode: if setting("FOLLOW_MODE").is_ok_and(|mode| mode == "stream") {
            Mode::Stream
        } else {
            Mode::Poll
        },
        saved: saved.map(|text| serde_json::from_slice(&text)).transpose()?,
        on_change: Box::new(|name, document| {
            let event = if document.is_some() { "document" } else { "deleted" };
            print(
                &json!({ "event": event, "name": name, "generation": document.and_then(|one| one.generation) }),
            );
        }),
        on_error: Box::new(|error, pause| {
            print(
                &json!({ "event": "error", "error": error.to_string(), "pause": pause.as_secs_f64() * 1000.0 }),
            );
        }),
        ..FollowerOptions::default()
    };
    if let Ok(text) = setting("FOLLOW_PAUSE_MS")
        && let Some((least, most)) = text.split_once(',')
    {
        options.pause = (Duration::from_millis(least.parse()?), Duration::from_millis(most.parse()?));
    }
    if let Ok(text) = setting("FOLLOW_SILENCE_MS") {
        options.silence = Duration::from_millis(text.parse()?);
    }
    let follower = Arc::new(Follower::new(Arc::new(Registry::new(urls, key)?), options));
    let told_ready = async {
        follower.ready().await;
        print(&json!({ "event": "ready" }));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = follower.run() => {}
        () = told_ready => {}
        () = commands(&follower) => {}
    }
    if let (Some(file), Some(saved)) = (saved_file, follower.save()) {
        // It holds secrets.
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
        file.write_all(&serde_json::to_vec(&saved)?)?;
    }
    Ok(())
}

/// Until standard input ends. What waits for the registry runs beside.
async fn commands(follower: &Arc<Follower>) {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tokio::spawn(carry_out(follower.clone(), line));
    }
}

async fn carry_out(follower: Arc<Follower>, line: String) {
    let mut words = line.split(' ');
    let (command, name, argument) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    match command {
        "show" => {
            let documents: Map<String, Value> =
                follower.documents().iter().map(|one| (one.name(), json!(**one))).collect();
            let stale =
                follower.stale_since().map(|since| chrono::DateTime::<chrono::Utc>::from(since).to_rfc3339());
            print(&json!({ "event": "show", "documents": documents, "stale_since": stale }));
        }
        "generation" => match follower.generation(name, argument.parse().unwrap_or_default()).await {
            Ok(found) => {
                let client = found.as_ref().and_then(|one| one.client.as_ref());
                print(&json!({ "event": "generation", "client_id": client.map(|client| &client.client_id) }));
            }
            Err(error) => print(&json!({ "event": "failed", "error": error.to_string() })),
        },
        "report" => {
            let Some(document) = follower.document(name) else { return };
            match follower.report(&document, argument).await {
                Ok(told) => print(&json!({ "event": "report", "verdict": told.verdict })),
                Err(error) => print(&json!({ "event": "failed", "error": error.to_string() })),
            }
        }
        _ => {}
    }
}

fn print(event: &Value) {
    // A reader that is gone ends the program through its standard input.
    let _ = writeln!(std::io::stdout(), "{event}");
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, with few settings")]
fn setting(name: &str) -> Result<String, BoxError> {
    std::env::var(name).map_err(|_| format!("Set {name}.").into())
}
