//! SIGTERM, whenever it comes: a process that said it is ready drains, and one that is still starting ends, both with exit code 0.

use std::process::Stdio;
use std::time::Duration;
use support::{Client, Engine, Installation, TestDatabase, end, tell_to_end};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

/// How often each is told to end in the very moment in which it says that it is ready.
const TIMES: usize = 8;

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("the binary runs")
}

/// Starts it, waits for the line that says it is ready, and tells it to end.
async fn ends_when_told_upon(command: Command, line: &str) {
    let mut child = start(command);
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = tokio::time::timeout(Duration::from_mins(1), output.next_line()).await;
    let said = said.expect("it starts in time").unwrap().expect("a line");
    tell_to_end(&child);
    assert!(said.starts_with(line), "{said}");
    end(&mut child).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_drains_when_told_to_end_as_soon_as_it_listens() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    for _ in 0..TIMES {
        ends_when_told_upon(installed.command(&["serve"]), "listening on http://").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_drains_when_told_to_end_as_soon_as_it_started() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    for _ in 0..TIMES {
        ends_when_told_upon(installed.command(&["work"]), "worker started").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_ends_when_told_as_soon_as_it_is_ready() {
    let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
    for _ in 0..TIMES {
        ends_when_told_upon(installed.command(&["sandbox"]), "ready {").await;
    }
}

/// The database takes connections and never answers: a process that opens it blocks while it starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_ends_cleanly_when_told_while_it_opens_the_database() {
    for command in ["serve", "work"] {
        let mute = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("postgres://registry@{}/postgres", mute.local_addr().unwrap());
        let installed =
            Installation::new(TestDatabase::new(Engine::Sqlite).await).with("DATABASE__URL", &url);
        let mut child = start(installed.command(&[command]));
        let asked = tokio::time::timeout(Duration::from_mins(1), mute.accept()).await;
        let _held = asked.expect("it connects in time").unwrap();
        tell_to_end(&child);
        end(&mut child).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_that_was_told_to_end_while_it_made_its_database_serves_afterwards() {
    for command in ["serve", "work"] {
        let installed = Installation::new(TestDatabase::new(Engine::Sqlite).await);
        let mut child = start(installed.command(&[command]));
        let file = installed.database.folder.path().join("registry.sqlite");
        let made = tokio::time::timeout(Duration::from_mins(1), async {
            while !file.exists() {
                tokio::task::yield_now().await;
            }
        });
        made.await.expect("it makes the database in time");
        tell_to_end(&child);
        end(&mut child).await;
        let serving = installed.serve(&["--no-worker"]).await;
        Client::new(&serving.url, "").get("/readyz").await.expect(200);
        serving.end().await;
    }
}
