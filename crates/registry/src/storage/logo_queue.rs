//! Queue of the logos that configurations name, for the worker to fetch.

use crate::storage::columns::hex;
use crate::storage::entity::logo;
use crate::storage::write::{MAX_ROWS_PER_STATEMENT, Write};
use crate::{Registry, Result};
use registry_core::logo::logo_uris_of;
use registry_core::metadata::AdvancedConfiguration;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// After how many milliseconds a save fetches a logo again.
pub(crate) const LOGO_TTL: i64 = 3_600_000;

/// Logos of one configuration that a save fetches at most.
pub(crate) const MAX_LOGOS_PER_CONFIGURATION: usize = 8;

/// The addresses of the logos that `texts` name and that may be fetched, without duplicates.
pub(crate) fn logo_urls_in(registry: &Registry, texts: &[impl AsRef<str>]) -> BTreeSet<String> {
    let egress = &registry.settings().egress;
    let layers = texts.iter().filter_map(|text| AdvancedConfiguration::from_stored(text.as_ref()).ok());
    layers
        .flat_map(|layer| {
            let urls = logo_uris_of(&layer).into_iter().filter(|url| egress.check_url(url).is_ok());
            urls.take(MAX_LOGOS_PER_CONFIGURATION).collect::<Vec<_>>()
        })
        .collect()
}

/// Enqueues these logos, except those that were fetched within [`LOGO_TTL`].
pub(crate) async fn enqueue_logos(write: &Write<'_>, urls: BTreeSet<String>) -> Result<()> {
    let now = write.millis();
    let urls: Vec<String> = urls.into_iter().collect();
    for chunk in urls.chunks(MAX_ROWS_PER_STATEMENT) {
        let rows =
            chunk.iter().map(|url| logo::Model { due_at: Some(now), ..new_row(url) }.into_active_model());
        logo::Entity::insert_many(rows)
            .on_conflict(OnConflict::column(logo::Column::Id).do_nothing().to_owned())
            .exec_without_returning(&write.txn)
            .await?;
        logo::Entity::update_many()
            .set(logo::ActiveModel { due_at: Set(Some(now)), ..Default::default() })
            .filter(logo::Column::Id.is_in(chunk.iter().map(|url| logo_id(url))))
            .filter(logo::Column::FetchedAt.lt(now - LOGO_TTL))
            .exec(&write.txn)
            .await?;
    }
    Ok(())
}

/// Key of a logo: hex SHA-256 of its address.
pub(crate) fn logo_id(url: &str) -> String {
    hex(&Sha256::digest(url))
}

/// The row of a logo that was never fetched.
pub(crate) fn new_row(url: &str) -> logo::Model {
    logo::Model {
        id: logo_id(url),
        url: url.to_owned(),
        due_at: None,
        fetched_at: None,
        media_type: None,
        labelled: None,
        width: None,
        height: None,
        size: None,
        bytes: None,
        digest: None,
        problem_code: None,
        problem: None,
    }
}
