//! The difference between two texts: removed and added lines, and the changed words in them.

use registry_core::metadata::parse_marker;
use similar::{ChangeTag, DiffTag, TextDiff};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Unchanged lines shown around a change.
const CONTEXT_LINES: usize = 3;
/// Maximum number of line pairs that are compared to find versions of the same line.
const MAX_COMPARED_PAIRS: usize = 250_000;
/// Time limit for the smallest difference; afterwards a larger one is accepted.
const DIFF_TIMEOUT: Duration = Duration::from_millis(100);

/// How a line changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineChange {
    /// In both texts.
    Kept,
    /// Only in the old text.
    Removed,
    /// Only in the new text.
    Added,
    /// No line: this many unchanged lines are left out.
    Skipped(usize),
}

/// A line in pieces, each with whether it changed.
type Pieces = Vec<(bool, String)>;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) change: LineChange,
    /// Line number in the old text, from 1.
    pub(crate) old: Option<usize>,
    /// Line number in the new text, from 1.
    pub(crate) new: Option<usize>,
    pub(crate) pieces: Pieces,
}

/// The difference between two texts.
#[derive(Debug, Default)]
pub(crate) struct Diff {
    pub(crate) lines: Vec<Line>,
}

impl Diff {
    /// The difference from `old` to `new`; markers of secrets are shown as words.
    pub(crate) fn of(old: &str, new: &str) -> Self {
        let (old, new) = (readable(old), readable(new));
        let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        let deadline = Instant::now() + DIFF_TIMEOUT;
        let diff = TextDiff::configure().deadline(deadline).diff_slices(&old, &new);
        let mut lines = Vec::new();
        let mut shown_to = 0;
        let mut left = MAX_COMPARED_PAIRS;
        for group in diff.grouped_ops(CONTEXT_LINES) {
            let start = group.first().map_or(0, |op| op.old_range().start);
            skip(&mut lines, start.saturating_sub(shown_to));
            shown_to = group.last().map_or(shown_to, |op| op.old_range().end);
            for op in &group {
                if op.tag() == DiffTag::Equal {
                    let both = op.old_range().zip(op.new_range());
                    lines.extend(both.map(|(a, b)| Line {
                        change: LineChange::Kept,
                        old: Some(a + 1),
                        new: Some(b + 1),
                        pieces: vec![(false, old[a].to_owned())],
                    }));
                } else {
                    let pairs = pairs(&old[op.old_range()], &new[op.new_range()], &mut left);
                    replace(&mut lines, (&old, op.old_range()), (&new, op.new_range()), pairs, deadline);
                }
            }
        }
        if !lines.is_empty() {
            skip(&mut lines, old.len().saturating_sub(shown_to));
        }
        Self { lines }
    }

    /// The same without line numbers, for lines that are not those of a text.
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

/// Removed and added lines: versions of the same line are paired, with changed words marked.
fn replace(
    lines: &mut Vec<Line>,
    (old, went): (&[&str], Range<usize>),
    (new, came): (&[&str], Range<usize>),
    pairs: Vec<(usize, usize)>,
    deadline: Instant,
) {
    let removed =
        |index: usize, pieces| Line { change: LineChange::Removed, old: Some(index + 1), new: None, pieces };
    let added =
        |index: usize, pieces| Line { change: LineChange::Added, old: None, new: Some(index + 1), pieces };
    let whole = |line: &str| vec![(true, line.to_owned())];
    let (mut a, mut b) = (went.start, came.start);
    for (x, y) in
        pairs.into_iter().map(|(x, y)| (went.start + x, came.start + y)).chain([(went.end, came.end)])
    {
        lines.extend((a..x).map(|index| removed(index, whole(old[index]))));
        lines.extend((b..y).map(|index| added(index, whole(new[index]))));
        if x < went.end {
            let (before, after) = words(old[x], new[y], deadline);
            lines.push(removed(x, before));
            lines.push(added(y, after));
        }
        (a, b) = (x + 1, y + 1);
    }
}

/// Pairs of lines that are versions of each other, in order: lines that set the same member, as many as possible.
fn pairs(old: &[&str], new: &[&str], left: &mut usize) -> Vec<(usize, usize)> {
    let Some(rest) = old.len().checked_mul(new.len()).and_then(|pairs| left.checked_sub(pairs)) else {
        return Vec::new();
    };
    *left = rest;
    let (old, new): (Vec<_>, Vec<_>) =
        (old.iter().map(|line| member(line)).collect(), new.iter().map(|line| member(line)).collect());
    // The longest common subsequence of the member names.
    let width = new.len() + 1;
    let mut best = vec![0_u32; (old.len() + 1) * width];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            let skipped = best[(a + 1) * width + b].max(best[a * width + b + 1]);
            let together = if is_same(old[a], new[b]) { best[(a + 1) * width + b + 1] + 1 } else { 0 };
            best[a * width + b] = skipped.max(together);
        }
    }
    let (mut a, mut b) = (0, 0);
    let mut found = Vec::new();
    while a < old.len() && b < new.len() {
        if is_same(old[a], new[b]) && best[a * width + b] == best[(a + 1) * width + b + 1] + 1 {
            found.push((a, b));
            (a, b) = (a + 1, b + 1);
        } else if best[(a + 1) * width + b] >= best[a * width + b + 1] {
            a += 1;
        } else {
            b += 1;
        }
    }
    found
}

/// The member that a line sets: `"name": …` of a text or `name: …` of what is sent; `Err` for a line without a
/// name, with whether it is an item of a list.
fn member(line: &str) -> Result<&str, bool> {
    line.split_once(':').map(|(name, _)| name.trim()).ok_or_else(|| line.trim_start().starts_with('"'))
}

/// Whether two lines set the same member, or are the only items of a list.
fn is_same(one: Result<&str, bool>, other: Result<&str, bool>) -> bool {
    one == other && one != Err(false)
}

/// The pieces of two lines, with the differences marked.
fn words(old: &str, new: &str, deadline: Instant) -> (Pieces, Pieces) {
    let diff = TextDiff::configure().deadline(deadline).diff_unicode_words(old, new);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for change in diff.iter_all_changes() {
        let piece = change.value();
        match change.tag() {
            ChangeTag::Delete => push(&mut before, true, piece),
            ChangeTag::Insert => push(&mut after, true, piece),
            ChangeTag::Equal => {
                push(&mut before, false, piece);
                push(&mut after, false, piece);
            }
        }
    }
    (before, after)
}

fn push(pieces: &mut Pieces, marked: bool, piece: &str) {
    match pieces.last_mut() {
        Some((last, text)) if *last == marked => text.push_str(piece),
        _ => pieces.push((marked, piece.to_owned())),
    }
}

fn skip(lines: &mut Vec<Line>, count: usize) {
    if count > 0 {
        lines.push(Line { change: LineChange::Skipped(count), old: None, new: None, pieces: Vec::new() });
    }
}

/// `text` with each marker of a secret as a short word, different for different secrets.
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
    fn diff_lines_have_numbers_and_marked_words() {
        let old = "{\n  \"client_name\": \"Acme MCP Gateway\",\n  \"scope\": \"a\"\n}";
        let new = "{\n  \"client_name\": \"Acme Corp MCP Gateway\",\n  \"tos_uri\": \"https://a\",\n  \"scope\": \"a\"\n}";
        let diff = Diff::of(old, new);
        let removed = diff.lines.iter().find(|line| line.change == LineChange::Removed).unwrap();
        assert_eq!((removed.old, removed.new), (Some(2), None));
        let added: Vec<_> = diff.lines.iter().filter(|line| line.change == LineChange::Added).collect();
        assert_eq!((added[0].new, added[1].new), (Some(2), Some(3)));
        assert!(marked(added[0]).concat().contains("Corp"), "{added:?}");
        assert!(!marked(added[0]).concat().contains("Gateway"), "{added:?}");
        let kept = diff.lines.last().unwrap();
        assert_eq!((kept.change, kept.old, kept.new), (LineChange::Kept, Some(4), Some(5)));
        assert!(Diff::of(old, old).is_empty());
        assert!(Diff::of("{}", "{}\n").is_empty(), "a line end is no difference");
    }

    #[test]
    fn versions_of_a_line_are_paired() {
        let old = "scope: a\ncontacts: it@a\nlogo_uri: x";
        let new = "scope: a b\ntos_uri: t\ncontacts: ops@a";
        let shown: Vec<String> = Diff::of(old, new)
            .lines
            .iter()
            .map(|line| {
                let sign = if line.change == LineChange::Added { '+' } else { '-' };
                format!("{sign}{}", line.pieces.iter().map(|(_, piece)| piece.as_str()).collect::<String>())
            })
            .collect();
        let expected = [
            "-scope: a",
            "+scope: a b",
            "+tos_uri: t",
            "-contacts: it@a",
            "+contacts: ops@a",
            "-logo_uri: x",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn distant_unchanged_lines_are_skipped_and_counted() {
        let lines: Vec<String> = (1..=30).map(|number| format!("line {number}")).collect();
        let old = lines.join("\n");
        let diff = Diff::of(&old, &old.replace("line 15", "line X"));
        assert_eq!(diff.lines.first().unwrap().change, LineChange::Skipped(11));
        assert_eq!(diff.lines.last().unwrap().change, LineChange::Skipped(12));
        assert_eq!(diff.lines.len(), 1 + 3 + 2 + 3 + 1);
    }

    #[test]
    fn secret_markers_are_distinct_words() {
        let text =
            |end: &str| format!("{{\"client_secret\":\"$sealed:0190f2a4-0000-7000-8000-00000000{end}\"}}");
        assert_eq!(readable(&text("abcd")), "{\"client_secret\":\"sealed secret …abcd\"}");
        assert!(!Diff::of(&text("abcd"), &text("abce")).is_empty());
        let no_marker = "{\"a\":\"$sealed:x\",\"b\":\"$sealed:";
        assert_eq!(readable(no_marker), no_marker);
    }
}
