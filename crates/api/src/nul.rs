//! The character NUL in an address: refused before anything looks at it (`registry_core::nul` says why).

use crate::failure::Failure;
use crate::{fallback, problem};
use actix_web::http::Uri;
use registry_core::nul::{NulLocation, in_pairs, in_path};

/// Refuses an address whose path or query contains NUL, and names the parameter.
pub(crate) fn refuse_in(uri: &Uri) -> Result<(), Failure> {
    let place = in_path(uri.path()).or_else(|| in_pairs(uri.query().unwrap_or_default()));
    let what = match place {
        None => return Ok(()),
        Some(NulLocation::Segment(index)) => match fallback::parameter_at(uri.path(), index) {
            Some(name) => format!("The path parameter `{name}` contains"),
            None => "The path contains".to_owned(),
        },
        Some(NulLocation::Value(name)) => format!("The query parameter `{name}` contains"),
        Some(NulLocation::Name) => "The name of a query parameter contains".to_owned(),
    };
    let detail = format!("{what} the character NUL (`%00`), which cannot be stored or found. Remove it.");
    Err(Failure::request(&problem::INVALID_PARAMETER, detail))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_is_named() {
        let refusal = |address: &str| {
            let refused = refuse_in(&address.parse().unwrap());
            refused.map_err(|failure| failure.to_string().split(" contains").next().unwrap().to_owned())
        };
        assert_eq!(refusal("/v1/workspaces/%00"), Err("The path parameter `workspace`".to_owned()));
        assert_eq!(refusal("/v1/workspaces?search=%00"), Err("The query parameter `search`".to_owned()));
        assert_eq!(refusal("/v1/workspaces?se%00arch=a"), Err("The name of a query parameter".to_owned()));
        assert_eq!(refusal("/v1/%00"), Err("The path".to_owned()));
        assert_eq!(refusal("/v1/workspaces/%2500?search=%2500"), Ok(()));
    }
}
