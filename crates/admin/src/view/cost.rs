//! The effect of a change on clients and on the users who signed in through them, as text and by name.

use registry::{Affected, Checked};
use registry_core::registration;

/// The effect of a change.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    /// The counts.
    pub(crate) affected: Affected,
    /// Replaced clients through which users may have signed in.
    used: u64,
    /// A label such as "Replaced", and `workspace/server` of each client; the most severe effect first.
    pub(crate) groups: Vec<(&'static str, Vec<String>)>,
}

impl Cost {
    /// The cost of a change that was checked.
    pub(crate) fn of(checked: &Checked) -> Self {
        use registration::Cost as C;
        let kinds = [
            (C::Replaced, true, "Replaced: users must sign in again"),
            (C::Asked, true, "Kept until a user approves a new client"),
            (C::Replaced, false, "Replaced before their first use"),
            (C::Asked, false, "Kept until a user approves a new client, not used yet"),
            (C::Rediscovered, true, "Looked for at the new address first"),
            (C::Withdrawn, true, "Withdrawn"),
            (C::Updated, true, "Updated in place"),
            (C::Registered, true, "First client"),
        ];
        let names = |kind: C, used: bool| -> Vec<String> {
            let depends = matches!(kind, C::Replaced | C::Asked);
            checked
                .changes
                .iter()
                .filter(|change| change.cost == Some(kind) && (!depends || change.is_used == used))
                .map(|change| format!("{}/{}", change.workspace, change.server))
                .collect()
        };
        let groups: Vec<_> = kinds
            .into_iter()
            .map(|(kind, used, name)| (name, names(kind, used)))
            .filter(|(_, names)| !names.is_empty())
            .collect();
        let used = names(C::Replaced, true).len();
        Self { affected: checked.affected, used: used.try_into().unwrap_or(u64::MAX), groups }
    }

    /// Whether users must sign in again as soon as the change is saved.
    pub(crate) fn hurts(&self) -> bool {
        self.used > 0
    }

    /// The cost as sentences.
    pub(crate) fn sentence(&self) -> String {
        let Affected { registrations, registered, updated, rediscovered, replaced, asked, withdrawn, .. } =
            self.affected;
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        if registrations == 0 {
            return "No registered client changes.".to_owned();
        }
        let there = registrations - registered;
        let parts = [
            (updated, "updated in place"),
            (replaced, if self.used == 0 { "replaced before their first use" } else { "replaced" }),
            (asked, "kept until a user approves a new one"),
            (rediscovered, "looked for at the new address first"),
            (withdrawn, "withdrawn"),
            (there.saturating_sub(updated + replaced + asked + rediscovered + withdrawn), "unchanged"),
        ];
        let said: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let mut sentences = Vec::new();
        if there > 0 {
            let consequence = match (replaced, self.used) {
                (0, _) | (_, 0) => String::new(),
                (1, _) => "; users who signed in through that 1 must sign in again".to_owned(),
                (all, used) if all == used => {
                    format!("; users who signed in through those {used} must sign in again")
                }
                (_, used) => format!("; users who signed in through {used} of those must sign in again"),
            };
            let said = said.join(", ");
            sentences.push(format!("{there} registered client{}: {said}{consequence}.", plural(there)));
        }
        if registered > 0 {
            let verb = if registered == 1 { "gets its" } else { "get their" };
            sentences.push(format!("{registered} server{} {verb} first client.", plural(registered)));
        }
        sentences.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Affected, Cost};

    fn said(used: u64, affected: Affected) -> String {
        Cost { affected, used, groups: Vec::new() }.sentence()
    }

    #[test]
    fn cost_is_a_sentence_with_numbers() {
        let affected =
            Affected { servers: 9, registrations: 9, updated: 6, replaced: 3, ..Affected::default() };
        for (used, end) in [
            (3, "; users who signed in through those 3 must sign in again."),
            (2, "; users who signed in through 2 of those must sign in again."),
            (0, " before their first use."),
        ] {
            let sentence = format!("9 registered clients: 6 updated in place, 3 replaced{end}");
            assert_eq!(said(used, affected), sentence);
        }
        let first = Affected { servers: 1, registrations: 1, registered: 1, ..Affected::default() };
        assert_eq!(said(0, first), "1 server gets its first client.");
        let mixed = Affected { registrations: 4, registered: 2, asked: 1, ..Affected::default() };
        assert_eq!(
            said(0, mixed),
            "2 registered clients: 1 kept until a user approves a new one, 1 unchanged. 2 servers get their first client."
        );
        assert_eq!(said(0, Affected::default()), "No registered client changes.");
    }
}
