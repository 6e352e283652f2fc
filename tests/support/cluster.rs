//! A PostgreSQL of a test's own, that it may kill.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::process::Command;

/// A cluster in which every commit reaches the disk, as in production; gone when the test is.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    port: u16,
    /// What makes its disk full, when it is to be.
    shim: Option<PathBuf>,
}

/// How long a cluster may take to start, recovery included.
const MAX_START: std::time::Duration = std::time::Duration::from_mins(1);

/// A free port that stays free while nobody listens on it: the system gives ports from 32768 on to connections.
fn lasting_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 750).expect("a small number") * 16;
    let mut ports = (first..32_000).chain(20_000..first);
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// A program of PostgreSQL's, the newest there is.
pub fn postgres_program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let mut found: Vec<PathBuf> = versions
        .map(|entry| entry.expect("a folder").path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("{name} is not installed: run the tests through ./test"))
}

/// The library that makes a disk full or read-only for the process it is preloaded into, compiled into `folder`.
pub async fn disk_shim(folder: &Path) -> PathBuf {
    let shim = folder.join("full_disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/support/full_disk.c");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).status();
    assert!(made.await.expect("cc runs").success());
    shim
}

impl Cluster {
    /// A new one, running.
    pub async fn start() -> Self {
        let this = Self::prepare().await;
        this.begin().await;
        this
    }

    /// The same on a disk that [`Self::fill_disk`] fills.
    pub async fn start_on_a_small_disk() -> Self {
        let mut this = Self::prepare().await;
        let shim = disk_shim(this.folder.path()).await;
        this.shim = Some(shim);
        this.begin().await;
        this
    }

    /// From now on nothing grows.
    pub fn fill_disk(&self) {
        std::fs::write(self.full_disk(), "").expect("a file");
    }

    /// There is space again.
    pub fn free_disk(&self) {
        std::fs::remove_file(self.full_disk()).expect("the disk is full");
    }

    fn full_disk(&self) -> PathBuf {
        self.folder.path().join("full")
    }

    /// A standby of this one, streaming from it. Every commit waits from now on until the standby has it on its disk
    /// (`synchronous_commit=on`); the standby itself, once promoted, waits for nobody.
    pub async fn start_standby(&self) -> Self {
        let standby = Self::place().await;
        let (from, data) = (self.port.to_string(), standby.data());
        let copy = ["-h", "127.0.0.1", "-p", &from, "-U", "registry", "-R", "-X", "stream", "-c", "fast"];
        let data = ["--no-sync", "-D", data.to_str().expect("text")];
        standby.run("pg_basebackup", &[&copy[..], &data[..]].concat()).await;
        standby.begin().await;
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        self.execute("SELECT pg_reload_conf()").await;
        self.until("SELECT (count(*) = 1)::text FROM pg_stat_replication WHERE sync_state = 'sync'").await;
        standby
    }

    /// Makes a standby the primary; returns when it can be written.
    pub async fn promote(&self) {
        let data = self.data();
        self.run("pg_ctl", &["-D", data.to_str().expect("text"), "-w", "promote"]).await;
    }

    /// Runs a statement.
    pub async fn execute(&self, sql: &str) {
        let db = Database::connect(self.url()).await.expect("the cluster");
        db.execute_unprepared(sql).await.expect("the statement runs");
        db.close().await.expect("close");
    }

    /// The one text that a statement answers.
    pub async fn ask(&self, sql: &str) -> String {
        let db = Database::connect(self.url()).await.expect("the cluster");
        let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
        let text = row.expect("the statement runs").expect("a row").try_get_by_index(0).expect("a text");
        db.close().await.expect("close");
        text
    }

    /// Asks until the answer is `true`.
    pub async fn until(&self, sql: &str) {
        let asked = tokio::time::timeout(std::time::Duration::from_secs(20), async {
            while self.ask(sql).await != "true" {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        });
        asked.await.unwrap_or_else(|_| panic!("never: {sql}"));
    }

    /// A signal to every process of it: with `KILL` its machine is gone, with `STOP` it is silent, until `CONT`.
    pub fn signal_every_process(&self, signal: Signal) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let Some(first) = file.lines().next() else { return };
        let children =
            std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        for process in std::iter::once(first).chain(children.split_whitespace()) {
            let pid = Pid::from_raw(process.parse().expect("a process id")).expect("a process id");
            // One of the children may have ended meanwhile.
            let sent = kill_process(pid, signal);
            assert!(matches!(sent, Ok(()) | Err(Errno::SRCH)), "{sent:?}");
        }
    }

    /// `host:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    async fn prepare() -> Self {
        let this = Self::place().await;
        let data = this.data();
        let data = data.to_str().expect("text");
        this.run(
            "initdb",
            &["-D", data, "-U", "registry", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
        )
        .await;
        this
    }

    /// Where one will be, and its port.
    async fn place() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if is_root() {
            let folder = folder.path().to_str().expect("text");
            let given = Command::new("chown").args(["nobody", folder]).status().await;
            assert!(given.expect("chown runs").success());
        }
        Self { folder, port: lasting_port(), shim: None }
    }

    /// What to open.
    pub fn url(&self) -> String {
        format!("postgres://registry@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it after [`Self::kill`] or [`Self::signal_every_process`]; it recovers from its log. It refuses as long as a
    /// process of the killed one has the shared memory, so it is tried until it starts.
    pub async fn begin(&self) {
        let options =
            format!("-p {} -k {} -c listen_addresses=127.0.0.1", self.port, self.folder.path().display());
        let log = self.folder.path().join("log");
        let (data, log) = (self.data(), log.to_str().expect("text").to_owned());
        let arguments = ["-D", data.to_str().expect("text"), "-w", "-l", &log, "-o", &options, "start"];
        let started = tokio::time::timeout(MAX_START, async {
            while !self.succeeds("pg_ctl", &arguments).await {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        });
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(started.await.is_ok(), "PostgreSQL does not start:\n{}", said());
    }

    /// Ends it as a power cut would: without a clean shutdown.
    pub async fn kill(&self) {
        let data = self.data();
        self.run("pg_ctl", &["-D", data.to_str().expect("text"), "-m", "immediate", "stop"]).await;
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn run(&self, program: &str, arguments: &[&str]) {
        assert!(self.succeeds(program, arguments).await, "{program} {arguments:?}");
    }

    async fn succeeds(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = as_postgres(&postgres_program(program), self.folder.path());
        if let Some(shim) = &self.shim {
            command.env("LD_PRELOAD", shim).env("FULL_DISK", self.full_disk());
        }
        let status = command.args(arguments).stdout(std::process::Stdio::null()).status().await;
        status.expect("it runs").success()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // One that is stopped would not end.
        self.signal_every_process(Signal::CONT);
        let mut command = as_postgres(&postgres_program("pg_ctl"), self.folder.path());
        command.arg("-D").arg(self.data()).args(["-m", "immediate", "stop"]);
        drop(
            command
                .as_std_mut()
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .status(),
        );
    }
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path, folder: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").env("HOME", folder);
    command
}

fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output().expect("id runs");
    id.stdout == b"0\n"
}
