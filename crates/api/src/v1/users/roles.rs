//! Roles in workspaces, in request bodies.

use registry_core::permission::Role;
use registry_core::slug::Reference;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A role in one workspace.
#[derive(Deserialize, Serialize, ToSchema)]
pub(crate) struct WorkspaceRole {
    /// Id or slug of the workspace.
    #[schema(example = "acme")]
    workspace_id: String,
    /// Role in that workspace: `viewer`, `manager` or `admin`.
    role: Role,
}

pub(super) fn roles(workspaces: Vec<WorkspaceRole>) -> Vec<(Reference, Role)> {
    workspaces.into_iter().map(|one| (Reference::parse(&one.workspace_id), one.role)).collect()
}
