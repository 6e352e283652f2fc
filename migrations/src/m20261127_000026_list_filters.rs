//! What the other lists need so that a page costs what it shows: each registration holds the issuer and the method of its
//! active client, kept by triggers (ADR 25), with an index for each order; users by name, and API keys that were not revoked
//! or that were used last.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Table, name, columns and condition.
const INDEXES: [(&str, &str, &str, &str); 5] = [
    (
        "registration",
        "registration_issuer_list",
        "client_issuer, state, updated_at DESC, id",
        "client_issuer IS NOT NULL",
    ),
    (
        "registration",
        "registration_method_list",
        "client_method, state, updated_at DESC, id",
        "client_method IS NOT NULL",
    ),
    ("\"user\"", "user_name", "name, id", ""),
    ("api_key", "api_key_working", "id", "revoked_at IS NULL"),
    // When gateways were last seen.
    ("api_key", "api_key_used", "role, last_used_at", ""),
];

/// Name, event, condition, and what the registration is set to. There is at most one active client of a registration.
const TRIGGERS: [(&str, &str, &str, &str); 4] = [
    ("registration_client_added", "INSERT", "NEW.status = 'active'", TO_NEW),
    (
        "registration_client_changed",
        "UPDATE OF status, issuer, method",
        "NEW.status = 'active' AND (OLD.status <> 'active' OR OLD.issuer <> NEW.issuer OR OLD.method <> NEW.method)",
        TO_NEW,
    ),
    (
        "registration_client_ended",
        "UPDATE OF status",
        "OLD.status = 'active' AND NEW.status <> 'active'",
        TO_NONE,
    ),
    ("registration_client_removed", "DELETE", "OLD.status = 'active'", TO_NONE),
];

const TO_NEW: &str = "UPDATE registration SET client_issuer = NEW.issuer, client_method = NEW.method WHERE id = NEW.registration_id;";
const TO_NONE: &str =
    "UPDATE registration SET client_issuer = NULL, client_method = NULL WHERE id = OLD.registration_id;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (database, backend) = (manager.get_connection(), manager.get_database_backend());
        for name in ["client_issuer", "client_method"] {
            let column = Table::alter().table("registration").add_column(text_null(name)).to_owned();
            manager.alter_table(column).await?;
        }
        let fill = "UPDATE registration SET client_issuer = oauth_client.issuer, client_method = oauth_client.method \
                    FROM oauth_client WHERE oauth_client.registration_id = registration.id AND oauth_client.status = 'active'";
        database.execute_unprepared(fill).await?;
        for (table, name, columns, condition) in INDEXES {
            let only = if condition.is_empty() { String::new() } else { format!(" WHERE {condition}") };
            database.execute_unprepared(&format!("CREATE INDEX {name} ON {table} ({columns}){only}")).await?;
        }
        for (name, event, when, body) in TRIGGERS {
            if backend == DbBackend::Postgres {
                let function = format!(
                    "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$"
                );
                database.execute_unprepared(&function).await?;
            }
            let action = match backend {
                DbBackend::Postgres => format!("WHEN ({when}) EXECUTE FUNCTION {name}()"),
                _ => format!("WHEN {when} BEGIN {body} END"),
            };
            let trigger =
                format!("CREATE TRIGGER {name} AFTER {event} ON oauth_client FOR EACH ROW {action}");
            database.execute_unprepared(&trigger).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (database, backend) = (manager.get_connection(), manager.get_database_backend());
        for (name, ..) in TRIGGERS {
            if backend == DbBackend::Postgres {
                database.execute_unprepared(&format!("DROP TRIGGER {name} ON oauth_client")).await?;
                database.execute_unprepared(&format!("DROP FUNCTION {name}()")).await?;
            } else {
                database.execute_unprepared(&format!("DROP TRIGGER {name}")).await?;
            }
        }
        for (_, name, ..) in INDEXES {
            database.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        for name in ["client_method", "client_issuer"] {
            manager.alter_table(Table::alter().table("registration").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
