//! Findings while they are collected: at most 100, so that neither a hostile text nor a long list makes a long answer.

use super::{Finding, Findings, Severity};

/// An answer lists at most this many findings, and one more that says how many are left out.
pub const MAX_FINDINGS: usize = 100;
/// The code of the finding that says how many are left out.
pub const MORE_FINDINGS: &str = "more_findings";
/// At most this many characters of a name or value are repeated in a sentence.
const MAX_ECHO: usize = 60;
/// The longest pointer of a finding, in bytes. A longer one is cut to a member above.
const MAX_POINTER: usize = 1024;
/// The longest message of a finding, in bytes.
const MAX_MESSAGE: usize = 2048;
/// The longest suggestion, in bytes: a scope or a URL as long as they may be.
const MAX_SUGGESTION: usize = 4096;

/// Collects findings. Errors come before warnings, and warnings before notices, when there are too many.
#[derive(Debug, Default)]
pub struct Report {
    kept: Vec<Found>,
    counts: [usize; 3],
    dropped: usize,
}

/// One collected finding.
#[derive(Debug)]
pub struct Found {
    /// The result of a discovery.
    pub finding: Finding,
    /// The byte offset in the judged text, where the rule knew it.
    pub offset: Option<usize>,
}

impl Report {
    /// Adds a finding whose place is that of its pointer.
    pub fn push(&mut self, finding: Finding) {
        self.keep(finding, None);
    }

    /// Adds a finding about the text at the byte `offset`.
    pub fn push_at(&mut self, finding: Finding, offset: usize) {
        self.keep(finding, Some(offset));
    }

    /// Adds all of `findings`, their pointers put below `prefix` (a JSON Pointer, or empty).
    pub fn extend_below(&mut self, prefix: &str, findings: Findings) {
        for finding in findings.0 {
            if self.is_full(finding.severity) {
                self.drop_one();
            } else {
                self.push(finding.below(prefix));
            }
        }
    }

    fn keep(&mut self, mut finding: Finding, offset: Option<usize>) {
        if self.is_full(finding.severity) {
            self.drop_one();
            return;
        }
        shorten_pointer(&mut finding.pointer);
        shorten(&mut finding.message, MAX_MESSAGE);
        // A cut suggestion is a wrong one.
        finding.suggestion = finding.suggestion.take().filter(|text| text.len() <= MAX_SUGGESTION);
        self.counts[finding.severity as usize] += 1;
        self.kept.push(Found { finding, offset });
    }

    /// Whether further findings of `severity` are only counted: test it before making one at a cost.
    pub fn is_full(&self, severity: Severity) -> bool {
        self.counts[severity as usize..].iter().sum::<usize>() >= MAX_FINDINGS
    }

    /// Whether no further finding is listed.
    pub fn is_closed(&self) -> bool {
        self.is_full(Severity::Error)
    }

    /// Counts a finding that is not made.
    pub fn drop_one(&mut self) {
        self.dropped += 1;
    }

    /// Whether anything prevents saving.
    pub fn has_errors(&self) -> bool {
        self.counts[Severity::Error as usize] > 0
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.dropped == 0
    }

    /// The findings to list, in the order they were added, and how many are left out.
    pub fn into_parts(mut self) -> (Vec<Found>, usize) {
        let mut room = MAX_FINDINGS;
        let mut left = self.counts;
        for severity in [Severity::Error, Severity::Warning, Severity::Notice] {
            let count = &mut left[severity as usize];
            *count = (*count).min(room);
            room -= *count;
        }
        let before = self.kept.len();
        self.kept.retain(|found| {
            let count = &mut left[found.finding.severity as usize];
            let stays = *count > 0;
            *count = count.saturating_sub(1);
            stays
        });
        let dropped = self.dropped + before - self.kept.len();
        (self.kept, dropped)
    }

    /// The findings to list. Where some are left out, a last one says how many.
    pub fn into_findings(self) -> Findings {
        let (kept, dropped) = self.into_parts();
        let mut findings: Vec<Finding> = kept.into_iter().map(|found| found.finding).collect();
        findings.extend(more(dropped));
        Findings(findings)
    }
}

/// Says that `dropped` findings are not listed; nothing of none.
pub(crate) fn more(dropped: usize) -> Option<Finding> {
    (dropped > 0)
        .then(|| Finding::notice("", MORE_FINDINGS, format!("{dropped} more findings are not listed.")))
}

impl Findings {
    /// These, as many as one answer may list, each of a bounded size.
    #[must_use]
    pub fn bounded(self) -> Self {
        let listed = self.0.len() - self.0.iter().rev().take_while(|one| one.code == MORE_FINDINGS).count();
        if listed <= MAX_FINDINGS && self.0.iter().all(is_short) {
            return self;
        }
        let mut report = Report::default();
        report.extend_below("", self);
        report.into_findings()
    }
}

fn is_short(finding: &Finding) -> bool {
    finding.pointer.len() <= MAX_POINTER
        && finding.message.len() <= MAX_MESSAGE
        && finding.suggestion.as_ref().is_none_or(|text| text.len() <= MAX_SUGGESTION)
}

/// `text` cut to what fits into a sentence, control characters made visible.
pub fn echo(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_ECHO).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_ECHO).is_some() {
        shown.push('…');
    }
    shown
}

/// Cuts `text` to at most about `most` bytes.
pub fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
}

/// Leads to the deepest member above whose pointer is short enough.
fn shorten_pointer(pointer: &mut String) {
    if pointer.len() > MAX_POINTER {
        let end = pointer.as_bytes()[..=MAX_POINTER].iter().rposition(|byte| *byte == b'/');
        pointer.truncate(end.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_100_findings_are_listed_errors_first() {
        let mut report = Report::default();
        for number in 0..150 {
            report.push(Finding::warning(format!("/{number}"), "odd", "Odd."));
        }
        for number in 0..30 {
            report.push(Finding::error(format!("/{number}"), "wrong", "Wrong."));
        }
        let findings = report.into_findings();
        assert_eq!(findings.0.len(), 101);
        assert_eq!(findings.0.iter().filter(|one| one.severity == Severity::Error).count(), 30);
        assert_eq!(findings.0[100].message, "80 more findings are not listed.");
        assert_eq!(findings.clone().bounded(), findings);
    }

    #[test]
    fn findings_are_short() {
        let name = "é".repeat(600);
        let finding =
            Finding::error(format!("/a/{name}/{name}"), "wrong", name.repeat(10)).suggest(name.repeat(10));
        let findings = Findings::from(finding).bounded();
        assert_eq!(findings.0[0].pointer, "/a");
        assert!(findings.0[0].message.len() < 2060 && findings.0[0].suggestion.is_none());
    }
}
