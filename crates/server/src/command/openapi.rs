//! `mcp-registry openapi`: needs neither configuration nor database.

use super::{CommandError, print};
use crate::cli::Openapi;
use std::fs;

/// Prints, writes or compares the OpenAPI document.
pub(super) fn run(options: &Openapi) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(&registry_api::document())
        .map_err(|error| CommandError::new(format!("The document cannot be written: {error}.")))?
        + "\n";
    if let Some(file) = &options.write {
        return fs::write(file, text)
            .map_err(|error| CommandError::new(format!("{} cannot be written: {error}.", file.display())));
    }
    let Some(file) = &options.check else {
        return print(text.trim_end());
    };
    let there = fs::read_to_string(file)
        .map_err(|error| CommandError::new(format!("{} cannot be read: {error}.", file.display())))?;
    if there == text {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "{file} is not the document of this program. Run `mcp-registry openapi --write {file}`.",
        file = file.display()
    )))
}
