//! From a JSON Pointer to the line and column where it stands in the text that was sent.

use crate::finding::{Finding, Findings};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Gives each finding the position of its member in `text`, where there is one. Positions that were relative to a part
/// of the text are replaced, so that all of one answer count alike; a body that is no JSON keeps its own.
pub fn place(text: &str, findings: &mut [Finding]) {
    for finding in findings {
        if finding.pointer.is_empty() {
            continue;
        }
        let found = position(text, &finding.pointer);
        finding.line = found.map(|(line, _)| line);
        finding.column = found.map(|(_, column)| column);
    }
}

/// `findings` of something that was saved, with the positions of their members in `text`.
pub fn placed(text: &str, mut findings: Findings) -> Findings {
    place(text, &mut findings.0);
    findings
}

/// 1-based line and column (in characters) of the value at `pointer`, or of the deepest member above it.
fn position(text: &str, pointer: &str) -> Option<(u32, u32)> {
    let mut current = text;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        match step(current, &token) {
            Some(inner) => current = inner,
            None => break,
        }
    }
    // `current` is a part of `text`, so the difference of their addresses is its offset.
    let offset = current.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let before = text.get(..offset)?;
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count();
    Some((u32::try_from(line).ok()? + 1, u32::try_from(column).ok()? + 1))
}

/// The text of one member of the object or list `text`.
fn step<'a>(text: &'a str, token: &str) -> Option<&'a str> {
    if text.trim_start().starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        return items.get(token.parse::<usize>().ok()?).map(|item| item.get());
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    members.get(token).map(|member| member.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_where_they_stand() {
        let text = "{\n  \"name\": \"Ä\", \"configurations\": {\n    \"a/b\": [1,\n   2]\n  }\n}";
        assert_eq!(position(text, "/name"), Some((2, 11)));
        assert_eq!(position(text, "/configurations"), Some((2, 34)));
        assert_eq!(position(text, "/configurations/a~1b/1"), Some((4, 4)));
        assert_eq!(position(text, "/configurations/missing"), Some((2, 34)));
    }

    #[test]
    fn the_whole_body_has_no_position_of_its_own() {
        let mut findings = [Finding::error("", "invalid_json", "Broken.")];
        findings[0].line = Some(7);
        place("{", &mut findings);
        assert_eq!(findings[0].line, Some(7));
    }
}
