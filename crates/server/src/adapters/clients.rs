//! The clients of this configuration.

use crate::config::Config;
use registry_core::egress::EgressPolicy;
use registry_outbound::{Limits, TrustedClient, UpstreamClient};
use std::fs;
use std::time::Duration;

/// The client for services that the operator configured; it trusts the same certificate authorities.
pub(crate) fn operator(config: &Config) -> Result<TrustedClient, String> {
    match &config.egress.ca_file {
        None => Ok(TrustedClient::default()),
        Some(path) => {
            let failed =
                |what: &dyn std::fmt::Display| format!("The certificate file {}: {what}.", path.display());
            let pem = fs::read(path).map_err(|error| failed(&error))?;
            TrustedClient::default().with_certificates(&pem).map_err(|error| failed(&error))
        }
    }
}

/// The client for upstreams: what may be reached, how long a request may take, whose certificates are trusted.
pub(crate) fn guarded(config: &Config, policy: EgressPolicy) -> Result<UpstreamClient, String> {
    let total = Duration::from_secs(config.worker.request_timeout);
    let limits = Limits { total, connect: Limits::default().connect.min(total) };
    let guarded = UpstreamClient::new(policy, limits);
    let Some(path) = &config.egress.ca_file else { return Ok(guarded) };
    let failed = |what: &dyn std::fmt::Display| format!("The certificate file {}: {what}.", path.display());
    let pem = fs::read(path).map_err(|error| failed(&error))?;
    guarded.with_certificates(&pem).map_err(|error| failed(&error))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use registry_outbound::register;
    use serde_json::Map;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    /// A new authority's certificate, and TLS as a server on this machine that it vouches for.
    fn authority() -> (String, TlsAcceptor) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let chain = vec![server.signed_by(&key, &issuer).unwrap().der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        (pem, TlsAcceptor::from(Arc::new(config)))
    }

    #[tokio::test]
    async fn certificate_authorities_in_the_file_are_trusted() {
        let (pem, tls) = authority();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://{}/register", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = tls.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4096]).await;
                let body = r#"{"client_id":"c"}"#;
                let length = body.len();
                let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let policy = EgressPolicy { allow: vec!["127.0.0.1".parse().unwrap()], ..EgressPolicy::default() };
        let mut config = Config::default();
        let registered = async |config: &Config| {
            let guarded = guarded(config, policy.clone()).unwrap();
            let request = Map::new();
            let asked = registry_core::oauth::Asked { request: &request, listed_methods: None };
            let outcome = register(&guarded, &url, asked, None).await;
            outcome.result.map(|issued| issued.client_id).map_err(|failure| failure.code)
        };
        assert_eq!(registered(&config).await, Err("certificate_not_trusted"));
        config.egress.ca_file = Some(file.clone());
        let message = |config: &Config| guarded(config, policy.clone()).unwrap_err();
        assert!(message(&config).starts_with(&format!("The certificate file {}: ", file.display())));
        fs::write(&file, "no certificate").unwrap();
        assert!(message(&config).contains("contains no certificate"), "{}", message(&config));
        fs::write(&file, pem).unwrap();
        assert_eq!(registered(&config).await, Ok("c".to_owned()));
    }
}
