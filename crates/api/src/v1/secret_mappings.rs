//! Members of Advanced Configurations that come from the operator's secret store: the wire format, the same on
//! integrations and servers.

use chrono::{DateTime, Utc};
use registry::{MappedSecret, SecretMapping, ValueFormat};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the text of a secret becomes the value of a member.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretValueFormat {
    /// The text is parsed as JSON.
    Json,
    /// The text is the value.
    String,
}

/// One member, and the secret that its value comes from.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = SecretMapping)]
pub(crate) struct MappingBody {
    /// `configurations.` and a member of the Advanced Configuration; each member at most once.
    #[schema(example = "configurations.headers")]
    target_field: String,
    /// Name of the secret in the configuration file (`secrets.<name>`).
    #[schema(example = "linear")]
    secret_reference_id: String,
    /// The member of the secret to use; the whole secret when absent.
    secret_key: Option<String>,
    /// How the text is read; `string` when absent.
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

/// A mapping and its state. Never contains the secret.
#[derive(Serialize, ToSchema)]
#[schema(as = MappedSecret)]
pub(crate) struct MappingView {
    /// Name of the member.
    #[schema(example = "configurations.headers")]
    target_field: String,
    /// Name of the secret.
    #[schema(example = "linear")]
    secret_reference_id: String,
    /// The member of the secret to use; null for the whole secret.
    secret_key: Option<String>,
    /// How the text is read.
    value_format: Option<SecretValueFormat>,
    /// When the secret was last read with a changed value (RFC 3339).
    read_at: DateTime<Utc>,
    /// Why the secret cannot be read; the value read before stays in use.
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

/// Parses all mappings of a body.
pub(crate) fn read(bodies: Vec<MappingBody>) -> Vec<SecretMapping> {
    bodies.into_iter().map(Into::into).collect()
}

/// The views of all mappings of an object.
pub(crate) fn show(mapped: Vec<MappedSecret>) -> Vec<MappingView> {
    mapped.into_iter().map(Into::into).collect()
}
