//! Authentication of a client at its token endpoint.

use crate::types::GatewayDocument;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder};
use std::error::Error;
use std::pin::Pin;
use url::form_urlencoded::{Serializer, byte_serialize};

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;
/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The assertion that is needed (RFC 7523 §2.2).
#[derive(Clone, Copy, Debug)]
pub struct Assertion<'a> {
    /// `iss` and `sub`.
    pub client_id: &'a str,
    /// `aud`: the issuer of the authorization server.
    pub audience: &'a str,
    /// The document of the client.
    pub document: &'a GatewayDocument,
}

/// Signs assertions. The holder of the private key implements it.
pub trait AssertionSigner: Send + Sync {
    /// A signed JWT.
    fn sign<'a>(&'a self, assertion: Assertion<'a>) -> BoxFuture<'a, Result<String, BoxError>>;
}

/// A request to the token endpoint of this document, authenticated by the method of its client and no other.
///
/// # Errors
/// When the document has no client, its method is not known here, or the signer fails.
pub async fn token_request(
    http: &Client,
    document: &GatewayDocument,
    parameters: &[(&str, &str)],
    signer: Option<&dyn AssertionSigner>,
) -> Result<RequestBuilder, BoxError> {
    let (Some(client), Some(server)) = (&document.client, &document.authorization_server) else {
        return Err(format!("{} has no client", document.name()).into());
    };
    let mut request = http.post(&server.token_endpoint);
    let mut form = Serializer::new(String::new());
    form.extend_pairs(parameters);
    let secret = client.client_secret.as_deref().unwrap_or_default();
    let method = client.token_endpoint_auth_method.as_str();
    if method == "client_secret_basic" {
        // Both are form-encoded first (RFC 6749 §2.3.1).
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        request = request.basic_auth(encoded(&client.client_id), Some(encoded(secret)));
    } else {
        form.append_pair("client_id", &client.client_id);
    }
    match method {
        "none" | "client_secret_basic" => {}
        "client_secret_post" => {
            form.append_pair("client_secret", secret);
        }
        "private_key_jwt" => {
            let signer = signer.ok_or("private_key_jwt needs a signer of assertions")?;
            let assertion = Assertion { client_id: &client.client_id, audience: &client.issuer, document };
            let token = signer.sign(assertion).await?;
            form.append_pair(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            );
            form.append_pair("client_assertion", &token);
        }
        other => return Err(format!("this library does not know the method {other}").into()),
    }
    Ok(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    struct Signer;

    impl AssertionSigner for Signer {
        fn sign<'a>(&'a self, assertion: Assertion<'a>) -> BoxFuture<'a, Result<String, BoxError>> {
            Box::pin(async move { Ok(format!("jwt of {} for {}", assertion.client_id, assertion.audience)) })
        }
    }

    /// The same table as in `tests/clients/client-authentication.mjs`.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "no request is sent")]
    async fn client_authenticates_by_its_method_and_no_other() {
        let assertion = "client_id=a%3Ab&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=jwt+of+a%3Ab+for+https%3A%2F%2Fas.example";
        let methods = [
            ("none", None, Some("client_id=a%3Ab")),
            ("client_secret_post", None, Some("client_id=a%3Ab&client_secret=s+p%2B")),
            ("client_secret_basic", Some("Basic YSUzQWI6cytwJTJC"), Some("")),
            ("private_key_jwt", None, Some(assertion)),
            ("tls_client_auth", None, None),
        ];
        for (method, header, form) in methods {
            let document: GatewayDocument = serde_json::from_value(json!({
                "workspace": "acme", "server": "notes", "url": "https://mcp.example", "auth_type": "oauth_auto",
                "revision": 1, "generation": 1, "status": "active",
                "client": {
                    "client_id": "a:b", "client_secret": "s p+", "issuer": "https://as.example",
                    "token_endpoint_auth_method": method,
                },
                "authorization_server": {
                    "issuer": "https://as.example", "authorization_endpoint": "https://as.example/authorize",
                    "token_endpoint": "https://as.example/token",
                },
            }))
            .unwrap();
            let request = token_request(&Client::new(), &document, &[("code", "c")], Some(&Signer)).await;
            let Some(form) = form else {
                assert!(request.is_err(), "{method}");
                continue;
            };
            let request = request.unwrap().build().unwrap();
            let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap());
            assert_eq!(authorization, header, "{method}");
            let wanted = if form.is_empty() { "code=c".to_owned() } else { format!("code=c&{form}") };
            assert_eq!(request.body().unwrap().as_bytes().unwrap(), wanted.as_bytes(), "{method}");
        }
    }
}
