//! Members of Advanced Configurations that come from where the operator keeps secrets: the wire shape, the same on
//! integrations and servers.

use chrono::{DateTime, Utc};
use registry::{MappedSecret, SecretMapping, ValueFormat};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a secret's text becomes a member.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretValueFormat {
    /// It is JSON.
    Json,
    /// It is the value itself.
    String,
}

/// One member, and the secret it comes from.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = SecretMapping)]
pub(crate) struct MappingBody {
    /// `configurations.` and a member of the Advanced Configuration; each once.
    #[schema(example = "configurations.headers")]
    target_field: String,
    /// The name that the operator gave the secret in the configuration file (`secrets.<name>`).
    #[schema(example = "linear")]
    secret_reference_id: String,
    /// The member of the secret that is meant; all of it when absent.
    secret_key: Option<String>,
    /// How it is read; `string` when absent.
    value_format: Option<SecretValueFormat>,
}

impl From<MappingBody> for SecretMapping {
    fn from(body: MappingBody) -> Self {
        Self {
            target_field: body.target_field,
            reference: body.secret_reference_id,
            secret_key: body.secret_key,
            value_format: body.value_format.map(|format| match format {
                SecretValueFormat::Json => ValueFormat::Json,
                SecretValueFormat::String => ValueFormat::String,
            }),
        }
    }
}

/// A mapping in use, and how it stands. Never what the secret holds.
#[derive(Serialize, ToSchema)]
#[schema(as = MappedSecret)]
pub(crate) struct MappingView {
    /// The member.
    #[schema(example = "configurations.headers")]
    target_field: String,
    /// The secret's name.
    #[schema(example = "linear")]
    secret_reference_id: String,
    /// The member of the secret that is meant.
    secret_key: Option<String>,
    /// How it is read.
    value_format: Option<SecretValueFormat>,
    /// When it was last read and had changed.
    read_at: DateTime<Utc>,
    /// Why it cannot be read since; the value read before stays in use.
    problem: Option<String>,
}

impl From<MappedSecret> for MappingView {
    fn from(mapped: MappedSecret) -> Self {
        let mapping = mapped.mapping;
        Self {
            target_field: mapping.target_field,
            secret_reference_id: mapping.reference,
            secret_key: mapping.secret_key,
            value_format: mapping.value_format.map(|format| match format {
                ValueFormat::Json => SecretValueFormat::Json,
                ValueFormat::String => SecretValueFormat::String,
            }),
            read_at: mapped.read_at,
            problem: mapped.problem,
        }
    }
}

/// All of a body's.
pub(crate) fn read(bodies: Vec<MappingBody>) -> Vec<SecretMapping> {
    bodies.into_iter().map(Into::into).collect()
}

/// All of a thing's.
pub(crate) fn show(mapped: Vec<MappedSecret>) -> Vec<MappingView> {
    mapped.into_iter().map(Into::into).collect()
}
