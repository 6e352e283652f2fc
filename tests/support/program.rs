//! The binary as an operator runs it: started, listened to, killed.

use crate::database::variable;
use crate::{Client, TestDatabase};
use registry_core::permission::Role;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// An installation of the binary on one database.
pub struct Installation {
    /// Its database.
    pub database: TestDatabase,
    settings: Vec<(String, String)>,
}

/// A running `mcp-registry serve`.
pub struct Serving {
    /// The process.
    pub child: Child,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    log: tokio::task::JoinHandle<String>,
}

impl Installation {
    /// On `database`, with loopback upstreams allowed.
    pub fn new(database: TestDatabase) -> Self {
        let this = Self { settings: Vec::new(), database };
        let url = this.database.url.clone();
        this.with("DATABASE__URL", &url)
            .with("SEALING__KEYS", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
            .with("SERVER__LISTEN", "127.0.0.1:0")
            .with("EGRESS__ALLOW_HTTP_LOOPBACK", "true")
            .with("LIMITS__BURST", "1000000")
            .with("LIMITS__PER_SECOND", "1000000")
            .with("LOG__LEVEL", "debug")
    }

    /// With a setting: `WORKER__REQUEST_TIMEOUT` is `worker.request_timeout`. A later one counts.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((format!("MCP_REGISTRY__{name}"), value.to_owned()));
        self
    }

    /// With a variable that is no setting.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The binary with these arguments, not started yet; killed when dropped.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(variable("MCP_REGISTRY_TEST_BINARY"));
        command
            .args(arguments)
            .current_dir(self.database.folder.path())
            .envs(self.settings.iter().cloned())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end; what it printed.
    pub async fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().await.expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// A new API key.
    pub async fn key(&self, role: Role) -> String {
        self.run(&["key", "create", "--name", "test", "--role", role.as_str()]).await
    }

    /// Starts `serve` and waits until it listens.
    pub async fn serve(&self, arguments: &[&str]) -> Serving {
        let mut command = self.command(&["serve"]);
        command.args(arguments);
        Self::listening(command).await
    }

    /// Starts a command that runs `serve` in the end, and waits until it listens.
    pub async fn listening(mut command: Command) -> Serving {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut errors = BufReader::new(child.stderr.take().expect("piped")).lines();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            while let Ok(Some(line)) = errors.next_line().await {
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        let listening = tokio::time::timeout(Duration::from_mins(1), async {
            while let Some(line) = output.next_line().await.expect("readable lines") {
                if let Some(url) = line.split_once("listening on ").map(|(_, url)| url.trim().to_owned()) {
                    return Some(url);
                }
            }
            None
        });
        let Some(url) = listening.await.expect("serve listens in time") else {
            panic!("serve ended before it listened: {}", log.await.expect("a log"))
        };
        tokio::spawn(async move { while let Ok(Some(_)) = output.next_line().await {} });
        Serving { child, url, log }
    }

    /// Starts `work`; its log is thrown away.
    pub fn work(&self) -> Child {
        let mut command = self.command(&["work"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs")
    }
}

impl Serving {
    /// A caller with this key.
    pub fn client(&self, key: &str) -> Client {
        Client::new(&self.url, key)
    }

    /// `kill -9`; gives back the log.
    pub async fn kill(mut self) -> String {
        self.child.kill().await.expect("killed");
        self.log.await.expect("a log")
    }

    /// SIGTERM; must end well within ten seconds. Gives back the log.
    pub async fn end(mut self) -> String {
        end(&mut self.child).await;
        self.log.await.expect("a log")
    }
}

/// SIGTERM to a process that must then end well within ten seconds.
pub async fn end(child: &mut Child) {
    tell_to_end(child);
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.expect("ends within 10 s");
    assert_eq!(status.expect("a status").code(), Some(0));
}

/// SIGTERM to a process, without waiting for anything. Nothing to one that has ended.
pub fn tell_to_end(child: &Child) {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).expect("a process id")));
    if let Some(pid) = pid {
        let told = kill_process(pid, Signal::TERM);
        assert!(matches!(told, Ok(()) | Err(Errno::SRCH)), "{told:?}");
    }
}
