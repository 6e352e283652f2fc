//! The organisation's Advanced Configuration: the level below all integrations.

use crate::examples;
use crate::http::answer::{self, Answer, Changed, Listed};
use crate::http::body::{RequestBody, ValidatedJson, written};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::responses::{ChangeProblems, ListProblems, ReadProblems, RevertProblems};
use crate::state::ApiState;
use crate::v1::revisions::{self, ListRevisions, RevisionView};
use crate::v1::save_options::{RolloutParameters, SaveOptions};
use actix_web::{get, post, put, web};
use chrono::{DateTime, Utc};
use registry::{Configuration, ConfigurationScope, Error, NewConfiguration};
use registry_core::finding::Findings;
use registry_core::locate::placed;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

/// JSON Pointer of the configuration in the body.
const CONFIGURATION_POINTER: &str = "/configurations";

pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(read_organisation_configuration)
        .service(update_organisation_configuration)
        .service(list_organisation_revisions)
        .service(revert_organisation);
}

/// A configuration to save.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateConfiguration {
    /// The complete Advanced Configuration, replacing the old one; null clears it.
    #[serde(default)]
    #[schema(value_type = Option<Object>, required = true)]
    configurations: Patch<Box<RawValue>>,
    /// A comment on this version; stored with the revision.
    #[schema(max_length = 500, example = "New legal links.")]
    note: Option<String>,
}

impl RequestBody for UpdateConfiguration {
    const NEEDS: Permission = Permission::WriteOrganisation;
    const CHANGES: bool = true;
}

/// The Advanced Configuration of one level.
#[derive(Serialize, ToSchema)]
#[schema(as = OrganisationConfiguration)]
pub(crate) struct ConfigurationView {
    /// Always `configuration`.
    #[schema(example = "configuration")]
    object: &'static str,
    /// The Advanced Configuration as it was written, with secrets replaced by markers; null when nothing is set.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Number of the newest version; 0 when there is none.
    revision: i64,
    /// Version of the configuration, for `If-Match`.
    version: i64,
    /// Name of the actor who last changed the configuration.
    updated_by: String,
    /// When the configuration last changed (RFC 3339).
    updated_at: DateTime<Utc>,
    /// The same timestamp, by the hosted product's name.
    last_updated_at: DateTime<Utc>,
}

impl TryFrom<Configuration> for ConfigurationView {
    type Error = Failure;

    fn try_from(configuration: Configuration) -> Result<Self, Failure> {
        Ok(Self {
            object: "configuration",
            configurations: answer::stored(configuration.text)?,
            revision: configuration.revision,
            version: configuration.version,
            updated_by: configuration.updated_by,
            updated_at: configuration.updated_at,
            last_updated_at: configuration.updated_at,
        })
    }
}

impl ConfigurationView {
    fn example() -> Self {
        Self {
            object: "configuration",
            configurations: examples::stored_configuration(),
            revision: 1,
            version: 2,
            updated_by: "Ada".to_owned(),
            updated_at: examples::moment(),
            last_updated_at: examples::moment(),
        }
    }
}

/// Read the organisation's Advanced Configuration
#[utoipa::path(
    tag = "configuration",
    responses(
        (status = 200, description = "The configuration.", body = ConfigurationView, headers(("ETag" = String, description = "Its version, for `If-Match`.")), example = json!(ConfigurationView::example())),
        ReadProblems,
    )
)]
#[get("/organisation/configuration")]
pub(crate) async fn read_organisation_configuration(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let found = state.registry.configurations().get(&caller.actor, &ConfigurationScope::Organisation).await?;
    Ok(answer::versioned(found.version, &ConfigurationView::try_from(found)?))
}

/// Save the organisation's Advanced Configuration
///
/// It is the level below every integration: its values are used where no higher level sets the member.
#[utoipa::path(
    tag = "configuration",
    params(("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"2\""), SaveOptions, RolloutParameters),
    request_body(content = UpdateConfiguration, description = "The configuration.", example = json!({ "configurations": examples::configuration() })),
    responses((status = 200, description = "The configuration was saved.", body = Changed, headers(("ETag" = String, description = "Its new version.")), example = json!(Changed::example())), ChangeProblems)
)]
#[put("/organisation/configuration")]
pub(crate) async fn update_organisation_configuration(
    state: web::Data<ApiState>,
    sent: ValidatedJson<UpdateConfiguration>,
) -> Answer {
    let (caller, body, text) = sent.into_parts();
    let new = NewConfiguration {
        text: written(body.configurations).apply(None),
        note: body.note,
        expected_version: caller.expected_version()?,
        replacements: SaveOptions::of(&caller)?,
        rollout: RolloutParameters::of(&caller)?,
    };
    let saved = state
        .registry
        .configurations()
        .save(&caller.actor, &ConfigurationScope::Organisation, new)
        .await
        .map_err(in_body)?;
    let findings = placed(&text, below(saved.findings));
    Ok(answer::versioned(
        saved.value.version,
        &Changed::new(findings, saved.affected).rolled_out_by(saved.rollout),
    ))
}

/// List the saved versions of the organisation's Advanced Configuration
#[utoipa::path(
    tag = "configuration",
    params(ListRevisions),
    responses(
        (status = 200, description = "The versions, newest first.", body = Listed<RevisionView>, example = json!(Listed::example(RevisionView::example()))),
        ListProblems,
    )
)]
#[get("/organisation/configuration/revisions")]
pub(crate) async fn list_organisation_revisions(state: web::Data<ApiState>, caller: Caller) -> Answer {
    let page = caller.query::<ListRevisions>()?.page()?;
    let found = state
        .registry
        .configurations()
        .revisions(&caller.actor, &ConfigurationScope::Organisation, page)
        .await?;
    Ok(answer::ok(&Listed::new(found, RevisionView::try_from)?))
}

/// Restore an earlier version of the organisation's Advanced Configuration
///
/// Saved as a new version. Secrets replaced since then keep their current values; `findings` names them.
#[utoipa::path(
    tag = "configuration",
    params(
        ("number" = i64, Path, description = "Number of the version.", example = 1),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that was read; a different current version gives 412.", example = "\"2\""),
        SaveOptions,
        RolloutParameters,
    ),
    responses((status = 200, description = "The configuration was saved.", body = Changed, headers(("ETag" = String, description = "Its new version.")), example = json!(Changed::example())), RevertProblems)
)]
#[post("/organisation/configuration/revisions/{number}/revert")]
pub(crate) async fn revert_organisation(
    state: web::Data<ApiState>,
    caller: Caller,
    path: web::Path<String>,
) -> Answer {
    let number = revisions::number(&path)?;
    let rollout = RolloutParameters::of(&caller)?;
    revisions::revert(&state, &caller, &ConfigurationScope::Organisation, number, rollout).await
}

/// Makes JSON Pointers that are relative to the configuration relative to the request body.
fn below(findings: Findings) -> Findings {
    let mut placed = Findings::default();
    placed.extend_below(CONFIGURATION_POINTER, findings);
    placed
}

fn in_body(error: Error) -> Error {
    match error {
        Error::Invalid(findings) => Error::Invalid(below(findings)),
        other => other,
    }
}
