//! The character NUL in a URL: refused before any other processing (`registry_core::nul` says why).

use crate::http::failure::Failure;
use crate::http::fallback::DocumentedPaths;
use crate::http::problem_kinds;
use actix_web::http::Uri;
use registry_core::nul::{NulLocation, in_pairs, in_path};

/// Refuses a URL whose path or query contains NUL, and names the parameter.
pub(crate) fn refuse_in(uri: &Uri, paths: &DocumentedPaths) -> Result<(), Failure> {
    let place = in_path(uri.path()).or_else(|| in_pairs(uri.query().unwrap_or_default()));
    let what = match place {
        None => return Ok(()),
        Some(NulLocation::Segment(index)) => match paths.parameter_at(uri.path(), index) {
            Some(name) => format!("The path parameter `{name}` contains"),
            None => "The path contains".to_owned(),
        },
        Some(NulLocation::Value(name)) => format!("The query parameter `{name}` contains"),
        Some(NulLocation::Name) => "The name of a query parameter contains".to_owned(),
    };
    let detail = format!("{what} the character NUL (`%00`), which cannot be stored or found. Remove it.");
    Err(Failure::request(&problem_kinds::INVALID_PARAMETER, detail))
}
