//! Carries out a plan, and says what was done, one line for each step.

use super::admin_api::AdminError;
use super::plan::{Action, Ownership, Step, plan};
use super::target::TargetGateway;
use mcp_registry_client::GatewayDocument;

/// Requests after each other that a gateway may leave unanswered: one upstream that hangs must not hold up the others.
const MAX_UNANSWERED: usize = 3;

/// What came of one pass over all servers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Entries that were made, changed or deleted, or in a dry run would be.
    pub(crate) written: usize,
    /// Entries that are as they should be.
    pub(crate) unchanged: usize,
    /// Servers that wait for their client.
    pub(crate) waiting: usize,
    /// Servers that this gateway cannot serve.
    pub(crate) refused: usize,
    /// Steps that failed.
    pub(crate) failed: usize,
}

/// How the pass is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    /// Nothing is written.
    pub(crate) dry_run: bool,
    /// All entries may be deleted although the registry has no server at all.
    pub(crate) allow_empty: bool,
}

/// Compares the documents with what the gateway has, and writes the difference. One entry that fails stops no other one, unless
/// the gateway does not answer at all. `say` gets each line of the report.
pub(crate) async fn apply(
    target: &dyn TargetGateway,
    ownership: &Ownership,
    documents: &[GatewayDocument],
    pass: Pass,
    say: &mut (dyn FnMut(String) + Send),
) -> Result<Outcome, AdminError> {
    let steps = plan(target, ownership, documents, target.list().await?);
    let mut outcome = Outcome::default();
    let deletions = steps.iter().filter(|step| matches!(step.action, Action::Delete(..))).count();
    if documents.is_empty() && deletions > 0 && !pass.allow_empty {
        return Err(AdminError::unexpected(format!(
            "The registry shows this API key no server at all, so {deletions} entries would be deleted. If that is right, run this again with --allow-empty."
        )));
    }
    let mut unanswered = 0;
    for step in steps {
        let answered = carry_out(target, step, pass.dry_run, &mut outcome, say).await?;
        unanswered = if answered { 0 } else { unanswered + 1 };
        if unanswered >= MAX_UNANSWERED {
            return Err(AdminError::unexpected(format!(
                "The gateway left {unanswered} requests unanswered."
            )));
        }
    }
    Ok(outcome)
}

/// Whether the gateway answered, if it was asked.
async fn carry_out(
    target: &dyn TargetGateway,
    step: Step,
    dry_run: bool,
    outcome: &mut Outcome,
    say: &mut (dyn FnMut(String) + Send),
) -> Result<bool, AdminError> {
    let server = &step.server;
    let (line, notes, done) = match &step.action {
        Action::Nothing => {
            outcome.unchanged += 1;
            return Ok(true);
        }
        Action::Wait(reason) => {
            outcome.waiting += 1;
            say(format!("wait    {server}: {reason}"));
            return Ok(true);
        }
        Action::Refuse(reason) => {
            outcome.refused += 1;
            say(format!("skip    {server}: {reason}"));
            return Ok(true);
        }
        Action::Create(entry, mark) => (
            format!("create  {server} as {}", entry.name),
            entry.notes.as_slice(),
            if dry_run { Ok(()) } else { target.create(entry, mark).await },
        ),
        Action::Update(listed, entry, mark) => (
            format!("update  {server} as {}", entry.name),
            entry.notes.as_slice(),
            if dry_run { Ok(()) } else { target.update(listed, entry, mark).await },
        ),
        Action::Delete(listed, reason) => (
            format!("delete  {}: {reason}", listed.names.first().unwrap_or(&listed.id)),
            &[][..],
            if dry_run { Ok(()) } else { target.delete(listed).await },
        ),
    };
    match done {
        Ok(()) => {
            outcome.written += 1;
            say(line);
            for note in notes {
                say(format!("        note: {note}"));
            }
            Ok(true)
        }
        Err(error) if error.concerns_all() => Err(error),
        Err(error) => {
            outcome.failed += 1;
            say(format!("FAILED  {line}: {error}"));
            Ok(error.status > 0)
        }
    }
}
