//! Exports of the audit log: CSV and JSON lines.

use crate::storage::csv::escape_formula;
use crate::{AuditEvent, Error, Result};
use chrono::SecondsFormat;
use serde_json::json;

/// Format of an export of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditFormat {
    /// CSV (RFC 4180); cells that a spreadsheet would read as a formula are escaped.
    Csv,
    /// One JSON object per line, with the member names of the REST API.
    JsonLines,
}

const COLUMNS: [&str; 17] = [
    "number",
    "created_at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "door",
    "action",
    "result",
    "subject_kind",
    "subject_id",
    "subject_name",
    "workspace_id",
    "address",
    "request_id",
    "before",
    "after",
    "hash",
];

/// Events as part of a file; the first part (`head`) begins with the names of the columns where there are columns.
pub fn export_audit(events: Vec<AuditEvent>, format: AuditFormat, head: bool) -> Result<Vec<u8>> {
    match format {
        AuditFormat::Csv => table(events, head).map_err(|error| Error::Internal(error.into())),
        AuditFormat::JsonLines => lines(events),
    }
}

fn table(events: Vec<AuditEvent>, head: bool) -> std::result::Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if head {
        writer.write_record(COLUMNS)?;
    }
    for event in events {
        let cells = [
            event.number.to_string(),
            event.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            event.actor_kind.clone(),
            event.actor_id.clone().unwrap_or_default(),
            event.actor_name.clone(),
            event.door.clone(),
            event.action.clone(),
            event.result().as_str().to_owned(),
            event.subject_kind,
            event.subject_id.unwrap_or_default(),
            event.subject_name.unwrap_or_default(),
            event.workspace_id.map(|id| id.to_string()).unwrap_or_default(),
            event.address.unwrap_or_default(),
            event.request_id.unwrap_or_default(),
            event.before.map(|value| value.to_string()).unwrap_or_default(),
            event.after.map(|value| value.to_string()).unwrap_or_default(),
            event.hash,
        ];
        writer.write_record(cells.map(escape_formula))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn lines(events: Vec<AuditEvent>) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for event in events {
        let result = event.result().as_str();
        let line = json!({
            "number": event.number,
            "id": event.id,
            "created_at": event.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "actor_kind": event.actor_kind,
            "actor_id": event.actor_id,
            "actor_name": event.actor_name,
            "door": event.door,
            "action": event.action,
            "result": result,
            "subject_kind": event.subject_kind,
            "subject_id": event.subject_id,
            "subject_name": event.subject_name,
            "workspace_id": event.workspace_id,
            "address": event.address,
            "request_id": event.request_id,
            "before": event.before,
            "after": event.after,
            "hash": event.hash,
        });
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
    }
    Ok(text)
}
