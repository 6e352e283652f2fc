//! The least a server could do: the same bytes after the same kind of key lookup, and nothing else.
//!
//! `bare-actix PORT KEY FILE`; each line of FILE is `workspace/server`, a tab, the document.

use actix_web::http::header::{
    self, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, get, web};
use bytes::Bytes;
use papaya::HashMap;
use sha2::{Digest, Sha256};
use std::io::{Error, ErrorKind};

struct State {
    keys: HashMap<[u8; 32], ()>,
    documents: HashMap<String, (Bytes, HeaderValue)>,
}

#[get("/v1/gateway/servers/{name:.*}")]
async fn document(state: web::Data<State>, request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let headers = request.headers();
    let key = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let digest: [u8; 32] = Sha256::digest(key.unwrap_or_default().as_bytes()).into();
    if !state.keys.pin().contains_key(&digest) {
        return HttpResponse::Unauthorized().finish();
    }
    let documents = state.documents.pin();
    let Some((body, etag)) = documents.get(name.as_str()) else { return HttpResponse::NotFound().finish() };
    let known = headers.get(IF_NONE_MATCH) == Some(etag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, etag.clone()));
    for (name, value) in &SAME_HEADERS {
        response.insert_header((name.clone(), value.clone()));
    }
    if known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(body.clone())
}

/// What the registry's answers carry beside the document.
static SAME_HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
    (header::VARY, HeaderValue::from_static("Authorization, x-portkey-api-key, Accept-Encoding")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "PORT KEY FILE"));
    let port: u16 = next()?.parse().map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
    let state = State { keys: HashMap::new(), documents: HashMap::new() };
    state.keys.pin().insert(Sha256::digest(next()?.as_bytes()).into(), ());
    for line in std::fs::read_to_string(next()?)?.lines() {
        let (name, body) = line.split_once('\t').unwrap_or_default();
        let etag = format!("\"{}\"", Sha256::digest(body).iter().take(16).copied().fold(String::new(), hex));
        let etag = HeaderValue::try_from(etag).map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
        state.documents.pin().insert(name.to_owned(), (Bytes::from(body.to_owned()), etag));
    }
    let state = web::Data::new(state);
    HttpServer::new(move || App::new().app_data(state.clone()).service(document))
        .tcp_nodelay(true)
        .bind(("127.0.0.1", port))?
        .run()
        .await
}

fn hex(mut text: String, byte: u8) -> String {
    use std::fmt::Write;
    // Writing to a string cannot fail.
    let _ = write!(text, "{byte:02x}");
    text
}
