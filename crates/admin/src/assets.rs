//! Our own CSS and script, and what npm built if it did, embedded in the binary.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpResponse, get, web};

/// One embedded file.
pub(crate) struct Asset {
    name: &'static str,
    hash: &'static str,
    bytes: &'static [u8],
}

mod table {
    use super::Asset;
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

pub(crate) use table::FULL;

/// The address of an asset; its hash is in it, so that it may be kept for ever.
pub(crate) fn url(name: &str) -> String {
    let hash = table::ASSETS.iter().find(|asset| asset.name == name).map_or("none", |asset| asset.hash);
    format!("/ui/assets/{hash}/{name}")
}

#[get("/assets/{hash}/{name:.*}")]
pub(crate) async fn serve(path: web::Path<(String, String)>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    let Some(asset) = table::ASSETS.iter().find(|asset| asset.name == name && asset.hash == hash) else {
        return HttpResponse::NotFound().finish();
    };
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((ETAG, format!("\"{}\"", asset.hash)))
        .body(asset.bytes)
}
