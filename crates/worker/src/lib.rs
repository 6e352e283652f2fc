//! The registration worker: claims registrations that are due, executes the planned step, records what came of it.
//!
//! It reaches the registry through [`registry::RegistrationQueue`] and authorization servers through
//! [`registry_core::registration::AuthorizationServers`], and decides with [`registry_core::registration::plan`].
//! This crate must not know sea-orm, actix, askama or an HTTP client.
//!
//! A registration is read from top to bottom:
//! * `claim_loop` claims due registrations, keeps a bounded number in progress, and waits for the next.
//! * `reconcile` plans step after step for one of them, until there is nothing to do now.
//! * `steps` holds one function per step; each records its attempt before anything is sent (INV-3). `after_step` names the
//!   request that begins in the same transaction that ends the step before.
//! * A worker that loses its lease drops what it has: [`registry::StepError::LeaseLost`].
//!
//! `maintenance` is what the loop does besides: expired drafts, the audit log, mapped secrets, the clock. `logos` fetches
//! logos. `looks` asks the MCP servers of integrations that need no user what they offer. `shared_discovery` asks an upstream once for registrations that need the same. `rollouts` brings changes of layers with many servers to these servers.

mod after_step;
mod claim_loop;
mod logos;
mod looks;
mod maintenance;
mod reconcile;
mod rollouts;
mod shared_discovery;
mod steps;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use crate::maintenance::Maintenance;
use registry::Registry;
use registry_core::registration::AuthorizationServers;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Its name in leases and logs; unique among the workers of a deployment.
    pub name: String,
    /// How many registrations it has in progress at most.
    pub concurrency: usize,
    /// How long it waits at most; changes by other processes are noticed by this poll.
    pub poll: Duration,
    /// How long it lets requests in flight finish after `stop`.
    pub drain: Duration,
}

/// Works until `stop`. Returns when nothing is in flight any more, at the latest after `options.drain`; a request that is
/// cut off then is found by the next worker as a lost answer.
pub async fn run(
    registry: Registry,
    servers: Arc<impl AuthorizationServers>,
    options: WorkerOptions,
    stop: CancellationToken,
) {
    tracing::info!(worker = %options.name, concurrency = options.concurrency, "worker started");
    // Logos are fetched beside the registrations: a slow host of logos delays no client.
    let logos = tokio::spawn(logos::run(registry.clone(), options.clone(), stop.clone()));
    // So does a slow MCP server.
    let looks = tokio::spawn(looks::run(registry.clone(), options.clone(), stop.clone()));
    // Rollouts enqueue the registrations of many servers, while those that are due are reconciled.
    let rollouts = tokio::spawn(rollouts::run(registry.clone(), options.clone(), stop.clone()));
    let maintenance = Maintenance::start(registry.clone()).await;
    claim_loop::run(registry.registration_queue(), servers, maintenance, &options, &stop).await;
    let _ = logos.await;
    let _ = looks.await;
    let _ = rollouts.await;
    tracing::info!(worker = %options.name, "worker stopped");
}
