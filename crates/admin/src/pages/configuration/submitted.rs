//! What was posted from the page, and the text it stands for.

use super::choice::Choice;
use super::form;
use super::show::laid_out;
use super::typed::Typed;

/// Every control of the page. A control that the page did not have was not posted.
#[derive(Debug, Default)]
pub(super) struct Submitted {
    /// The text, with the line ends it was typed with.
    configuration: String,
    /// Which version of the row the page showed.
    version: Option<i64>,
    /// The number of the revision the page showed.
    base: Option<i64>,
    /// For the history.
    note: String,
    /// The button.
    pub(super) intent: String,
    /// What the table shows, and whether the text was edited as a form.
    choice: Choice,
    /// The rest, as posted: `field.…`, `was.…`, `secret:…`.
    others: Vec<(String, String)>,
}

impl From<Vec<(String, String)>> for Submitted {
    fn from(pairs: Vec<(String, String)>) -> Self {
        let mut submitted = Self { choice: Choice { all: false, ..Choice::default() }, ..Self::default() };
        for (name, value) in pairs {
            match name.as_str() {
                // Browsers send line ends as CR LF; what is stored has the ones that were typed.
                "configuration" => submitted.configuration = value.replace("\r\n", "\n"),
                "version" => submitted.version = value.parse().ok(),
                "base" => submitted.base = value.parse().ok(),
                "note" => submitted.note = value,
                "intent" => submitted.intent = value,
                "server" => submitted.choice.server = value,
                "all" => submitted.choice.all = true,
                "as" => submitted.choice.as_form = value == "form",
                _ => submitted.others.push((name, value)),
            }
        }
        submitted
    }
}

impl Submitted {
    /// What it stands for: the text with what was changed in the form. A text that is still the `stored` one is that
    /// one, byte for byte.
    pub(super) fn typed(&self, stored: Option<&str>) -> Typed {
        let stored = stored.unwrap_or_default();
        let is_stored = [stored.replace("\r\n", "\n"), laid_out(stored)].contains(&self.configuration);
        let text = if is_stored { stored } else { &self.configuration };
        let secrets = self.others.iter().filter_map(|(name, value)| {
            name.strip_prefix("secret:").map(|pointer| (pointer.to_owned(), value.clone()))
        });
        Typed {
            text: if self.choice.as_form { form::apply(text, self) } else { text.to_owned() },
            secrets: secrets.collect(),
            version: self.version,
            base: self.base,
            note: self.note.clone(),
            choice: self.choice.clone(),
        }
    }

    /// What was posted of the form's control for `member`; nothing if the page had no such control.
    pub(super) fn field(&self, member: &str) -> impl Iterator<Item = &str> {
        self.other("field.", member)
    }

    /// What the form showed for `member`, whose control posts nothing when nothing is chosen.
    pub(super) fn was(&self, member: &str) -> Option<&str> {
        self.other("was.", member).next()
    }

    fn other(&self, kind: &str, name: &str) -> impl Iterator<Item = &str> {
        self.others
            .iter()
            .filter(move |(key, _)| key.strip_prefix(kind) == Some(name))
            .map(|(_, value)| value.as_str())
    }
}
