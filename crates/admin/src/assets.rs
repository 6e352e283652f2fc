//! The CSS and scripts of this crate and of the npm build (if it ran), embedded in the binary together with
//! compressed variants.

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse, get, web};

/// One embedded file.
pub(crate) struct Asset {
    name: &'static str,
    hash: &'static str,
    bytes: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

mod table {
    use super::Asset;
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

pub(crate) use table::FULL;

/// The URL of an asset. It contains the hash of the content, so that clients may cache it forever.
pub(crate) fn url(name: &str) -> String {
    let hash = table::ASSETS.iter().find(|asset| asset.name == name).map_or("none", |asset| asset.hash);
    format!("/ui/assets/{hash}/{name}")
}

#[get("/assets/{hash}/{name:.*}")]
pub(crate) async fn serve(request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    let Some(asset) = table::ASSETS.iter().find(|asset| asset.name == name && asset.hash == hash) else {
        return HttpResponse::NotFound().finish();
    };
    let (coding, bytes) = match request.headers() {
        headers if accepts(headers, "br") => (Some("br"), asset.brotli),
        headers if accepts(headers, "gzip") => (Some("gzip"), asset.gzip),
        _ => (None, asset.bytes),
    };
    // Different bytes, different tag (RFC 9110 §8.8.3).
    let etag = format!("\"{hash}{}\"", coding.map(|coding| format!("-{coding}")).unwrap_or_default());
    let known = request.headers().get_all(IF_NONE_MATCH).any(|value| value.as_bytes() == etag.as_bytes());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((VARY, "Accept-Encoding"))
        .insert_header((ETAG, etag));
    if known {
        return response.finish();
    }
    if let Some(coding) = coding {
        response.insert_header((CONTENT_ENCODING, coding));
    }
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        _ => "image/svg+xml",
    };
    response.content_type(kind).body(bytes)
}

/// Whether `Accept-Encoding` names `coding` and does not refuse it (RFC 9110 §12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| {
            let (name, weight) = part.split_once(";q=").unwrap_or((part, "1"));
            name.trim().eq_ignore_ascii_case(coding)
                && weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0)
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, http::header::HeaderValue};

    /// Maximum size of the base layer in bytes, compressed with gzip (INV-61).
    const MAX_BASE_BYTES: usize = 20 * 1024;
    /// Maximum size of an editor page in bytes, compressed with gzip.
    const MAX_EDITOR_BYTES: usize = 200 * 1024;

    #[actix_web::test]
    async fn assets_are_compressed_on_request_and_immutable() {
        let app = init_service(App::new().service(web::scope("/ui").service(serve))).await;
        let ask = async |coding: &'static str, etag: Option<HeaderValue>| {
            let mut request =
                TestRequest::get().uri(&url("app.css")).insert_header((ACCEPT_ENCODING, coding));
            if let Some(etag) = etag {
                request = request.insert_header((IF_NONE_MATCH, etag));
            }
            call_service(&app, request.to_request()).await
        };
        let mut tags = Vec::new();
        for (coding, encoded) in
            [("br, gzip", Some("br")), ("gzip", Some("gzip")), ("br;q=0", None), ("", None)]
        {
            let answer = ask(coding, None).await;
            assert_eq!(answer.status(), StatusCode::OK);
            let encoding =
                answer.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(encoding.as_deref(), encoded, "{coding}");
            assert!(answer.headers().get(CACHE_CONTROL).unwrap().to_str().unwrap().contains("immutable"));
            assert_eq!(answer.headers().get(VARY).unwrap(), "Accept-Encoding");
            let etag = answer.headers().get(ETAG).unwrap().clone();
            assert!(!read_body(answer).await.is_empty());
            let again = ask(coding, Some(etag.clone())).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            assert!(read_body(again).await.is_empty());
            tags.push(etag);
        }
        assert_ne!(tags[0], tags[1]);
        assert_ne!(tags[1], tags[2]);
        let unknown = TestRequest::get().uri("/ui/assets/000000000000/app.css").to_request();
        assert_eq!(call_service(&app, unknown).await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn page_sizes_are_bounded() {
        let weight = |names: &[&str]| -> usize {
            let of = |name: &&str| table::ASSETS.iter().find(|asset| *asset.name == **name);
            names.iter().filter_map(of).map(|asset| asset.gzip.len()).sum()
        };
        let base = weight(&["app.css", "app.js", "unsaved.js", "palette.js"]);
        assert!(base > 0 && base <= MAX_BASE_BYTES, "the base layer weighs {base} bytes");
        let page = weight(&["app.css", "app.js", "unsaved.js", "icon.svg", "live.js", "editor.js"]);
        assert!(
            page <= MAX_EDITOR_BYTES - 8 * 1024,
            "an editor page weighs {page} bytes without its own HTML"
        );
    }
}
