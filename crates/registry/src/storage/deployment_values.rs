//! Values that the deployment records about itself, in the table `deployment`.

use crate::Result;
use crate::storage::entity::deployment;
use crate::storage::write::Write;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Key in `deployment`: check values of the sealing keys in use.
pub(crate) const KEY_CHECK: &str = "sealing.key_check";

/// Writes one value. Key and value replace an earlier value.
pub(crate) async fn record(write: &Write<'_>, key: &str, value: Value) -> Result<()> {
    let row = deployment::ActiveModel {
        key: Set(key.to_owned()),
        value: Set(value.to_string()),
        updated_at: Set(write.millis()),
    };
    let replace = OnConflict::column(deployment::Column::Key)
        .update_columns([deployment::Column::Value, deployment::Column::UpdatedAt])
        .to_owned();
    deployment::Entity::insert(row).on_conflict(replace).exec_without_returning(&write.txn).await?;
    Ok(())
}

/// The recorded value with this key, among some rows; `None`: there is none.
pub(crate) fn of_key<T: DeserializeOwned>(rows: &[deployment::Model], key: &str) -> Result<Option<T>> {
    let row = rows.iter().find(|row| row.key == key);
    Ok(row.map(|row| serde_json::from_str(&row.value)).transpose()?)
}

/// All recorded values, by key.
pub(crate) async fn recorded(db: &impl ConnectionTrait) -> Result<BTreeMap<String, Value>> {
    deployment::Entity::find()
        .all(db)
        .await?
        .into_iter()
        .map(|row| {
            let value = serde_json::from_str(&row.value)?;
            Ok((row.key, value))
        })
        .collect()
}
