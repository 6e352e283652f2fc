//! What resolution takes and gives.

use super::effective::{EffectiveMetadata, Level};
use crate::finding::Findings;
use crate::metadata::text::advanced::AdvancedConfiguration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One level that sets something.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Which.
    pub level: Level,
    /// What it sets.
    pub configuration: &'a AdvancedConfiguration,
}

/// For whom to resolve.
#[derive(Clone, Copy, Debug)]
pub struct ResolveContext<'a> {
    /// The workspace's slug.
    pub workspace: &'a str,
    /// The server's slug.
    pub server: &'a str,
    /// The gateways' callbacks, complete: `<gateway-url>/oauth/upstream-callback`.
    pub callbacks: &'a [String],
}

/// Where an effective value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The deployment's configuration file.
    Default,
    /// The organisation.
    Organisation,
    /// The integration.
    Integration,
    /// The access row of a workspace.
    Workspace,
    /// The server.
    Server,
    /// The gateway; users cannot set it.
    Gateway,
    /// Follows from other values.
    Computed,
}

impl Origin {
    /// The word used on the wire and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Organisation => "organisation",
            Self::Integration => "integration",
            Self::Workspace => "workspace",
            Self::Server => "server",
            Self::Gateway => "gateway",
            Self::Computed => "computed",
        }
    }
}

impl From<Level> for Origin {
    fn from(level: Level) -> Self {
        match level {
            Level::Default => Self::Default,
            Level::Organisation => Self::Organisation,
            Level::Integration => Self::Integration,
            Level::Workspace => Self::Workspace,
            Level::Server => Self::Server,
        }
    }
}

/// A value that another level's value hides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overridden {
    /// The member: `client_name`, `registration.method`, `headers`.
    pub member: String,
    /// Where it is set.
    pub level: Level,
    /// What it is set to; `"secret"` in place of a secret.
    #[schema(value_type = serde_json::Value)]
    pub value: Value,
    /// What wins.
    pub by: Origin,
    /// One sentence.
    pub reason: String,
}

/// A value that is kept but has no effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Ignored {
    /// The member: `redirect_uris`, `client_nmae`.
    pub member: String,
    /// Where it is set.
    pub level: Level,
    /// What it is set to; `"secret"` in place of a secret.
    #[schema(value_type = serde_json::Value)]
    pub value: Value,
    /// Why, as the code of a finding.
    pub code: String,
    /// One sentence.
    pub reason: String,
}

/// What comes out: the document and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// What is wanted.
    pub effective: EffectiveMetadata,
    /// Rules about several members, judged on the result; pointers are those of an Advanced Configuration. Errors block a save.
    pub findings: Findings,
    /// Where each effective value comes from, by member: `client_name`, `registration.method`, `headers`.
    pub origins: BTreeMap<String, Origin>,
    /// Values hidden by others, by member, low to high; at most 100.
    pub overridden: Vec<Overridden>,
    /// Values without effect, by member, low to high; at most 100.
    pub ignored: Vec<Ignored>,
}
