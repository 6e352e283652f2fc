//! The settings that all processes of a deployment share, and their generations. While processes are restarted one after
//! the other with changed settings, two generations are valid: the newest, whose values every process works with, and the
//! one before it (`docs/adr/0019`).

use crate::settings::{CALLBACK_PATH, SecretReference};
use crate::storage::entity::deployment;
use crate::{Error, Registry, Result, Settings};
use registry_core::metadata::Branding;
use sea_orm::EntityTrait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Key of the recorded generations in `deployment`.
pub(crate) const SETTINGS: &str = "settings";
/// Keys that releases without generations recorded the same values under.
pub(crate) const FORMER_KEYS: [&str; 4] = ["branding", "gateway.urls", "cimd.public_url", "secrets"];

/// The settings that every process of a deployment must agree on. They hold no secret: of declared secrets only the
/// names, and who may use them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSettings {
    /// The lowest layer of client metadata.
    pub branding: Branding,
    /// Where gateways are reached, without trailing slash.
    #[serde(rename = "gateway.urls")]
    pub gateway_urls: Vec<String>,
    /// The public base URL of Client ID Metadata Documents; `None`: not offered.
    #[serde(rename = "cimd.public_url")]
    pub cimd_public_url: Option<String>,
    /// Secrets that the operator declared, by name.
    pub secrets: BTreeMap<String, SecretReference>,
}

impl SharedSettings {
    /// `<gateway-url>/oauth/upstream-callback`, one per gateway URL.
    pub fn callbacks(&self) -> Vec<String> {
        self.gateway_urls.iter().map(|url| format!("{url}{CALLBACK_PATH}")).collect()
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

    /// The names of the settings that are not the same in `other`.
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
    /// Those of the settings that all processes share.
    pub fn shared(&self) -> SharedSettings {
        SharedSettings {
            branding: self.branding.clone(),
            gateway_urls: self.gateway_urls.clone(),
            cimd_public_url: self.cimd_public_url.clone(),
            secrets: self.secrets.clone(),
        }
    }
}

/// What the database knows of the shared settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Generations {
    /// Grows by one with each change; 1 is the first.
    pub(crate) generation: i64,
    /// Since when it is in force, in milliseconds since 1970.
    pub(crate) since: i64,
    /// What every process works with.
    pub(crate) in_force: SharedSettings,
    /// What was in force before: a process configured so stays in service until the rollout ends.
    pub(crate) previous: Option<SharedSettings>,
}

impl Generations {
    /// What is recorded; `None`: nothing is.
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
pub enum SettingsStanding {
    /// They are those in force.
    Current,
    /// They are those of the previous generation; the names are of those that differ from what is in force.
    Previous(Vec<&'static str>),
    /// They are neither; the names are of those that differ from what is in force.
    Foreign(Vec<&'static str>),
    /// Nothing is recorded yet.
    Unrecorded,
}

impl SettingsStanding {
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

/// Names of settings for a sentence.
pub(crate) fn names(settings: &[&str]) -> String {
    settings.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What this process last read of the recorded settings.
#[derive(Debug)]
pub(crate) struct InForce {
    /// The row they were read from; empty before the first reading.
    raw: String,
    /// 0 before the first reading.
    pub(crate) generation: i64,
    /// The values that every process works with.
    pub(crate) settings: Arc<SharedSettings>,
    pub(crate) standing: SettingsStanding,
    /// When this process took it over.
    since: Instant,
}

/// An earlier generation is believed when the later one was taken over longer ago than any reading lasts: then the database
/// was restored. Within that time it is a reading that was overtaken.
const OVERTAKEN: Duration = Duration::from_secs(10);

impl InForce {
    /// Before anything was read: this process's own.
    pub(crate) fn unread(own: SharedSettings) -> Self {
        Self {
            raw: String::new(),
            generation: 0,
            settings: Arc::new(own),
            standing: SettingsStanding::Unrecorded,
            since: Instant::now(),
        }
    }
}

impl Registry {
    /// The shared settings in force, as this process last read them: before every write, and whenever its readiness is
    /// looked at. All processes work with these, whatever they are configured with.
    pub fn shared_settings(&self) -> Arc<SharedSettings> {
        self.in_force().settings.clone()
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        self.inner.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what `rows` of `deployment` say of the shared settings.
    pub(crate) fn take_over_settings(&self, rows: &[deployment::Model]) -> Result<Arc<InForce>> {
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
            standing: SettingsStanding::of(&own(), Some(&recorded)),
            settings: Arc::new(recorded.in_force),
            since: Instant::now(),
        });
        let mut held = self.inner.in_force.write().unwrap_or_else(PoisonError::into_inner);
        if read.generation >= held.generation || held.since.elapsed() > OVERTAKEN {
            let changed = held.settings != read.settings;
            *held = read.clone();
            if changed {
                // What is held for gateways was resolved with the values of before.
                self.inner.live.settings_changed();
            }
        }
        Ok(read)
    }
}

impl Registry {
    /// How the settings of this process compare with those recorded, as the database has them now.
    pub async fn settings_standing(&self) -> Result<SettingsStanding> {
        let rows = deployment::Entity::find().all(self.db()).await?;
        Ok(self.take_over_settings(&rows)?.standing.clone())
    }
}
