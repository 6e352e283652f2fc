//! The API reference: the document, Swagger UI (embedded, without network access), the page that explains problems,
//! and the JSON Schema of the gateway document.

use crate::gateway::document_schema;
use crate::http::problem_kinds::KINDS;
use crate::http::security_headers;
use crate::openapi::document::document;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, ContentType, HeaderValue};
use actix_web::middleware::{Compress, Next, from_fn};
use actix_web::{HttpResponse, web};
use registry_core::metadata::CODES;
use std::fmt::Write;
use std::sync::LazyLock;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The Content-Security-Policy of Swagger UI: its own files, inline styles, and `data:` images in style sheets.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

static DOCUMENT: LazyLock<String> = LazyLock::new(|| document().to_string());
static SCHEMA: LazyLock<String> = LazyLock::new(document_schema);
static PROBLEMS: LazyLock<String> = LazyLock::new(problems_page);

/// Mounts `/openapi.json` and `/docs/` on the app.
pub(crate) fn mount(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/openapi.json").wrap(from_fn(guard)).wrap(Compress::default()).route(
                web::get().to(async || {
                    HttpResponse::Ok().content_type(ContentType::json()).body(DOCUMENT.as_str())
                }),
            ),
        )
        .service(
            web::scope("/docs")
                .wrap(from_fn(guard))
                .wrap(Compress::default())
                .route(
                    "",
                    web::get().to(async || {
                        HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
                    }),
                )
                .route(
                    "/problems",
                    web::get().to(async || {
                        HttpResponse::Ok().content_type(ContentType::html()).body(PROBLEMS.as_str())
                    }),
                )
                .route(
                    "/gateway-document.schema.json",
                    web::get().to(async || {
                        HttpResponse::Ok().content_type("application/schema+json").body(SCHEMA.as_str())
                    }),
                )
                .service(SwaggerUi::new("/{_:.*}").config(Config::new(["/openapi.json"]))),
        );
}

/// Headers for pages that run embedded scripts.
async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let mut response = next.call(request).await?.map_into_boxed_body();
    let request = response.request().clone();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    security_headers::add_with_request_id(headers, &request);
    Ok(response)
}

/// Every kind of problem and every code of a finding, from the tables that define them.
fn problems_page() -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Problems</title></head><body><main><h1>Problems</h1>\
         <p>Every answer that is not a success is a problem document (RFC 9457). Its <code>type</code> leads here.</p>",
    );
    for kind in KINDS {
        let (code, title, meaning) = (kind.code, escape(kind.title), prose(kind.meaning));
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "<h2 id=\"{code}\">{title}</h2><p>{} <code>{code}</code></p><p>{meaning}</p>",
            kind.status
        );
    }
    page.push_str("<h1>Findings</h1><p>The members of <code>errors</code> and <code>findings</code> have these codes in an Advanced Configuration.</p><dl>");
    for code in CODES {
        let _ = write!(page, "<dt><code>{}</code></dt><dd>{}</dd>", code.code, prose(code.meaning));
    }
    page.push_str("</dl></main></body></html>");
    page
}

/// Text for a page; text between backticks becomes `code`.
fn prose(text: &str) -> String {
    escape(text)
        .split('`')
        .enumerate()
        .map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_type_has_an_anchor() {
        let page = problems_page();
        for kind in KINDS {
            assert!(page.contains(&format!("id=\"{}\"", kind.code)), "{}", kind.code);
        }
        assert!(prose("a `<b>` c") == "a <code>&lt;b&gt;</code> c");
    }
}
