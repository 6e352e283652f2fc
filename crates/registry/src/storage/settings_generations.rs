//! The settings that all processes of a deployment share, and their generations. While processes are restarted one
//! after the other with changed settings, two generations are valid: the newest, whose values every process works with,
//! and the one before it (`docs/adr/0019`).

use crate::settings::{SecretReference, callback_of, is_callback};
use crate::storage::entity::deployment;
use crate::{Error, Registry, Result, Settings};
use registry_core::metadata::Branding;
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Key in `deployment`: the recorded generations.
pub(crate) const SETTINGS: &str = "settings";
/// Keys of the same values in releases without generations.
pub(crate) const FORMER_KEYS: [&str; 4] = ["branding", "gateway.urls", "cimd.public_url", "secrets"];

/// The settings that all processes of a deployment share. They contain no secret: of declared secrets only the names,
/// and who may use them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSettings {
    /// The lowest layer of client metadata.
    pub branding: Branding,
    /// URLs of the gateways, without trailing slash, or their whole callbacks.
    #[serde(rename = "gateway.urls")]
    pub gateway_urls: Vec<String>,
    /// The public base URL of Client ID Metadata Documents; `None`: not offered.
    #[serde(rename = "cimd.public_url")]
    pub cimd_public_url: Option<String>,
    /// Secrets that the operator declared, by name.
    pub secrets: BTreeMap<String, SecretReference>,
}

impl SharedSettings {
    /// `<gateway-url>/oauth/upstream-callback`, one per gateway URL; a gateway URL that is a callback as it is.
    pub fn callbacks(&self) -> Vec<String> {
        self.gateway_urls.iter().map(|entry| callback_of(entry)).collect()
    }

    /// The gateways that serve `<url>/<workspace>/<server>/mcp`: those that are not configured by their callback.
    pub fn gateway_addresses(&self) -> impl Iterator<Item = &String> {
        self.gateway_urls.iter().filter(|entry| !is_callback(entry))
    }

    /// Each setting by its name in the configuration.
    pub(crate) fn by_name(&self) -> Result<[(&'static str, Value); 4]> {
        Ok([
            ("branding", serde_json::to_value(&self.branding)?),
            ("gateway.urls", serde_json::to_value(&self.gateway_urls)?),
            ("cimd.public_url", serde_json::to_value(&self.cimd_public_url)?),
            ("secrets", serde_json::to_value(&self.secrets)?),
        ])
    }

    /// The names of the settings that differ in `other`.
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let differ = [
            ("branding", self.branding != other.branding),
            ("gateway.urls", self.gateway_urls != other.gateway_urls),
            ("cimd.public_url", self.cimd_public_url != other.cimd_public_url),
            ("secrets", self.secrets != other.secrets),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

impl Settings {
    /// The settings that all processes share.
    pub fn shared(&self) -> SharedSettings {
        SharedSettings {
            branding: self.branding.clone(),
            gateway_urls: self.gateway_urls.clone(),
            cimd_public_url: self.cimd_public_url.clone(),
            secrets: self.secrets.clone(),
        }
    }
}

/// The recorded generations of the shared settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generations {
    /// Number of the generation in force, from 1; grows by one with each change.
    pub(crate) generation: i64,
    /// Since when it is in force, in epoch milliseconds.
    pub(crate) since: i64,
    /// The settings that every process works with.
    pub(crate) in_force: SharedSettings,
    /// The settings before: a process with these stays in service until the rollout ends.
    pub(crate) previous: Option<SharedSettings>,
}

impl Generations {
    /// Reads the recorded generations; `None`: nothing is recorded.
    pub(crate) fn read(recorded: &BTreeMap<String, Value>) -> Result<Option<Self>> {
        let value = match recorded.get(SETTINGS) {
            Some(value) => value.clone(),
            None if FORMER_KEYS.iter().all(|key| recorded.contains_key(*key)) => {
                let former = FORMER_KEYS.map(|key| (key.to_owned(), recorded[key].clone()));
                let in_force: serde_json::Map<_, _> = former.into_iter().collect();
                serde_json::json!({ "generation": 1, "since": 0, "in_force": in_force, "previous": null })
            }
            None => return Ok(None),
        };
        serde_json::from_value(value).map(Some).map_err(|_| newer())
    }
}

fn newer() -> Error {
    Error::Unavailable(
        "The settings in the database were recorded by a newer release. Run this process with that release."
            .to_owned(),
    )
}

/// How the settings of this process compare with those recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsStatus {
    /// They are the settings in force.
    Current,
    /// They are the settings of the previous generation; with the names of those that differ from the ones in force.
    Previous(Vec<&'static str>),
    /// They are neither; with the names of those that differ from the ones in force.
    Foreign(Vec<&'static str>),
    /// No settings are recorded yet.
    Unrecorded,
}

impl SettingsStatus {
    pub(crate) fn of(own: &SharedSettings, recorded: Option<&Generations>) -> Self {
        match recorded {
            None => Self::Unrecorded,
            Some(recorded) if recorded.in_force == *own => Self::Current,
            Some(recorded) => {
                let differing = own.differing(&recorded.in_force);
                if recorded.previous.as_ref() == Some(own) {
                    Self::Previous(differing)
                } else {
                    Self::Foreign(differing)
                }
            }
        }
    }

    /// Whether a process with these settings may serve and write.
    pub(crate) fn require(&self) -> Result<()> {
        match self {
            Self::Current | Self::Previous(_) => Ok(()),
            Self::Foreign(differing) => Err(Error::SettingsDiffer(format!(
                "This process has another {} than the deployment recorded, so it changes nothing. Configure all processes alike, then run `mcp-registry migrate`.",
                names(differing)
            ))),
            Self::Unrecorded => Err(Error::SettingsDiffer(
                "The deployment has no settings recorded. Run `mcp-registry migrate`.".to_owned(),
            )),
        }
    }
}

/// Names of settings, for a sentence.
pub(crate) fn names(settings: &[&str]) -> String {
    settings.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The shared settings as this process last read them.
#[derive(Debug)]
pub(crate) struct InForce {
    /// The text that they were read from; empty before the first read.
    raw: String,
    /// The generation; 0 before the first read.
    pub(crate) generation: i64,
    /// The settings that every process works with.
    pub(crate) settings: Arc<SharedSettings>,
    pub(crate) status: SettingsStatus,
    /// When this process applied it.
    since: Instant,
}

/// An earlier generation is applied only when the later one was applied longer ago than any read takes: then the
/// database was restored. Within that time it is a slow read, which is ignored.
const MAX_READ_AGE: Duration = Duration::from_secs(10);

impl InForce {
    /// Before the first read: the settings of this process.
    pub(crate) fn unread(own: SharedSettings) -> Self {
        Self {
            raw: String::new(),
            generation: 0,
            settings: Arc::new(own),
            status: SettingsStatus::Unrecorded,
            since: Instant::now(),
        }
    }
}

impl Registry {
    /// The shared settings in force, as this process last read them: before every write, and with each readiness check.
    /// All processes work with these, even if they are configured differently.
    pub fn shared_settings(&self) -> Arc<SharedSettings> {
        self.in_force().settings.clone()
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.inner.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Applies the shared settings that `rows` of `deployment` contain.
    pub(crate) fn apply_recorded_settings(&self, rows: &[deployment::Model]) -> Result<Arc<InForce>> {
        let known = self.in_force();
        let own = || self.settings().shared();
        let Some(row) = rows.iter().find(|row| row.key == SETTINGS) else {
            return Ok(Arc::new(InForce::unread(own())));
        };
        if row.value == known.raw {
            return Ok(known);
        }
        let recorded: Generations = serde_json::from_str(&row.value).map_err(|_| newer())?;
        let read = Arc::new(InForce {
            raw: row.value.clone(),
            generation: recorded.generation,
            status: SettingsStatus::of(&own(), Some(&recorded)),
            settings: Arc::new(recorded.in_force),
            since: Instant::now(),
        });
        let mut held = self.inner.in_force.write().unwrap_or_else(PoisonError::into_inner);
        if read.generation >= held.generation || held.since.elapsed() > MAX_READ_AGE {
            let changed = held.settings != read.settings;
            *held = read.clone();
            if changed {
                // Cached gateway documents were resolved with the settings before.
                self.inner.live.settings_changed();
            }
        }
        Ok(read)
    }
}

impl Registry {
    /// How the settings of this process compare with the recorded ones; reads the database.
    pub async fn settings_status(&self) -> Result<SettingsStatus> {
        let rows = deployment::Entity::find().all(self.db()).await?;
        Ok(self.apply_recorded_settings(&rows)?.status.clone())
    }
}

#[cfg(test)]
mod tests {
    use crate::Settings;

    #[test]
    fn entry_that_is_a_callback_is_used_as_it_is() {
        let entries =
            ["https://gw.example", "https://cf.example/oauth/callback", "https://llm.example/callback"];
        let settings = Settings { gateway_urls: entries.map(str::to_owned).to_vec(), ..Settings::default() };
        let shared = settings.shared();
        let [_, whole, other] = entries;
        assert_eq!(shared.callbacks(), ["https://gw.example/oauth/upstream-callback", whole, other]);
        assert_eq!(shared.gateway_addresses().collect::<Vec<_>>(), ["https://gw.example"]);
    }
}
