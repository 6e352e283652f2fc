//! Placeholders of prepared settings: values that only an admin knows. A text that still contains one is refused.

use super::report::{Report, label};
use crate::finding::Finding;

/// One placeholder.
#[derive(Clone, Copy, Debug)]
pub struct FillIn {
    /// The placeholder as it is written, with its angle brackets.
    pub token: &'static str,
    /// What belongs there.
    pub meaning: &'static str,
}

const fn fill_in(token: &'static str, meaning: &'static str) -> FillIn {
    FillIn { token, meaning }
}

/// All placeholders.
pub static FILL_INS: &[FillIn] = &[
    fill_in("<client_id>", "the id of the client that you registered"),
    fill_in("<client_secret>", "the secret of the client that you registered"),
    fill_in("<client_name>", "a name that the authorization server accepts"),
    fill_in(
        "<initial_access_token>",
        "the initial access token that the authorization server's owner gave you",
    ),
    fill_in("<tenant_id>", "the id of your directory (tenant)"),
    fill_in("<application_id>", "the id of the application that protects the MCP server"),
    fill_in("<scope>", "a scope that the application offers"),
    fill_in("<scopes>", "the scopes that the client may ask for, separated by spaces"),
    fill_in("<api_identifier>", "the identifier of the API that protects the MCP server"),
];

/// Whether `text` contains a placeholder.
pub fn contains_fill_in(text: &str) -> bool {
    // Most values have no angle bracket.
    text.contains('<') && FILL_INS.iter().any(|one| text.contains(one.token))
}

/// Reports the placeholders in a value; whether there are any. The value is then not judged further.
pub(crate) fn check_fill_in(text: &str, pointer: &str, report: &mut Report) -> bool {
    if !contains_fill_in(text) {
        return false;
    }
    let found: Vec<String> = FILL_INS
        .iter()
        .filter(|one| text.contains(one.token))
        .map(|one| format!("`{}` by {}", one.token, one.meaning))
        .collect();
    report.push(Finding::error(
        pointer,
        "placeholder_left",
        format!("`{}` still contains a placeholder. Replace {}.", label(pointer), found.join(" and ")),
    ));
    true
}
