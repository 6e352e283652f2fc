//! What `registration` does to client metadata: `omit` leaves members out, `client_name_characters` rewrites the name.

use super::effective::{Level, NameCharacters, RegistrationPolicy};
use super::resolution::{Ignored, Origin, Overridden};
use super::resolve::{Gathering, Setting, push_bounded};
use crate::metadata::fields::display::shown;
use crate::plain_name::{Alphabet, plain_name};
use serde_json::Value;

impl Gathering {
    /// Takes the settings of omitted members away and notes each. A level above that of the list sets a member all the
    /// same; the name then leaves the list.
    pub(super) fn omit(&mut self, policy: &mut RegistrationPolicy) {
        let Some(level) = self.omit_level else { return };
        policy.omit.retain(|name| {
            let higher = self.level_of(name).filter(|set| *set > level);
            if let Some(set) = higher {
                push_bounded(
                    &mut self.overridden,
                    Overridden {
                        member: "registration.omit".to_owned(),
                        level,
                        value: Value::from(name.as_str()),
                        by: set.into(),
                        reason: format!("The {} level sets `{name}`, and is higher.", set.as_str()),
                    },
                );
            }
            higher.is_none()
        });
        let omitted: Vec<String> = self.settings.keys().filter(|name| policy.omits(name)).cloned().collect();
        for member in omitted {
            for setting in self.settings.remove(&member).unwrap_or_default() {
                push_bounded(
                    &mut self.ignored,
                    Ignored {
                        value: shown(setting.field, &setting.value),
                        code: "omitted".to_owned(),
                        reason: format!(
                            "`registration.omit` of the {} level names `{member}`, so it is not sent.",
                            level.as_str()
                        ),
                        member: member.clone(),
                        level: setting.level,
                    },
                );
            }
        }
    }

    /// The client name in the alphabet that `registration.client_name_characters` says.
    pub(super) fn fit_name(&mut self, setting: &mut Setting, policy: &RegistrationPolicy) {
        let Some(name) = setting.value.as_str().filter(|_| setting.field.name == "client_name") else {
            return;
        };
        let plain = plain_name(name, Alphabet::default());
        if policy.client_name_characters == NameCharacters::Any || plain == name {
            return;
        }
        let member = setting.field.name.to_owned();
        self.origins.insert(member.clone(), Origin::Computed);
        let value = std::mem::replace(&mut setting.value, Value::from(plain));
        push_bounded(
            &mut self.overridden,
            Overridden {
                member,
                level: setting.level,
                value,
                by: Origin::Computed,
                reason: "`registration.client_name_characters` is `plain`.".to_owned(),
            },
        );
    }

    /// The highest level that sets `name`.
    fn level_of(&self, name: &str) -> Option<Level> {
        self.settings.get(name)?.iter().map(|setting| setting.level).max()
    }
}
