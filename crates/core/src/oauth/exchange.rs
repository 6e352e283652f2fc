//! One HTTP exchange, as attempts keep it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One request and what came back, without any secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exchange {
    /// `probe`, `protected_resource`, `authorization_server`, `registration` or `management`.
    #[schema(example = "registration")]
    pub step: String,
    /// HTTP method.
    #[schema(example = "POST")]
    pub method: String,
    /// The URL asked.
    pub url: String,
    /// HTTP status; absent when no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What was found, a sentence for users.
    pub note: String,
    /// The beginning of an answer that was no success: at most 500 characters, control characters removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}
