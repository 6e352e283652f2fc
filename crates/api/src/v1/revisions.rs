//! What all lists of saved configurations share.

use crate::examples;
use crate::http::answer::{self, Answer, Changed};
use crate::http::extract::Caller;
use crate::http::failure::Failure;
use crate::http::query;
use crate::state::ApiState;
use crate::v1::save_options::SaveOptions;
use chrono::{DateTime, Utc};
use registry::{ConfigurationScope, Error, PageRequest, Revision};
use registry_core::rollout::RolloutOptions;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The page of a list of versions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListRevisions {
    /// Where the page begins: the `next_cursor` of the page before. The cost of a page does not depend on its place.
    /// `current_page` is ignored.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// Page number, from 0. All items before the page are read: use `cursor` to read a whole list.
    #[param(minimum = 0, example = 0)]
    current_page: Option<u64>,
    /// Items per page; 100 when absent.
    #[param(minimum = 1, maximum = 1000, example = 100)]
    page_size: Option<u64>,
}

impl ListRevisions {
    pub(crate) fn page(self) -> Result<PageRequest, Failure> {
        query::page_at(self.cursor, self.current_page, self.page_size)
    }
}

/// A saved version of an Advanced Configuration.
#[derive(Serialize, ToSchema)]
#[schema(as = Revision)]
pub(crate) struct RevisionView {
    /// Always `revision`.
    #[schema(example = "revision")]
    object: &'static str,
    /// Id of the version.
    id: Uuid,
    /// Number of the version; the first is 1.
    number: i64,
    /// The Advanced Configuration as it was written, with secrets replaced by markers; null when it was cleared.
    #[schema(value_type = Option<Object>)]
    configurations: Option<Box<RawValue>>,
    /// Name of the actor who saved the version.
    created_by: String,
    /// The audit source: `api`, `web` or `cli`.
    door: String,
    /// The author's comment.
    note: Option<String>,
    /// Number of the version that was restored; null when none was.
    restored_from: Option<i64>,
    /// When the version was saved (RFC 3339).
    created_at: DateTime<Utc>,
}

impl TryFrom<Revision> for RevisionView {
    type Error = Failure;

    fn try_from(revision: Revision) -> Result<Self, Failure> {
        Ok(Self {
            object: "revision",
            id: revision.id.0,
            number: revision.number,
            configurations: answer::stored(revision.text)?,
            created_by: revision.actor,
            door: revision.door,
            note: revision.note,
            restored_from: revision.restored_from,
            created_at: revision.created_at,
        })
    }
}

impl RevisionView {
    pub(crate) fn example() -> Self {
        Self {
            object: "revision",
            id: examples::id(3),
            number: 3,
            configurations: examples::stored_configuration(),
            created_by: "Ada".to_owned(),
            door: "web".to_owned(),
            note: Some("New legal links.".to_owned()),
            restored_from: None,
            created_at: examples::moment(),
        }
    }
}

/// Restores version `number` of a layer, as the query of the caller says.
pub(crate) async fn revert(
    state: &ApiState,
    caller: &Caller,
    scope: &ConfigurationScope,
    number: i64,
    rollout: RolloutOptions,
) -> Answer {
    let (expected, replacements) = (caller.expected_version()?, SaveOptions::of(caller)?);
    let configurations = state.registry.configurations();
    let saved = configurations.revert(&caller.actor, scope, number, expected, replacements, rollout).await?;
    Ok(answer::versioned(saved.value.version, &Changed::of(saved)))
}

/// Parses the version number in a path; anything else is a version that does not exist.
pub(crate) fn number(text: &str) -> Result<i64, Failure> {
    text.parse().map_err(|_| Error::NotFound { what: "revision", reference: text.to_owned() }.into())
}
