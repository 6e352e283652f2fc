//! Request bodies: JSON, validated completely before it is used.
//!
//! The order is: authentication, permission, size, media type, JSON (400 with line and column), schema (422 with a finding
//! for every wrong or unknown member). An absent body counts as `{}`.

use crate::http::extract::{Caller, state};
use crate::http::failure::Failure;
use crate::http::problem_kinds;
use crate::http::shape;
use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use registry::Error;
use registry_core::finding::{Finding, Findings};
use registry_core::locate::placed;
use registry_core::nul;
use registry_core::patch::Patch;
use registry_core::permission::Permission;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The body type of one operation. Its schema lists the members and their types.
pub(crate) trait RequestBody: DeserializeOwned + ToSchema + 'static {
    /// The permission that the operation needs.
    const NEEDS: Permission;
    /// Another permission that is enough.
    const OR_NEEDS: Option<Permission> = None;
    /// Whether the body changes an existing object, so that it must contain at least one member.
    const CHANGES: bool = false;
    /// Members that the hosted product's API has and that have no effect here: they are accepted with a notice.
    const HOSTED: &'static [&'static str] = &[];
}

/// The text of the body, kept for the line and column of findings.
pub(crate) struct BodyText(pub(crate) String);

/// An authenticated caller and the body it sent.
pub(crate) struct ValidatedJson<T> {
    pub(crate) caller: Caller,
    pub(crate) body: T,
    /// Notices about members that have no effect.
    pub(crate) notices: Findings,
    text: String,
}

impl<T: RequestBody> FromRequest for ValidatedJson<T> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let caller = Caller::authenticate(request.clone()).await?;
            if !T::OR_NEEDS.is_some_and(|other| caller.actor.can(other)) {
                caller.require(T::NEEDS)?;
            }
            let limit = state(&request)?.limits.body;
            let bytes = read(request.headers(), payload, limit).await?;
            if !bytes.is_empty() {
                check_media_type(request.headers())?;
            }
            let text = into_text(bytes)?;
            // Kept for the line and column of findings, including those of the application.
            request.extensions_mut().insert(BodyText(text.clone()));
            let (body, notices) = parse_with_notices(&text)?;
            Ok(Self { caller, body, notices, text })
        })
    }
}

impl<T> ValidatedJson<T> {
    /// The caller, the parsed body and its text.
    pub(crate) fn into_parts(self) -> (Caller, T, String) {
        (self.caller, self.body, self.text)
    }
}

/// Reads the body, at most `limit` bytes.
async fn read(headers: &HeaderMap, mut payload: Payload, limit: usize) -> Result<Vec<u8>, Failure> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(Error::TooLarge { limit }.into());
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| {
            Failure::request(
                &problem_kinds::INVALID_JSON,
                "The request body ended early. Send the whole body.",
            )
        })?;
        if bytes.len() + chunk.len() > limit {
            return Err(Error::TooLarge { limit }.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Failure> {
    let label = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let label = label.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if label == "application/json" || (label.starts_with("application/") && label.ends_with("+json")) {
        return Ok(());
    }
    Err(Failure::request(
        &problem_kinds::UNSUPPORTED_MEDIA_TYPE,
        "The body must have the header `Content-Type: application/json`.",
    ))
}

fn into_text(bytes: Vec<u8>) -> Result<String, Failure> {
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::request(
            &problem_kinds::INVALID_JSON,
            "The body is not UTF-8, which JSON is (RFC 8259 §8.1).",
        )
    })?;
    Ok(if text.trim().is_empty() { "{}".to_owned() } else { text })
}

/// Validates and parses `text`.
#[cfg(test)]
pub(crate) fn parse<T: RequestBody>(text: &str) -> Result<T, Failure> {
    parse_with_notices(text).map(|(body, _)| body)
}

/// Validates and parses `text`; with notices about members that have no effect.
fn parse_with_notices<T: RequestBody>(text: &str) -> Result<(T, Findings), Failure> {
    let value: Value = serde_json::from_str(text).map_err(|error| Failure::finding(broken(text, &error)))?;
    let nul = nul::findings(text, &value);
    if !nul.is_empty() {
        return Err(Error::Invalid(Findings(nul)).into());
    }
    let findings = shape::check::<T>(&value, T::CHANGES, T::HOSTED);
    if findings.has_errors() {
        return Err(Error::Invalid(findings).into());
    }
    let body = serde_json::from_str(text).map_err(|error| Failure::finding(misread(&error)))?;
    Ok((body, placed(text, findings)))
}

/// The error for broken JSON, with the position where parsing stopped.
fn broken(text: &str, error: &serde_json::Error) -> Finding {
    let (line, bytes) = (error.line(), error.column());
    // serde_json counts columns in bytes; editors count characters.
    let before = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let column = before.char_indices().take_while(|(index, _)| *index < bytes).count().max(1);
    let full = error.to_string();
    let what = full.rsplit_once(" at line ").map_or(full.as_str(), |(what, _)| what);
    let mut finding = Finding::error(
        "",
        problem_kinds::INVALID_JSON.code,
        format!("The body is not JSON: {what}, at line {line}, column {column}."),
    );
    finding.line = u32::try_from(line).ok();
    finding.column = u32::try_from(column).ok();
    finding
}

/// A problem that the schema check does not find: a duplicate member.
fn misread(error: &serde_json::Error) -> Finding {
    if error.to_string().starts_with("duplicate field") {
        Finding::error("", "duplicate_member", "An object has a duplicate member. Send each member once.")
    } else {
        Finding::error(
            "",
            "wrong_type",
            "The body does not fit this operation. The API reference shows its shape.",
        )
    }
}

/// The text of a JSON document as it was written.
pub(crate) fn written(document: Patch<Box<RawValue>>) -> Patch<String> {
    document.map(|raw| raw.get().to_owned())
}
