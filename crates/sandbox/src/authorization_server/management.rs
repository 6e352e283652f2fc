//! `GET`, `PUT` and `DELETE /register/{client_id}` (RFC 7592 §2).

use super::client_metadata;
use super::registration::{information, json_object, provide_secret};
use crate::answer::{self, Refused};
use crate::mcp_server::bearer;
use crate::quirks::{Quirks, take};
use crate::state::{RegisteredClient, State, random};
use actix_web::http::header::{ALLOW, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

/// Members an update must not contain (RFC 7592 §2.2).
const SERVER_OWNED: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

pub(super) fn manage(state: &State, request: &HttpRequest, client_id: &str, body: &[u8]) -> HttpResponse {
    let mut book = state.book();
    if book.quirks.no_management {
        return HttpResponse::NotFound().body("Nothing is here.");
    }
    if take(&mut book.quirks.unavailable_management_requests) {
        return HttpResponse::ServiceUnavailable().body("Come back later.");
    }
    // A client that is gone and a wrong token look the same (RFC 7592 §2.1).
    let token = bearer(request);
    let Some(mut client) = book
        .clients
        .get(client_id)
        .filter(|client| token == Some(client.registration_access_token.as_str()))
        .cloned()
    else {
        let error =
            answer::error_body("invalid_token", "The registration access token is not valid.").to_string();
        let mut answer = HttpResponse::Unauthorized();
        answer.insert_header((WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""));
        return answer.content_type("application/json").body(error);
    };
    match *request.method() {
        Method::GET => {}
        Method::PUT => {
            if let Err(refused) = update(&mut client, &book.quirks, request, body) {
                return *refused;
            }
        }
        Method::DELETE if !book.quirks.no_delete => {
            book.forget(client_id);
            return HttpResponse::NoContent().finish();
        }
        _ => return HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, PUT")).finish(),
    }
    if book.quirks.rotate_registration_access_token {
        client.registration_access_token = random();
    }
    book.clients.insert(client_id.to_owned(), client.clone());
    if take(&mut book.quirks.lost_management_answers) {
        return answer::lost();
    }
    if *request.method() == Method::PUT && book.quirks.empty_update_answer {
        return answer::json_text(StatusCode::OK, String::new());
    }
    let mut answer = information(state, &client, &book.quirks);
    answer.retain(|name, _| !book.quirks.omit_management_members.contains(name));
    answer::json(StatusCode::OK, &Value::Object(answer))
}

/// Replaces the client's metadata by the request's: what is left out, null or empty is gone.
fn update(
    client: &mut RegisteredClient,
    quirks: &Quirks,
    request: &HttpRequest,
    body: &[u8],
) -> Result<(), Refused> {
    let refuse =
        |text: &str| Err(answer::error(StatusCode::BAD_REQUEST, "invalid_client_metadata", text).into());
    let mut asked: Map<String, Value> = json_object(request, body)?;
    if let Some(name) = SERVER_OWNED.iter().find(|&&name| asked.contains_key(name)) {
        return refuse(&format!("{name} must not be sent"));
    }
    if asked.remove("client_id").as_ref().and_then(Value::as_str) != Some(client.client_id.as_str()) {
        return refuse("client_id must be the client's own");
    }
    if let Some(secret) = asked.remove("client_secret")
        && secret.as_str() != client.secret.as_deref()
    {
        return refuse("client_secret must be the current one");
    }
    asked.retain(|_, value| !value.is_null() && value != "");
    client.metadata = client_metadata::judge(&asked, quirks)?;
    if quirks.rotate_secret {
        client.secret = None;
    }
    provide_secret(client, quirks);
    Ok(())
}
