//! The least a registration could cost: one request to the registration endpoint, and one transaction of the ORM that
//! inserts a client and an event. No discovery, no plan, no attempt, no fence, no audit chain.
//!
//! `bare-orm DATABASE_URL REGISTRATION_ENDPOINT COUNT CONCURRENCY`; prints registrations per second.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "what is measured here is the ORM and the HTTP client alone"
)]

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, ConnectOptions, Database, DbErr, Schema, TransactionTrait};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

mod client {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "bare_client")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) number: i64,
        pub(crate) client_id: String,
        pub(crate) response: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod event {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "bare_event")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) number: i64,
        pub(crate) action: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, endpoint, count, concurrency] = &arguments[..] else {
        return Err("DATABASE_URL REGISTRATION_ENDPOINT COUNT CONCURRENCY".into());
    };
    let (count, concurrency): (i64, usize) = (count.parse()?, concurrency.parse()?);
    let mut options = ConnectOptions::new(url);
    options.max_connections(10).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|options| {
        let wal = sea_orm::sqlx::sqlite::SqliteJournalMode::Wal;
        options.journal_mode(wal).synchronous(sea_orm::sqlx::sqlite::SqliteSynchronous::Normal)
    });
    let db = Database::connect(options).await?;
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(client::Entity)).await?;
    db.execute(&schema.create_table_from_entity(event::Entity)).await?;
    let http = reqwest::Client::new();
    let next = Arc::new(AtomicI64::new(0));
    let began = Instant::now();
    let tasks: Vec<_> = (0..concurrency)
        .map(|_| tokio::spawn(register(db.clone(), http.clone(), endpoint.clone(), next.clone(), count)))
        .collect();
    for task in tasks {
        task.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of registrations")]
    let per_second = count as f64 / began.elapsed().as_secs_f64();
    println!("{per_second:.1}");
    Ok(())
}

async fn register(
    db: sea_orm::DatabaseConnection,
    http: reqwest::Client,
    endpoint: String,
    next: Arc<AtomicI64>,
    count: i64,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        let body = serde_json::json!({
            "client_name": format!("Bare {number}"),
            "redirect_uris": ["http://localhost:8787/oauth/upstream-callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic",
        });
        let response = http.post(&endpoint).json(&body).send().await?.error_for_status()?;
        let response: serde_json::Value = response.json().await?;
        let client_id = response["client_id"].as_str().ok_or("no client_id")?.to_owned();
        record(&db, number, client_id, response.to_string()).await?;
    }
}

async fn record(
    db: &sea_orm::DatabaseConnection,
    number: i64,
    client_id: String,
    response: String,
) -> Result<(), DbErr> {
    let txn = db.begin().await?;
    client::ActiveModel { number: Set(number), client_id: Set(client_id), response: Set(response) }
        .insert(&txn)
        .await?;
    event::ActiveModel { number: Set(number), action: Set("registered".to_owned()) }.insert(&txn).await?;
    txn.commit().await
}
