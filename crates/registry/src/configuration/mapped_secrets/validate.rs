//! Validates mappings: whether the member may come from a secret, and whether the operator allows the secret for the
//! owner.

use super::read::SecretReadError;
use super::{PREFIX, SecretMapping};
use crate::Result;
use crate::storage::audit_action::AuditAction;
use crate::storage::entity::{integration, server, workspace};
use crate::storage::owner::{Owner, OwnerKind};
use crate::storage::write::{Event, Write};
use registry_core::finding::{Finding, Findings};
use registry_core::id::WorkspaceId;
use registry_core::metadata::{AdvancedConfiguration, Section, find};
use sea_orm::{ConnectionTrait, EntityTrait};
use url::Url;

/// Canonical names of the top-level members that a mapping may set: only these can contain secrets.
const SECRET_MEMBERS: [&str; 6] = [
    "headers",
    "passthrough_headers",
    "oauth_client_metadata",
    "registration",
    "jwt_validation",
    "external_auth_config",
];
/// The members of `SECRET_MEMBERS` whose values are sent to the MCP server and nowhere else.
const HEADERS: [&str; 2] = ["headers", "passthrough_headers"];

/// The integration or server that mappings belong to.
pub(crate) struct MappingOwner<'a> {
    pub(super) owner: Owner,
    slug: &'a str,
    workspace_id: Option<WorkspaceId>,
    /// Slug of the workspace that the owner belongs to; `None`: it belongs to the organisation.
    workspace: Option<String>,
    /// URL of the MCP server, to which gateways send the headers.
    url: &'a str,
    /// Advanced Configuration of the owner at its own layer, as it is after the write; `None`: it has none.
    pub(super) configuration: Option<&'a str>,
}

impl<'a> MappingOwner<'a> {
    /// An integration as the owner of mappings. `model` is its row after the write. Fails only if the database does.
    pub(crate) async fn integration(
        db: &impl ConnectionTrait,
        model: &'a integration::Model,
    ) -> Result<Self> {
        let workspace = match model.workspace_id {
            Some(id) => workspace::Entity::find_by_id(id).one(db).await?.map(|row| row.slug),
            None => None,
        };
        let configuration = model.configuration.as_deref();
        let workspace_id = model.workspace_id.map(WorkspaceId);
        let (slug, url) = (model.slug.as_str(), model.url.as_str());
        Ok(Self {
            owner: OwnerKind::Integration.with_id(model.id),
            slug,
            workspace_id,
            workspace,
            url,
            configuration,
        })
    }

    /// A server of `integration` as the owner of mappings. `model` is its row after the write. Fails only if the database
    /// does.
    pub(crate) async fn server(
        db: &impl ConnectionTrait,
        model: &'a server::Model,
        integration: &'a integration::Model,
    ) -> Result<Self> {
        let workspace = workspace::Entity::find_by_id(model.workspace_id).one(db).await?.map(|row| row.slug);
        let configuration = model.configuration.as_deref();
        let workspace_id = Some(WorkspaceId(model.workspace_id));
        let (slug, url) = (model.slug.as_str(), integration.url.as_str());
        Ok(Self {
            owner: OwnerKind::Server.with_id(model.id),
            slug,
            workspace_id,
            workspace,
            url,
            configuration,
        })
    }

    /// An audit event about this owner.
    pub(super) fn event(&self, action: AuditAction) -> Event {
        Event::new(action, self.owner.kind.as_str(), self.owner.id)
            .named(self.slug)
            .in_workspace(self.workspace_id)
    }
}

/// Whether the operator still allows this mapping. The configuration of the owner is not compared: that happens when the
/// mapping or the configuration is saved.
pub(super) fn is_allowed(write: &Write<'_>, owner: &MappingOwner<'_>, mapping: &SecretMapping) -> bool {
    validate(write, owner, &AdvancedConfiguration::empty(), mapping, "", &mut Findings::default())
}

/// Whether `owner` may have this mapping; if not, `findings` gets one error. `configured` is the owner's Advanced
/// Configuration, which must not set the same member. `prefix` is the JSON Pointer of the mapping in the request, such as
/// `/secret_mappings/0`.
pub(super) fn validate(
    write: &Write<'_>,
    owner: &MappingOwner<'_>,
    configured: &AdvancedConfiguration,
    mapping: &SecretMapping,
    prefix: &str,
    findings: &mut Findings,
) -> bool {
    let mut refuse = |member: &str, code: &'static str, why: String| {
        findings.push(Finding::error(format!("{prefix}/{member}"), code, why));
        false
    };
    let Some(member) = canonical(&mapping.target_field) else {
        return refuse(
            "target_field",
            "invalid_value",
            "Write `configurations.` and a member of the Advanced Configuration, such as `configurations.headers`.".to_owned(),
        );
    };
    if configured.value().get(&member).is_some_and(|value| !value.is_null()) {
        return refuse(
            "target_field",
            "member_set_twice",
            format!("`{member}` is set in `configurations` too. Remove it there, or leave out the mapping."),
        );
    }
    let name = &mapping.reference;
    let shared = write.registry.shared_settings();
    let Some(declared) = shared.secrets.get(name) else {
        findings.push(SecretReadError::Undeclared.finding(prefix, name));
        return false;
    };
    if let Some(allowed) = &declared.workspaces
        && !owner.workspace.as_ref().is_some_and(|own| allowed.contains(own))
    {
        // The same finding as for an undeclared secret: users must not learn which secrets other workspaces have.
        findings.push(SecretReadError::Undeclared.finding(prefix, name));
        return false;
    }
    if !SECRET_MEMBERS.contains(&member.as_str()) {
        return refuse(
            "target_field",
            "invalid_value",
            format!(
                "`{member}` is not secret: every user who may read the configuration sees it. Secrets go into {}.",
                SECRET_MEMBERS.join(", ")
            ),
        );
    }
    if !declared.hosts.is_empty() && !HEADERS.contains(&member.as_str()) {
        return refuse(
            "secret_reference_id",
            "secret_not_for_this_host",
            format!(
                "The operator declared for which MCP servers the secret `{name}` is, so it can only be sent to them, in {}.",
                HEADERS.join(" or ")
            ),
        );
    }
    let host = Url::parse(owner.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    if !declared.hosts.is_empty() && !declared.hosts.iter().any(|allowed| host.as_deref() == Some(allowed)) {
        return refuse(
            "secret_reference_id",
            "secret_not_for_this_host",
            format!(
                "The operator declared the secret `{name}` for other hosts than {}.",
                host.unwrap_or_default()
            ),
        );
    }
    true
}

/// Canonical name of the top-level member that `target` names (`configurations.<member>`); `None` if it names none.
pub(super) fn canonical(target: &str) -> Option<String> {
    let field = find(Section::TopLevel, target.strip_prefix(PREFIX)?)?;
    Some(field.canonical().to_owned())
}
