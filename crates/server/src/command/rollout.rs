//! `mcp-registry rollout …`.

use super::database::open_existing;
use super::{CommandError, print};
use crate::cli::{NamedRollout, Rollout as Subcommand, WatchRollout};
use crate::config::Config;
use registry::{Registry, Rollout};
use registry_core::id::RolloutId;
use registry_core::rollout::RolloutState;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

/// How often a watched rollout is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Characters of the bar.
const BAR_WIDTH: usize = 40;
/// Rollouts that `list` prints.
const MAX_LISTED: u64 = 20;

pub(super) async fn run(config: &Config, command: Subcommand) -> Result<(), CommandError> {
    let registry = open_existing(config).await?.registry;
    match command {
        Subcommand::List => list(&registry).await,
        Subcommand::Watch(WatchRollout { rollout }) => watch(&registry, rollout).await,
        Subcommand::Pause(NamedRollout { rollout }) => {
            let one = registry.rollouts().pause(&registry.operator(), rollout).await?;
            print(line(&one))
        }
        Subcommand::Resume(NamedRollout { rollout }) => {
            let one = registry.rollouts().resume(&registry.operator(), rollout).await?;
            print(line(&one))
        }
    }
}

const NONE: &str = "There is no rollout: no change has reached more than 100 servers.";

/// Prints the newest rollouts, a line each.
async fn list(registry: &Registry) -> Result<(), CommandError> {
    let page = registry.rollouts().list(&registry.operator(), false, None, MAX_LISTED).await?;
    if page.rollouts.is_empty() {
        return print(NONE);
    }
    for one in &page.rollouts {
        print(format_args!("{}  {}", one.id, line(one)))?;
    }
    Ok(())
}

/// Prints the progress of a rollout (by default the newest) until it is over; fails if it stopped because of failures.
async fn watch(registry: &Registry, id: Option<RolloutId>) -> Result<(), CommandError> {
    let actor = registry.operator();
    let newest = match id {
        None => registry.rollouts().list(&actor, false, None, 1).await?.rollouts.first().map(|one| one.id),
        some => some,
    };
    let Some(id) = newest else { return print(NONE) };
    let terminal = std::io::stdout().is_terminal();
    let mut told = String::new();
    loop {
        let one = registry.rollouts().get(&actor, id).await?;
        let now = line(&one);
        if now != told {
            if terminal {
                let mut output = std::io::stdout().lock();
                // The line is written over the one before it.
                let _ = write!(output, "\r\x1b[K{now}");
                let _ = output.flush();
            } else {
                print(&now)?;
            }
            told = now;
        }
        let ended = match one.state {
            RolloutState::Running => false,
            RolloutState::Paused | RolloutState::Stopped | RolloutState::Superseded => true,
            RolloutState::Done => one.pending_registrations == 0,
        };
        if ended {
            if terminal {
                print("")?;
            }
            return match one.state {
                RolloutState::Stopped => Err(CommandError::new(format!(
                    "The rollout stopped because of failures. After a look at them: `mcp-registry rollout resume {id}`."
                ))),
                _ => Ok(()),
            };
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// A rollout as one line: bar, percent, servers, registrations, failures, state.
fn line(one: &Rollout) -> String {
    let percent = (one.processed * 100).checked_div(one.total).unwrap_or(100).min(100);
    let full = usize::try_from(percent).unwrap_or_default() * BAR_WIDTH / 100;
    let bar: String = "#".repeat(full) + &"-".repeat(BAR_WIDTH - full);
    format!(
        "[{bar}] {percent:3} %  {} of {} servers, {} registrations pending, {} failures, {}",
        one.processed,
        one.total,
        one.pending_registrations,
        one.refused + one.failed_registrations,
        one.state.as_str()
    )
}
