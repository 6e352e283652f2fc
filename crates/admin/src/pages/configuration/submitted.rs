//! The posted form, and the text it results in.

use super::choice::Choice;
use super::form::{self, PostedControls};
use super::layout::laid_out;
use crate::http::choice::{known, read, ticked};
use crate::http::failure::Failure;
use crate::pages::configuration::quick_fixes::is_quick_fix;
use crate::pages::configuration::unsaved_text::UnsavedText;
use serde::Deserialize;

/// A button of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Intent {
    /// Validates; nothing is saved.
    Check,
    /// No button: the page validates while the user types.
    #[default]
    LiveCheck,
    /// Saves; asks first when users must sign in again.
    Save,
    /// Saves, and replaces clients immediately.
    SaveNow,
    /// Saves; clients that need a replacement stay in use.
    SaveLater,
    /// Shows what saving would change.
    Review,
    /// Edits the text as a form.
    Form,
    /// Edits the text as JSON.
    Json,
    /// Returns to editing.
    Edit,
    /// Fetches the logo again.
    Logo,
    /// Changes the text: see [`crate::pages::configuration::quick_fixes`].
    QuickFix(String),
}

impl Intent {
    fn read(word: &str) -> Result<Self, Failure> {
        Ok(match word {
            "" => Self::LiveCheck,
            "check" => Self::Check,
            "save" => Self::Save,
            "save-now" => Self::SaveNow,
            "save-later" => Self::SaveLater,
            "review" => Self::Review,
            "form" => Self::Form,
            "json" => Self::Json,
            "edit" => Self::Edit,
            "logo" => Self::Logo,
            fix if is_quick_fix(fix) => Self::QuickFix(fix.to_owned()),
            _ => return Err(Failure::Choice("intent")),
        })
    }
}

/// How the text is edited.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum As {
    Form,
    Json,
}

/// Every control of the page. A control that the page did not have is absent.
#[derive(Debug, Default)]
pub(super) struct Submitted {
    /// The text, with the line ends of the browser.
    configuration: String,
    /// The version of the row that the page showed.
    version: Option<i64>,
    /// The number of the revision the page showed.
    base: Option<i64>,
    /// The comment for the history.
    note: String,
    /// The button.
    pub(super) intent: Intent,
    /// The options of the table, and whether the text was edited as a form.
    choice: Choice,
    /// All other fields, as posted: `field.…`, `was.…`, `secret:…`.
    others: Vec<(String, String)>,
}

impl Submitted {
    /// Parses the form. An unknown word is refused, and so is a version that is not a number: without a version
    /// the save would overwrite any concurrent change.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Result<Self, Failure> {
        let number = |name, value: &str| match value {
            "" => Ok(None),
            value => known(name, value.parse().ok()).map(Some),
        };
        let mut submitted = Self { choice: Choice { all: false, ..Choice::default() }, ..Self::default() };
        for (name, value) in pairs {
            match name.as_str() {
                // Browsers send line ends as CR LF; the stored text has those that the user typed.
                "configuration" => submitted.configuration = value.replace("\r\n", "\n"),
                "version" => submitted.version = number("version", &value)?,
                "base" => submitted.base = number("base", &value)?,
                "note" => submitted.note = value,
                "intent" => submitted.intent = Intent::read(&value)?,
                "server" => submitted.choice.server = value,
                "all" => submitted.choice.all = ticked("all", &value)?,
                "as" => submitted.choice.as_form = read::<As>("as", &value)? == As::Form,
                _ => submitted.others.push((name, value)),
            }
        }
        Ok(submitted)
    }

    /// The text with the changes of the form applied. A text that equals the `stored` one stays byte for byte the same.
    pub(super) fn typed(&self, stored: Option<&str>) -> UnsavedText {
        let stored = stored.unwrap_or_default();
        let is_stored = [stored.replace("\r\n", "\n"), laid_out(stored)].contains(&self.configuration);
        let text = if is_stored { stored } else { &self.configuration };
        let secrets = self.others.iter().filter_map(|(name, value)| {
            name.strip_prefix("secret:").map(|pointer| (pointer.to_owned(), value.clone()))
        });
        UnsavedText {
            text: if self.choice.as_form {
                form::apply(text, &PostedControls(&self.others))
            } else {
                text.to_owned()
            },
            secrets: secrets.collect(),
            version: self.version,
            base: self.base,
            note: self.note.clone(),
            choice: self.choice.clone(),
        }
    }
}
