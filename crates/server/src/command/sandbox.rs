//! `mcp-registry sandbox`: an upstream to try things on, which behaves as badly as one asks.

use super::shutdown::ShutdownSignal;
use super::{CommandError, print};
use crate::cli;
use registry_sandbox::{Options, Quirks, Sandbox};
use serde_json::json;
use std::io::BufRead;
use std::thread;
use tokio::sync::mpsc;

/// Serves until standard input ends or the process is told to end. Each line read there is the quirks from now on, each line written says what is in
/// force: `ready {…}` at first, then `quirks {}` or `refused {"detail": …}` for every line read.
pub(super) async fn run(options: &cli::Sandbox, mut shutdown: ShutdownSignal) -> Result<(), CommandError> {
    let quirks = parse(options.quirks.as_deref().unwrap_or("{}")).map_err(CommandError::new)?;
    let sandbox = Sandbox::start(Options { port: options.port, quirks, ..Options::default() })
        .await
        .map_err(|error| CommandError::new(format!("The sandbox cannot be started: {error}.")))?;
    print(format_args!("ready {}", json!({ "mcp_url": sandbox.mcp_url(), "issuer": sandbox.issuer() })))?;
    let mut lines = typed();
    while let Some(Some(line)) = shutdown.run_until(lines.recv()).await {
        match parse(&line) {
            Ok(quirks) => {
                sandbox.set_quirks(quirks);
                print("quirks {}")?;
            }
            Err(detail) => print(format_args!("refused {}", json!({ "detail": detail })))?,
        }
    }
    sandbox.stop().await;
    Ok(())
}

fn parse(text: &str) -> Result<Quirks, String> {
    serde_json::from_str(text).map_err(|error| format!("Invalid quirks: {error}."))
}

/// The lines of standard input. Reading blocks, so it has its own thread.
fn typed() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
