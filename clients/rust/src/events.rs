//! Server-sent events.

use crate::registry::RegistryError;
use crate::types::GatewayChange;

/// The change in an event; `None` for a comment.
pub(crate) fn change_of(event: &[u8]) -> Result<Option<GatewayChange>, RegistryError> {
    let text = String::from_utf8_lossy(event);
    let member = |name: &str| -> Vec<&str> {
        text.lines()
            .filter_map(|line| line.strip_prefix(name))
            .map(|value| value.strip_prefix(' ').unwrap_or(value))
            .collect()
    };
    let data = member("data:").join("\n");
    if data.is_empty() {
        return Ok(None);
    }
    let mut change: GatewayChange = serde_json::from_str(&data).map_err(RegistryError::no_answer)?;
    if let ([event], true) = (&member("event:")[..], change.event.is_empty()) {
        (*event).clone_into(&mut change.event);
    }
    Ok(Some(change))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn events_are_changes_and_comments_are_not() {
        let event = b"id: 413\nevent: changed\ndata: {\"revision\":413,\"event\":\"changed\",\"workspace\":\"acme\",\"server\":\"notes\"}\n\n";
        let change = change_of(event).unwrap().unwrap();
        assert_eq!(
            (change.revision, change.event.as_str(), change.server.as_str()),
            (413, "changed", "notes")
        );
        let reset = change_of(b"id: 9\nevent: reset\ndata: {\"revision\":9}\n\n").unwrap().unwrap();
        assert_eq!((reset.revision, reset.event.as_str()), (9, "reset"));
        assert!(change_of(b": still here\n\n").unwrap().is_none());
        for garbage in ["data: {", "data: {}", "data: <h1>"] {
            assert!(change_of(garbage.as_bytes()).is_err(), "{garbage}");
        }
    }
}
