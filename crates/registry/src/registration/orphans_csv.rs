//! The orphan ledger as a table, for the owners of authorization servers.

use crate::storage::csv::escape_formula;
use crate::{Error, Orphan, Result};
use chrono::SecondsFormat;
use registry_core::clock::Timestamp;

/// Entries as a table (RFC 4180), in UTF-8, for a spreadsheet.
pub fn orphan_table(orphans: Vec<Orphan>) -> Result<Vec<u8>> {
    write(orphans).map_err(|error| Error::Internal(error.into()))
}

fn write(orphans: Vec<Orphan>) -> std::result::Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record([
        "kind",
        "server",
        "issuer",
        "client_id",
        "client_name",
        "registration_client_uri",
        "reason",
        "detail",
        "contacts",
        "since",
        "resolved_at",
        "resolved_by",
        "note",
    ])?;
    let moment = |moment: Timestamp| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
    for orphan in orphans {
        let cells = [
            orphan.kind,
            orphan.server,
            orphan.issuer.unwrap_or_default(),
            orphan.client_id.unwrap_or_default(),
            orphan.client_name.unwrap_or_default(),
            orphan.registration_client_uri.unwrap_or_default(),
            orphan.reason,
            orphan.detail,
            orphan.contacts.join(" "),
            moment(orphan.since),
            orphan.resolved_at.map(moment).unwrap_or_default(),
            orphan.resolved_by.unwrap_or_default(),
            orphan.note.unwrap_or_default(),
        ];
        writer.write_record(cells.map(escape_formula))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_are_no_formulas() {
        for (cell, kept) in [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("abc", "abc"), ("", "")] {
            assert_eq!(super::escape_formula(cell.to_owned()), kept);
        }
    }
}
