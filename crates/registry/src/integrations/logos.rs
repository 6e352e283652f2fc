//! Logos: this deployment fetches and stores them and serves them from its own origin, so that a page loads no image from
//! another host (INV-62). A stored logo reveals no more than its public address does.

use crate::integrations::Logos;
use crate::ports::upstream::{FetchedLogo, UNREACHABLE};
use crate::registration::issuer_rate::reserve_slot_now;
use crate::storage::columns::{hex, millis, moment};
use crate::storage::entity::logo;
use crate::storage::logo_queue::{logo_id, new_row};
use crate::storage::write::Write;
use crate::{Actor, Error, Result, SendPermit};
use registry_core::clock::Timestamp;
use registry_core::logo::{LogoProblem, logo_uris};
use registry_core::permission::Permission;
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, Iterable, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Minimum time between two fetches of one logo that users ask for, in milliseconds.
const MIN_FETCH_INTERVAL_MS: i64 = 10_000;
/// Lease of a worker that fetches a logo, in milliseconds.
const FETCH_LEASE_MS: i64 = 60_000;
/// Maximum number of stored logos; the least recently fetched are deleted first, and fetched again on demand.
const MAX_LOGOS: u64 = 500;

/// A logo, identified by its URL, with its stored state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// The URL in the metadata (`logo_uri`).
    pub url: String,
    /// Result of the last fetch, or that there was none.
    pub state: LogoState,
    /// When the logo was last fetched; `None`: never.
    pub fetched_at: Option<Timestamp>,
}

/// Result of the last fetch of a logo, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogoState {
    /// The logo was never fetched, and no fetch is due.
    Unknown,
    /// A save enqueued the logo; a worker will fetch it.
    Waiting,
    /// The fetch returned a picture, which is stored.
    Picture {
        /// SHA-256 of the bytes in hex; [`Logos::file`] takes it.
        digest: String,
        /// Media type such as `image/png`, detected from the content.
        media_type: String,
        /// Width and height in pixels; a vector graphic has none.
        pixels: Option<(u32, u32)>,
        /// Size in bytes.
        size: u32,
        /// `Content-Type` that the server sent, if it differs from `media_type`.
        labelled: Option<String>,
    },
    /// The fetch returned no picture, or the URL is not allowed.
    Problem {
        /// Stable code.
        code: String,
        /// What is wrong and what to do: the rest of a sentence whose subject is the URL of the logo.
        message: String,
    },
}

/// The stored picture of a logo.
#[derive(Debug)]
pub struct LogoFile {
    /// Media type, detected from the content.
    pub media_type: String,
    /// The bytes of the picture.
    pub bytes: Vec<u8>,
}

impl Logos<'_> {
    /// The stored state of the logo at `url`. Sends no request.
    pub async fn get(self, actor: &Actor, url: &str) -> Result<Logo> {
        actor.require(Permission::CheckConfiguration)?;
        if let Some(problem) = self.address_problem(url) {
            return Ok(Logo { url: url.to_owned(), state: problem.into(), fetched_at: None });
        }
        let row = self.logo_row(url).await?;
        Ok(row.map_or_else(
            || Logo { url: url.to_owned(), state: LogoState::Unknown, fetched_at: None },
            Logo::from,
        ))
    }

    /// Fetches the logo at `url` now, unless it was fetched in the last 10 seconds, and returns its state. The call takes as
    /// long as one request to an upstream.
    ///
    /// Errors: [`Error::TooSoon`] if the rate limit of the origin has no free slot now.
    pub async fn fetch(self, actor: &Actor, url: &str) -> Result<Logo> {
        let known = self.get(actor, url).await?;
        let recent = known
            .fetched_at
            .is_some_and(|at| millis(self.registry.now()) - millis(at) < MIN_FETCH_INTERVAL_MS);
        if recent || self.address_problem(url).is_some() {
            return Ok(known);
        }
        // A user who may check configurations can make this process send requests to any host: limited per origin.
        if let SendPermit::At(until) = reserve_slot_now(self.registry, actor, url).await? {
            return Err(Error::TooSoon { until, now: self.registry.now() });
        }
        let fetched = self.registry.upstream().fetch_logo(url).await;
        self.record_logo(actor, url, fetched).await?;
        self.get(actor, url).await
    }

    /// Called by a worker: fetches one logo that a save enqueued. Returns whether one was due.
    pub async fn fetch_due(self, worker: &str) -> Result<bool> {
        let due = || logo::Entity::find().filter(logo::Column::DueAt.lte(millis(self.registry.now())));
        if due().count(self.registry.db()).await? == 0 {
            return Ok(false);
        }
        let actor = Actor::worker(worker);
        let write = self.registry.begin_write(&actor).await?;
        let row = due()
            .order_by_asc(logo::Column::DueAt)
            .limit(1)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_partial_model::<logo::Info>()
            .one(&write.txn)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let due_at = Set(Some(write.millis() + FETCH_LEASE_MS));
        logo::ActiveModel { id: Set(row.id), due_at, ..Default::default() }.update(&write.txn).await?;
        write.commit().await?;
        let fetched = self.registry.upstream().fetch_logo(&row.url).await;
        self.record_logo(&actor, &row.url, fetched).await?;
        Ok(true)
    }

    /// The picture with this digest (SHA-256 in hex).
    ///
    /// Errors: not found if no stored picture has this digest.
    pub async fn file(self, actor: &Actor, digest: &str) -> Result<LogoFile> {
        actor.require(Permission::CheckConfiguration)?;
        let row =
            logo::Entity::find().filter(logo::Column::Digest.eq(digest)).one(self.registry.db()).await?;
        match row.map(|row| (row.media_type, row.bytes)) {
            Some((Some(media_type), Some(bytes))) => Ok(LogoFile { media_type, bytes }),
            _ => Err(Error::not_found("logo", digest)),
        }
    }

    /// The first logo in `metadata` whose last fetch returned no picture, as `(url, problem)`.
    pub(crate) async fn broken_logo(self, metadata: &Map<String, Value>) -> Result<Option<(String, String)>> {
        for url in logo_uris(metadata) {
            if let Some(problem) = self.logo_row(&url).await?.and_then(|row| row.problem) {
                return Ok(Some((url, problem)));
            }
        }
        Ok(None)
    }

    async fn logo_row(self, url: &str) -> Result<Option<logo::Info>> {
        let row = logo::Entity::find_by_id(logo_id(url)).into_partial_model::<logo::Info>();
        Ok(row.one(self.registry.db()).await?)
    }

    /// Why no request is sent to `url`, judged by the text of the URL alone (scheme, host) under the egress rules.
    fn address_problem(self, url: &str) -> Option<LogoProblem> {
        let problem = self.registry.settings().egress.check_url(url).err()?;
        let message = if url.starts_with("http:") {
            "is not fetched: http is not allowed. Use the https address.".to_owned()
        } else {
            format!("is not fetched: {problem}.")
        };
        Some(LogoProblem::new("address_not_allowed", message))
    }

    /// Stores the result of a fetch, in place of the former one; the logo is then no longer due.
    async fn record_logo(self, actor: &Actor, url: &str, fetched: FetchedLogo) -> Result<()> {
        let write = self.registry.begin_write(actor).await?;
        let mut row = new_row(url);
        row.fetched_at = Some(write.millis());
        match fetched {
            FetchedLogo::Picture { picture, bytes } => {
                row.digest = Some(hex(&Sha256::digest(&bytes)));
                row.media_type = Some(picture.media_type.to_owned());
                row.labelled = picture.labelled;
                row.width = picture.pixels.and_then(|(width, _)| i32::try_from(width).ok());
                row.height = picture.pixels.and_then(|(_, height)| i32::try_from(height).ok());
                row.size = i32::try_from(bytes.len()).ok();
                row.bytes = Some(bytes);
            }
            FetchedLogo::Problem(LogoProblem { code, message }) => {
                row.problem_code = Some(code.to_owned());
                row.problem = Some(message);
            }
            FetchedLogo::Unanswered(why) => {
                tracing::info!(%why, "a logo could not be fetched");
                row.problem_code = Some("unreachable".to_owned());
                row.problem = Some(format!("did not answer. {UNREACHABLE}"));
            }
        }
        let columns = logo::Column::iter().filter(|column| !matches!(column, logo::Column::Id));
        logo::Entity::insert(row.into_active_model())
            .on_conflict(OnConflict::column(logo::Column::Id).update_columns(columns).to_owned())
            .exec_without_returning(&write.txn)
            .await?;
        delete_least_recent(&write).await?;
        write.commit().await
    }
}

/// Deletes the least recently fetched logos beyond [`MAX_LOGOS`].
async fn delete_least_recent(write: &Write<'_>) -> Result<()> {
    let surplus: Vec<String> = logo::Entity::find()
        .select_only()
        .column(logo::Column::Id)
        .filter(logo::Column::FetchedAt.is_not_null())
        .order_by_desc(logo::Column::FetchedAt)
        .offset(MAX_LOGOS)
        .limit(MAX_LOGOS)
        .into_tuple()
        .all(&write.txn)
        .await?;
    if !surplus.is_empty() {
        logo::Entity::delete_many().filter(logo::Column::Id.is_in(surplus)).exec(&write.txn).await?;
    }
    Ok(())
}

impl From<LogoProblem> for LogoState {
    fn from(problem: LogoProblem) -> Self {
        Self::Problem { code: problem.code.to_owned(), message: problem.message }
    }
}

impl From<logo::Info> for Logo {
    fn from(row: logo::Info) -> Self {
        let unsigned = |column: Option<i32>| column.and_then(|number| u32::try_from(number).ok());
        let state = match (row.digest, row.media_type, row.problem_code, row.problem) {
            (Some(digest), Some(media_type), ..) => LogoState::Picture {
                digest,
                media_type,
                pixels: unsigned(row.width).zip(unsigned(row.height)),
                size: unsigned(row.size).unwrap_or_default(),
                labelled: row.labelled,
            },
            (_, _, Some(code), Some(message)) => LogoState::Problem { code, message },
            _ if row.due_at.is_some() => LogoState::Waiting,
            _ => LogoState::Unknown,
        };
        Self { url: row.url, state, fetched_at: row.fetched_at.map(moment) }
    }
}
