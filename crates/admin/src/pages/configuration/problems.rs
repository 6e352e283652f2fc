//! Findings as the page lists them: severity, message, suggestion, and a button that applies the fix.

use super::form::{Entry, Form};
use crate::pages::configuration::quick_fixes::QuickFix;
use registry_core::finding::{Finding, Findings, Severity};

/// Maximum bytes of text that are parsed to decide which findings get a button.
const MAX_BYTES_WITH_FIXES: usize = 1_000_000;

/// One finding.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) finding: Finding,
    /// The message.
    pub(super) title: String,
    /// The suggestion, if it is separate.
    pub(super) advice: String,
    pub(super) fix: Option<QuickFix>,
    /// The id of the element where it is fixed.
    pub(super) target: String,
    /// Whether a field of the form shows it.
    pub(super) is_at_field: bool,
}

impl Problem {
    /// The findings of `text` and of a refused save, the most severe first; `form` shows some of them at its fields.
    pub(super) fn all(found: Findings, refusal: Findings, text: &str, form: Option<&Form>) -> Vec<Self> {
        let mut findings = found.0;
        for finding in refusal.0 {
            let is_known =
                findings.iter().any(|other| other.code == finding.code && other.pointer == finding.pointer);
            if !is_known {
                findings.push(finding);
            }
        }
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.line));
        // Each button is tried on the whole text.
        let fixed = (MAX_BYTES_WITH_FIXES / text.len().max(1)).max(1);
        findings
            .into_iter()
            .enumerate()
            .map(|(index, finding)| {
                let fix = if index < fixed { QuickFix::of(&finding, text) } else { None };
                of(finding, index, fix, form)
            })
            .collect()
    }

    /// Whether it prevents saving.
    pub(super) fn is_error(&self) -> bool {
        self.finding.severity == Severity::Error
    }
}

fn of(finding: Finding, index: usize, fix: Option<QuickFix>, form: Option<&Form>) -> Problem {
    let field = form.and_then(|form| form.fields.iter().find(|entry| entry.is_about(&finding)));
    let target = match (form, field) {
        (None, _) => "configuration".to_owned(),
        (Some(_), Some(entry)) => entry.id(),
        (Some(_), None) => format!("problem-{index}"),
    };
    let (title, advice) = halves(&finding.message);
    let suggestion = finding.suggestion.as_ref().filter(|name| !finding.message.contains(name.as_str()));
    let advice = match suggestion {
        Some(name) => format!("{advice} Did you mean `{name}`?").trim_start().to_owned(),
        None => advice.to_owned(),
    };
    Problem { title: title.to_owned(), advice, fix, target, is_at_field: field.is_some(), finding }
}

/// The first sentence, and the rest.
fn halves(message: &str) -> (&str, &str) {
    let end = message.match_indices(". ").map(|(index, _)| index).find(|index| {
        // Not inside a quotation.
        message[..*index].matches(['`', '"']).count().is_multiple_of(2)
            && message[index + 2..].starts_with(|first: char| first.is_uppercase() || first == '`')
    });
    end.map_or((message, ""), |index| (&message[..=index], &message[index + 2..]))
}

impl Entry {
    /// The id of its control.
    pub(super) fn id(&self) -> String {
        format!("f-{}", self.field.name)
    }

    /// Whether a finding is about this member or a part of it.
    pub(super) fn is_about(&self, finding: &Finding) -> bool {
        super::form::is_about(finding, self.field.name)
    }
}

#[cfg(test)]
mod tests {
    use super::halves;

    #[test]
    fn message_is_split_into_problem_and_suggestion() {
        for (message, title, advice) in [
            (
                "`scope` must be one string, not a list. Write \"a b\".",
                "`scope` must be one string, not a list.",
                "Write \"a b\".",
            ),
            ("`a. B` is wrong. Take it out.", "`a. B` is wrong.", "Take it out."),
            ("Only one sentence.", "Only one sentence.", ""),
            ("See acme. com there. `x` is it.", "See acme. com there.", "`x` is it."),
        ] {
            assert_eq!(halves(message), (title, advice));
        }
    }
}
