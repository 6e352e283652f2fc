//! The database schema, one migration per noun, the same for SQLite and PostgreSQL.
//!
//! Must not know entities: a migration describes the schema of its day, entities the schema of today.
//!
//! Conventions: ids are UUIDs made by the program; moments are milliseconds since 1970 UTC in a `BIGINT` (one order and
//! one precision on both engines, `docs/adr/0003`); JSON is kept as text, because it is kept as it was written; a row
//! that users can change carries a `version` that counts its writes.

// In a test build the lint on wildcard imports keeps quiet, and an expectation would not be met.
#![cfg_attr(
    not(test),
    expect(
        clippy::wildcard_imports,
        reason = "a migration is one list of columns in the words of sea-orm's schema helpers"
    )
)]
#![expect(clippy::too_many_lines, reason = "a table is one list of columns")]

use sea_orm_migration::{MigrationTrait, async_trait};
pub use sea_orm_migration::{MigratorTrait, SchemaManager};

mod m20261123_000001_organisation;
mod m20261123_000002_workspace;
mod m20261123_000003_integration;
mod m20261123_000004_server;
mod m20261123_000005_configuration;
mod m20261123_000006_registration;
mod m20261123_000007_people;
mod m20261123_000008_record;
mod m20261123_000009_life;
mod m20261123_000010_logo;
mod m20261123_000011_draft;
mod m20261123_000012_integration_state;
mod m20261123_000013_held_replacement;
mod m20261123_000014_people;
mod m20261123_000015_sealing;
mod m20261123_000016_audit_checkpoint;
mod m20261123_000017_identity;
mod m20261123_000018_secret_mapping;
mod m20261123_000019_settings_generation;
mod m20261126_000020_address_by_admin;
mod m20261126_000021_key_maker;
mod m20261126_000022_document_unreachable;
mod m20261127_000023_rollout;
mod m20261127_000024_claims;
mod m20261127_000025_tally;
mod m20261127_000026_list_filters;
mod m20261127_000027_deletion;
mod m20261127_000028_gateways;
mod m20261127_000029_hosted_keys;
mod m20261127_000030_audit_of_users;

/// All migrations, in order.
#[derive(Debug)]
pub struct Migrator;

impl Migrator {
    /// The first step of a database that is not known here: a newer release made it.
    pub async fn unknown_step<C: sea_orm_migration::sea_orm::ConnectionTrait>(
        db: &C,
    ) -> Result<Option<String>, sea_orm_migration::sea_orm::DbErr> {
        Self::install(db).await?;
        let known: Vec<String> = Self::migrations().iter().map(|one| one.name().to_owned()).collect();
        let applied = Self::get_migration_models(db).await?;
        Ok(applied.into_iter().map(|one| one.version).find(|step| !known.contains(step)))
    }
}

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_organisation::Migration),
            Box::new(m20261123_000002_workspace::Migration),
            Box::new(m20261123_000003_integration::Migration),
            Box::new(m20261123_000004_server::Migration),
            Box::new(m20261123_000005_configuration::Migration),
            Box::new(m20261123_000006_registration::Migration),
            Box::new(m20261123_000007_people::Migration),
            Box::new(m20261123_000008_record::Migration),
            Box::new(m20261123_000009_life::Migration),
            Box::new(m20261123_000010_logo::Migration),
            Box::new(m20261123_000011_draft::Migration),
            Box::new(m20261123_000012_integration_state::Migration),
            Box::new(m20261123_000013_held_replacement::Migration),
            Box::new(m20261123_000014_people::Migration),
            Box::new(m20261123_000015_sealing::Migration),
            Box::new(m20261123_000016_audit_checkpoint::Migration),
            Box::new(m20261123_000017_identity::Migration),
            Box::new(m20261123_000018_secret_mapping::Migration),
            Box::new(m20261123_000019_settings_generation::Migration),
            Box::new(m20261126_000020_address_by_admin::Migration),
            Box::new(m20261126_000021_key_maker::Migration),
            Box::new(m20261126_000022_document_unreachable::Migration),
            Box::new(m20261127_000023_rollout::Migration),
            Box::new(m20261127_000024_claims::Migration),
            Box::new(m20261127_000025_tally::Migration),
            Box::new(m20261127_000026_list_filters::Migration),
            Box::new(m20261127_000027_deletion::Migration),
            Box::new(m20261127_000028_gateways::Migration),
            Box::new(m20261127_000029_hosted_keys::Migration),
            Box::new(m20261127_000030_audit_of_users::Migration),
        ]
    }
}
