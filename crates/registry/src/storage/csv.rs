//! Cells of CSV files that spreadsheets do not take for formulas.

/// A cell that no spreadsheet takes for a formula: an authorization server chose some of these texts.
pub(crate) fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}
