//! Logos that configurations name, noted for the worker to fetch.

use crate::storage::columns::hex;
use crate::storage::entity::logo;
use crate::storage::write::Write;
use crate::{Registry, Result};
use registry_core::logo::logo_uris_of;
use registry_core::metadata::AdvancedConfiguration;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// How old a picture is, in milliseconds, before a save fetches it again.
pub(crate) const FRESH: i64 = 3_600_000;

/// How many logos of one configuration a save fetches.
pub(crate) const MOST_NAMED: usize = 8;

/// How many rows one statement puts in.
pub(crate) const MOST_AT_ONCE: usize = 1_000;

/// The addresses of the logos that `texts` name and that may be fetched, each once.
pub(crate) fn named_in(registry: &Registry, texts: &[impl AsRef<str>]) -> BTreeSet<String> {
    let egress = &registry.settings().egress;
    let layers = texts.iter().filter_map(|text| AdvancedConfiguration::from_stored(text.as_ref()).ok());
    layers
        .flat_map(|layer| {
            let urls = logo_uris_of(&layer).into_iter().filter(|url| egress.check_url(url).is_ok());
            urls.take(MOST_NAMED).collect::<Vec<_>>()
        })
        .collect()
}

/// Notes that these logos are to be fetched, those that were not fetched lately.
pub(crate) async fn want_all(write: &Write<'_>, urls: BTreeSet<String>) -> Result<()> {
    let now = write.millis();
    let urls: Vec<String> = urls.into_iter().collect();
    for chunk in urls.chunks(MOST_AT_ONCE) {
        let rows =
            chunk.iter().map(|url| logo::Model { due_at: Some(now), ..new_row(url) }.into_active_model());
        logo::Entity::insert_many(rows)
            .on_conflict(OnConflict::column(logo::Column::Id).do_nothing().to_owned())
            .exec_without_returning(&write.txn)
            .await?;
        logo::Entity::update_many()
            .set(logo::ActiveModel { due_at: Set(Some(now)), ..Default::default() })
            .filter(logo::Column::Id.is_in(chunk.iter().map(|url| id_of(url))))
            .filter(logo::Column::FetchedAt.lt(now - FRESH))
            .exec(&write.txn)
            .await?;
    }
    Ok(())
}

pub(crate) fn id_of(url: &str) -> String {
    hex(&Sha256::digest(url))
}

/// A row about which nothing is known.
pub(crate) fn new_row(url: &str) -> logo::Model {
    logo::Model {
        id: id_of(url),
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
