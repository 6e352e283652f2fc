//! Two texts beside each other: which lines went, which came, and which words of them.

use registry_core::metadata::parse_marker;
use similar::{ChangeTag, InlineChangeOptions, TextDiff};
use std::time::{Duration, Instant};

/// Unchanged lines around a change.
const CONTEXT: usize = 3;
/// How long words are looked for; afterwards whole lines are marked.
const PATIENCE: Duration = Duration::from_millis(500);

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is in both.
    Kept,
    /// Only in the old text.
    Removed,
    /// Only in the new one.
    Added,
    /// No line: so many unchanged ones are left out.
    Skipped(usize),
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) fate: Fate,
    /// Its number in the old text, from 1.
    pub(crate) old: Option<usize>,
    /// Its number in the new text, from 1.
    pub(crate) new: Option<usize>,
    /// The line in pieces, and whether each is what changed.
    pub(crate) pieces: Vec<(bool, String)>,
}

/// The difference between two texts.
#[derive(Debug, Default)]
pub(crate) struct Diff {
    pub(crate) lines: Vec<Line>,
}

impl Diff {
    /// From `old` to `new`; markers of secrets are shown as words.
    pub(crate) fn of(old: &str, new: &str) -> Self {
        let (old, new) = (readable(old), readable(new));
        let (old, new) = (old.trim_end(), new.trim_end());
        let deadline = Instant::now() + PATIENCE;
        let diff = TextDiff::configure().deadline(deadline).diff_lines(old, new);
        let mut options = InlineChangeOptions::new();
        options.min_ratio(0.2).semantic_cleanup(true);
        let mut lines = Vec::new();
        let mut shown_to = 0;
        for group in diff.grouped_ops(CONTEXT) {
            let start = group.first().map_or(0, |op| op.old_range().start);
            skip(&mut lines, start.saturating_sub(shown_to));
            shown_to = group.last().map_or(shown_to, |op| op.old_range().end);
            for op in &group {
                let changes = diff.iter_inline_changes_with_options_deadline(op, options, Some(deadline));
                lines.extend(changes.map(|change| {
                    Line {
                        fate: match change.tag() {
                            ChangeTag::Equal => Fate::Kept,
                            ChangeTag::Delete => Fate::Removed,
                            ChangeTag::Insert => Fate::Added,
                        },
                        old: change.old_index().map(|index| index + 1),
                        new: change.new_index().map(|index| index + 1),
                        pieces: change
                            .iter_strings_lossy()
                            .map(|(marked, piece)| (marked, piece.trim_end_matches(['\n', '\r']).to_owned()))
                            .filter(|(_, piece)| !piece.is_empty())
                            .collect(),
                    }
                }));
            }
        }
        if !lines.is_empty() {
            skip(&mut lines, diff.old_len().saturating_sub(shown_to));
        }
        Self { lines }
    }

    /// The same without numbers: of lines that are no text's.
    pub(crate) fn without_numbers(mut self) -> Self {
        for line in &mut self.lines {
            (line.old, line.new) = (None, None);
        }
        self
    }

    /// Whether the texts are the same.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

fn skip(lines: &mut Vec<Line>, count: usize) {
    if count > 0 {
        lines.push(Line { fate: Fate::Skipped(count), old: None, new: None, pieces: Vec::new() });
    }
}

/// `text` with each marker of a secret as words short enough to read, and different for different secrets.
fn readable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\"$sealed:") {
        let (before, from) = rest.split_at(start + 1);
        let end = from.find('"').unwrap_or(from.len());
        let (candidate, after) = from.split_at(end);
        shown.push_str(before);
        match parse_marker(candidate) {
            Some(_) => {
                shown.push_str("sealed secret …");
                shown.push_str(candidate.get(candidate.len() - 4..).unwrap_or_default());
            }
            None => shown.push_str(candidate),
        }
        rest = after;
    }
    shown + rest
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn marked(line: &Line) -> Vec<&str> {
        line.pieces.iter().filter(|(marked, _)| *marked).map(|(_, piece)| piece.as_str()).collect()
    }

    #[test]
    fn lines_have_numbers_and_changed_words_are_marked() {
        let old = "{\n  \"client_name\": \"Acme MCP Gateway\",\n  \"scope\": \"a\"\n}";
        let new = "{\n  \"client_name\": \"Acme Corp MCP Gateway\",\n  \"tos_uri\": \"https://a\",\n  \"scope\": \"a\"\n}";
        let diff = Diff::of(old, new);
        let removed = diff.lines.iter().find(|line| line.fate == Fate::Removed).unwrap();
        assert_eq!((removed.old, removed.new), (Some(2), None));
        let added: Vec<_> = diff.lines.iter().filter(|line| line.fate == Fate::Added).collect();
        assert_eq!((added[0].new, added[1].new), (Some(2), Some(3)));
        assert!(marked(added[0]).concat().contains("Corp"), "{added:?}");
        assert!(!marked(added[0]).concat().contains("Gateway"), "{added:?}");
        let kept = diff.lines.last().unwrap();
        assert_eq!((kept.fate, kept.old, kept.new), (Fate::Kept, Some(4), Some(5)));
        assert!(Diff::of(old, old).is_empty());
        assert!(Diff::of("{}", "{}\n").is_empty(), "a line end is no difference");
    }

    #[test]
    fn unchanged_lines_far_away_are_counted() {
        let lines: Vec<String> = (1..=30).map(|number| format!("line {number}")).collect();
        let old = lines.join("\n");
        let diff = Diff::of(&old, &old.replace("line 15", "line X"));
        assert_eq!(diff.lines.first().unwrap().fate, Fate::Skipped(11));
        assert_eq!(diff.lines.last().unwrap().fate, Fate::Skipped(12));
        assert_eq!(diff.lines.len(), 1 + 3 + 2 + 3 + 1);
    }

    #[test]
    fn markers_are_words_that_differ_where_secrets_do() {
        let text =
            |end: &str| format!("{{\"client_secret\":\"$sealed:0190f2a4-0000-7000-8000-00000000{end}\"}}");
        assert_eq!(readable(&text("abcd")), "{\"client_secret\":\"sealed secret …abcd\"}");
        assert!(!Diff::of(&text("abcd"), &text("abce")).is_empty());
        let no_marker = "{\"a\":\"$sealed:x\",\"b\":\"$sealed:";
        assert_eq!(readable(no_marker), no_marker);
    }
}
