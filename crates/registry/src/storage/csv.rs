//! Cells of CSV files that spreadsheets do not read as formulas.

/// Escapes a cell that a spreadsheet would read as a formula: some of these texts come from authorization servers.
pub(crate) fn escape_formula(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}
