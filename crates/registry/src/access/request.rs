//! What a change of access says.

use crate::configuration::impact::ReplacementMode;
use registry_core::patch::Patch;
use registry_core::slug::Reference;

/// A change to one workspace's access; `None` leaves a member unchanged.
#[derive(Clone, Debug)]
pub struct AccessChange {
    /// The workspace.
    pub workspace: Reference,
    /// Whether it may use the integration.
    pub enabled: Option<bool>,
    /// The workspace layer, JSON text.
    pub configuration: Patch<String>,
}

/// Changes to several workspaces' access: an upsert; workspaces not named stay as they are.
#[derive(Clone, Debug, Default)]
pub struct AccessUpdate {
    /// The named workspaces.
    pub workspaces: Vec<AccessChange>,
    /// Whether workspaces without a row of their own may use the integration.
    pub global_access: Option<bool>,
    /// With `global_access`: also give every existing row that value.
    pub override_existing: bool,
    /// Whether clients that cannot be updated in place are replaced without approval.
    pub replacements: ReplacementMode,
}
