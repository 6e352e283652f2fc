//! What is wrong, where, how badly, and what to do about it.

mod path;
mod report;

pub use path::Path;
pub use report::{Found, MAX_FINDINGS, MORE_FINDINGS, Report, echo, shorten};

pub(crate) use report::more;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use utoipa::ToSchema;

/// How much a [`Finding`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Saved; the member is not used.
    Notice,
    /// Saved, but probably not what was meant.
    Warning,
    /// Not saved; nothing changes.
    Error,
}

impl Severity {
    /// The word used on the wire and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding about something a user or a program sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// RFC 6901 JSON Pointer into the document that was judged; empty for the whole document.
    #[schema(example = "/oauth_client_metadata/scope")]
    pub pointer: String,
    /// Stable code, explained at `/docs/problems`.
    #[schema(example = "wrong_type", value_type = String)]
    pub code: Cow<'static, str>,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence: what is wrong and what to do. Never holds the value of a secret.
    #[schema(
        example = "`scope` must be one string of space-separated scopes, not a list. Write \"mcp:read mcp:write\"."
    )]
    pub message: String,
    /// What was probably meant, where that is known (the right name of a misspelt member).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// 1-based line in the text that was sent, where the text is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// 1-based column (in characters) in the text that was sent, where the text is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Finding {
    /// A finding without position or suggestion.
    pub fn new(
        severity: Severity,
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            code: code.into(),
            severity,
            message: message.into(),
            suggestion: None,
            line: None,
            column: None,
        }
    }

    /// A finding that prevents saving.
    pub fn error(
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Error, pointer, code, message)
    }

    /// A finding that is saved, but probably not meant.
    pub fn warning(
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, pointer, code, message)
    }

    /// A finding about something without effect.
    pub fn notice(
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Notice, pointer, code, message)
    }

    /// The same finding with what was probably meant.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The same finding, its pointer put below `prefix` (a JSON Pointer, or empty).
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

/// Everything found in one document, in the order of the document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Whether anything prevents saving.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Adds all of `other`, their pointers put below `prefix`.
    pub fn extend_below(&mut self, prefix: &str, other: Self) {
        self.0.extend(other.0.into_iter().map(|finding| finding.below(prefix)));
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// `Err` with all findings if any is an error, else `Ok` with them.
    pub fn into_result(self) -> Result<Self, Self> {
        if self.has_errors() { Err(self) } else { Ok(self) }
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self(vec![finding])
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            write!(formatter, "{}: {}", finding.pointer, finding.message)?;
        }
        Ok(())
    }
}

/// `token` escaped as one RFC 6901 reference token and put behind `parent`.
pub fn pointer_push(parent: &str, token: &str) -> String {
    format!("{parent}/{}", token.replace('~', "~0").replace('/', "~1"))
}
