//! Findings as they are collected: bounded, so that a hostile text cannot make a long answer, and sayable.

use crate::finding::{Finding, Severity};

/// So many findings of each severity are kept.
const MAX_PER_SEVERITY: usize = 100;
/// So much of a name or value is repeated in a sentence.
const MAX_ECHO: usize = 60;

/// Findings without their place in the text.
#[derive(Default)]
pub(super) struct Report {
    kept: Vec<Found>,
    counts: [usize; 3],
    dropped: usize,
}

/// One of them.
pub(super) struct Found {
    pub(super) finding: Finding,
    /// The byte offset, where whoever found it knew it.
    pub(super) offset: Option<usize>,
}

impl Report {
    pub(super) fn push(&mut self, finding: Finding) {
        self.keep(finding, None);
    }

    pub(super) fn push_at(&mut self, finding: Finding, offset: usize) {
        self.keep(finding, Some(offset));
    }

    fn keep(&mut self, finding: Finding, offset: Option<usize>) {
        if self.is_full(finding.severity) {
            self.drop_one();
            return;
        }
        self.counts[finding.severity as usize] += 1;
        self.kept.push(Found { finding, offset });
    }

    /// Whether findings of `severity` are only counted from now on.
    pub(super) fn is_full(&self, severity: Severity) -> bool {
        self.counts[severity as usize] >= MAX_PER_SEVERITY
    }

    /// Counts a finding that is not worth making.
    pub(super) fn drop_one(&mut self) {
        self.dropped += 1;
    }

    /// What was kept, and how many were not.
    pub(super) fn into_parts(self) -> (Vec<Found>, usize) {
        (self.kept, self.dropped)
    }

    /// What was kept, without places.
    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.kept.into_iter().map(|found| found.finding).collect()
    }
}

/// `text` cut to what fits into a sentence, control characters made visible.
pub(super) fn echo(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_ECHO).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_ECHO).is_some() {
        shown.push('…');
    }
    shown
}

/// How people call the member at `pointer`: `scope`, `contacts[1]`, `jwt_validation.jwksUri`.
pub(super) fn label(pointer: &str) -> String {
    let mut label = String::new();
    for (index, token) in pointer.split('/').skip(1).enumerate() {
        let token = token.replace("~1", "/").replace("~0", "~");
        let is_wrapper = index == 0 && (token == super::CANONICAL_WRAPPER || token == super::ALIAS_WRAPPER);
        if is_wrapper && pointer.matches('/').count() > 1 {
            continue;
        }
        if !label.is_empty() && !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit()) {
            label.push('[');
            label.push_str(&echo(&token));
            label.push(']');
            continue;
        }
        if !label.is_empty() {
            label.push('.');
        }
        label.push_str(&echo(&token));
    }
    label
}
