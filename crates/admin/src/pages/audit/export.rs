//! The download of the audit log. It is streamed in parts, so that memory use does not depend on its length; an
//! error closes the connection, so that a client cannot mistake a part for the whole.

use super::query::Query;
use crate::http::failure::Failure;
use crate::http::session::SignedInUser;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, web};
use futures_util::stream::try_unfold;
use registry::{AuditCursor, AuditFilter, AuditFormat, Error, export_audit};
use registry_core::permission::Permission;

/// Events per part.
const EXPORT_BATCH: u64 = 500;

#[get("/audit.csv")]
pub(super) async fn csv(signed_in: SignedInUser, query: web::Query<Query>) -> Result<HttpResponse, Failure> {
    file(signed_in, &query, AuditFormat::Csv)
}

#[get("/audit.jsonl")]
pub(super) async fn lines(
    signed_in: SignedInUser,
    query: web::Query<Query>,
) -> Result<HttpResponse, Failure> {
    file(signed_in, &query, AuditFormat::JsonLines)
}

/// The position in the download.
struct Sending {
    signed_in: SignedInUser,
    filter: AuditFilter,
    seek: AuditCursor,
    more: bool,
}

fn file(signed_in: SignedInUser, query: &Query, format: AuditFormat) -> Result<HttpResponse, Failure> {
    signed_in.actor.require_organisation(Permission::ReadAudit)?;
    let (filter, problems) = query.filter();
    if !problems.is_empty() {
        let words = "The days of this address cannot be read. Write them as 2026-11-23.";
        return Err(Failure::Request(StatusCode::UNPROCESSABLE_ENTITY, words));
    }
    let (kind, name) = match format {
        AuditFormat::Csv => ("text/csv; charset=utf-8", "audit.csv"),
        AuditFormat::JsonLines => ("application/jsonl; charset=utf-8", "audit.jsonl"),
    };
    let parts = try_unfold(
        Sending { signed_in, filter, seek: AuditCursor::Newest, more: true },
        move |mut sending| async move {
            if !sending.more {
                return Ok::<_, Error>(None);
            }
            let Sending { signed_in, filter, seek, .. } = &sending;
            let found = signed_in
                .registry
                .audit()
                .range(&signed_in.actor, filter.clone(), *seek, EXPORT_BATCH)
                .await?;
            let head = *seek == AuditCursor::Newest;
            sending.more = found.older.is_some();
            if let Some(number) = found.older {
                sending.seek = AuditCursor::Before(number);
            }
            let part = export_audit(found.items, format, head)?;
            Ok(Some((web::Bytes::from(part), sending)))
        },
    );
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header(("content-disposition", format!("attachment; filename=\"{name}\"")))
        .streaming(parts))
}
