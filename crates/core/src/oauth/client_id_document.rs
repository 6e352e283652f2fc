//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document-00 and -01, SEP-991, SEP-3149): what we
//! publish as a client, at the URL that is its `client_id`.

use super::failure::{Failure, FailureClass};
use serde_json::{Map, Value, json};

/// The size below which every authorization server reads a document (draft -01 §6.6 recommends 5 kB as their limit).
pub const MAX_DOCUMENT_BYTES: usize = 4096;

/// The path below `cimd.public_url` where the document `id` is.
pub fn document_path(id: &str) -> String {
    format!("/oauth/clients/{id}.json")
}

/// The `client_id` of the document `id` published under `public_url` (without trailing slash).
pub fn document_url(public_url: &str, id: &str) -> String {
    format!("{}{}", public_url.trim_end_matches('/'), document_path(id))
}

/// The document for `client_metadata` at `url`, byte for byte the same for the same input. `with_scope`: an admin set
/// `scope`; a fixed one would otherwise cap what may be asked for later (INV-24).
pub fn client_id_document(
    url: &str,
    client_metadata: &Map<String, Value>,
    with_scope: bool,
) -> Result<String, Failure> {
    let mut document = Map::new();
    document.insert("client_id".to_owned(), json!(url));
    for (name, value) in client_metadata {
        let says_nothing = value.is_null() || value.as_str() == Some("");
        if !says_nothing && (with_scope || name != "scope") {
            document.insert(name.clone(), value.clone());
        }
    }
    // A public document holds no secret, so the client is a public one. SEP-3149 wants the list beside the member.
    document.insert("token_endpoint_auth_method".to_owned(), json!("none"));
    document.insert("token_endpoint_auth_methods_supported".to_owned(), json!(["none"]));
    for name in ["client_secret", "client_secret_expires_at", "jwks", "jwks_uri", "software_statement"] {
        document.shift_remove(name);
    }
    let text = Value::Object(document).to_string();
    if text.len() >= MAX_DOCUMENT_BYTES {
        return Err(Failure::new(
            FailureClass::Configuration,
            "cimd_document_too_large",
            format!(
                "The Client ID Metadata Document would have {} bytes; authorization servers read fewer than {MAX_DOCUMENT_BYTES}. Shorten the client metadata, for instance by leaving out language variants.",
                text.len()
            ),
        ));
    }
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn metadata(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn client_id_document_is_a_public_client_with_its_url() {
        let url = document_url("https://id.example/", "abc");
        assert_eq!(url, "https://id.example/oauth/clients/abc.json");
        let wanted = metadata(json!({
            "client_name": "Acme", "redirect_uris": ["https://g/cb"], "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "client_secret_post", "scope": "a", "tos_uri": "", "jwks": {},
        }));
        let text = client_id_document(&url, &wanted, false).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({
                "client_id": url, "client_name": "Acme", "redirect_uris": ["https://g/cb"], "grant_types": ["authorization_code"],
                "token_endpoint_auth_method": "none", "token_endpoint_auth_methods_supported": ["none"],
            })
        );
        assert_eq!(text, client_id_document(&url, &wanted, false).unwrap(), "the same bytes");
        assert!(client_id_document(&url, &wanted, true).unwrap().contains("\"scope\":\"a\""));
    }

    #[test]
    fn client_id_document_size_is_bounded() {
        let wanted = metadata(json!({ "client_name": "x".repeat(MAX_DOCUMENT_BYTES) }));
        let failure = client_id_document("https://h/c.json", &wanted, false).unwrap_err();
        assert_eq!(failure.code, "cimd_document_too_large");
    }
}
