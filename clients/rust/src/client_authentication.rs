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
