//! What a change costs clients and the people who signed in through them, in words and by name.

use registry::{Affected, Checked};
use registry_core::registration;

/// What a change costs.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    /// The numbers.
    pub(crate) affected: Affected,
    /// "Replaced", and `workspace/server` of each, what hurts most first.
    pub(crate) groups: Vec<(&'static str, Vec<String>)>,
}

impl Cost {
    /// Of what was checked.
    pub(crate) fn of(checked: &Checked) -> Self {
        use registration::Cost as C;
        let kinds = [
            (C::Replaced, "Replaced: people must sign in again"),
            (C::Asked, "Kept until somebody approves a new client"),
            (C::Rediscovered, "Looked for at the new address first"),
            (C::Withdrawn, "Withdrawn"),
            (C::Updated, "Updated in place"),
            (C::Registered, "First client"),
        ];
        let groups = kinds.into_iter().map(|(kind, name)| {
            let of_kind = checked.changes.iter().filter(|change| change.cost == Some(kind));
            (name, of_kind.map(|change| format!("{}/{}", change.workspace, change.server)).collect())
        });
        Self {
            affected: checked.affected,
            groups: groups.filter(|(_, names): &(_, Vec<String>)| !names.is_empty()).collect(),
        }
    }

    /// Whether people must sign in again as soon as it is saved.
    pub(crate) fn hurts(&self) -> bool {
        self.affected.replaced > 0
    }

    /// As sentences.
    pub(crate) fn sentence(&self) -> String {
        cost(self.affected)
    }
}

/// What saving would do to clients, as sentences.
pub(crate) fn cost(affected: Affected) -> String {
    let Affected { registrations, registered, updated, rediscovered, replaced, asked, withdrawn, .. } =
        affected;
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    if registrations == 0 {
        return "No registered client changes.".to_owned();
    }
    let there = registrations - registered;
    let parts = [
        (updated, "updated in place"),
        (replaced, "replaced"),
        (asked, "kept until somebody approves a new one"),
        (rediscovered, "looked for at the new address first"),
        (withdrawn, "withdrawn"),
        (there.saturating_sub(updated + replaced + asked + rediscovered + withdrawn), "unchanged"),
    ];
    let said: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let mut sentences = Vec::new();
    if there > 0 {
        let consequence = match replaced {
            0 => String::new(),
            1 => "; people who signed in through that 1 must sign in again".to_owned(),
            _ => format!("; people who signed in through those {replaced} must sign in again"),
        };
        sentences.push(format!(
            "{there} registered client{}: {}{consequence}.",
            plural(there),
            said.join(", ")
        ));
    }
    if registered > 0 {
        let verb = if registered == 1 { "gets its" } else { "get their" };
        sentences.push(format!("{registered} server{} {verb} first client.", plural(registered)));
    }
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Affected, cost};

    #[test]
    fn the_cost_is_a_sentence_with_numbers() {
        let affected =
            Affected { servers: 9, registrations: 9, updated: 6, replaced: 3, ..Affected::default() };
        assert_eq!(
            cost(affected),
            "9 registered clients: 6 updated in place, 3 replaced; people who signed in through those 3 must sign in again."
        );
        let first = Affected { servers: 1, registrations: 1, registered: 1, ..Affected::default() };
        assert_eq!(cost(first), "1 server gets its first client.");
        let mixed = Affected { registrations: 4, registered: 2, asked: 1, ..Affected::default() };
        assert_eq!(
            cost(mixed),
            "2 registered clients: 1 kept until somebody approves a new one, 1 unchanged. 2 servers get their first client."
        );
        assert_eq!(cost(Affected::default()), "No registered client changes.");
    }
}
