//! Whose certificates are trusted: those of the authorities in `egress.ca_file`, for the names they are made out to.

use crate::authority::{Authority, self_signed};
use crate::names::Script;
use crate::upstream::{Reply, Upstream, asked};
use registry_core::egress::EgressPolicy;
use registry_core::oauth::{Failure, FailureClass};
use registry_core::secret::Secret;
use registry_outbound::{Limits, UpstreamClient, register};
use serde_json::{Map, json};
use tokio_rustls::TlsAcceptor;

const NAME: &str = "as.example";

/// A client that may reach this machine over https, where `as.example` and `other.example` are.
fn client() -> UpstreamClient {
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    UpstreamClient::new(policy, Limits::default()).with_lookup(Script::always(&["127.0.0.1"]))
}

async fn serving(tls: TlsAcceptor) -> Upstream {
    let issued = json!({ "client_id": "c", "redirect_uris": ["https://g/cb"] });
    Upstream::start_at("127.0.0.1:0", Some(tls), move |_, _| Reply::json(201, &issued)).await
}

/// Registers at `host`; a client's id, or why there is none.
async fn registered(client: &UpstreamClient, upstream: &Upstream, host: &str) -> Result<String, Failure> {
    let url = format!("https://{host}:{}/register", upstream.port);
    let token = Secret::new("canary");
    let outcome = register(client, &url, asked(&Map::new()), Some(&token)).await;
    outcome.result.map(|issued| issued.client_id)
}

#[tokio::test]
async fn custom_certificate_authority_is_trusted_when_configured() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let upstream = serving(ours.server(&[NAME, "127.0.0.1"])).await;
    let trusting = client().with_certificates(ours.pem.as_bytes()).unwrap();
    for host in [NAME, "127.0.0.1"] {
        assert_eq!(registered(&trusting, &upstream, host).await.unwrap(), "c");
        let expected = format!("{host}:{}", upstream.port);
        assert_eq!(upstream.seen().last().unwrap().header("host"), Some(expected.as_str()));
    }
    // One of several in a file.
    let both = format!("# ours\n{}\n# other\n{}", ours.pem, other.pem);
    let trusting = client().with_certificates(both.as_bytes()).unwrap();
    assert_eq!(registered(&trusting, &upstream, NAME).await.unwrap(), "c");
    let elsewhere = serving(other.server(&[NAME])).await;
    assert_eq!(registered(&trusting, &elsewhere, NAME).await.unwrap(), "c");
}

#[tokio::test]
async fn other_certificates_are_refused_before_anything_is_sent() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let nobody = client();
    let trusting = client().with_certificates(ours.pem.as_bytes()).unwrap();
    let not_trusted = "as.example shows a certificate that is not trusted (the operator can trust its authority with `egress.ca_file`).";
    let other_name = "as.example shows a certificate for another name.";
    let old = "as.example shows a certificate that is not valid at this time.";
    for (what, client, tls, message) in [
        ("no authority is given", &nobody, ours.server(&[NAME]), not_trusted),
        ("another authority's", &trusting, other.server(&[NAME]), not_trusted),
        ("an authority of the same name", &trusting, Authority::new("ours").server(&[NAME]), not_trusted),
        ("vouches for itself", &trusting, self_signed(&[NAME]), not_trusted),
        ("its chain is missing", &trusting, ours.server_without_chain(&[NAME]), not_trusted),
        ("another name", &trusting, ours.server(&["other.example", "a.as.example"]), other_name),
        ("a pattern for names below", &trusting, ours.server(&["*.as.example"]), other_name),
        ("the address instead of the name", &trusting, ours.server(&["127.0.0.1"]), other_name),
        ("ran out", &trusting, ours.server_of_old(&[NAME]), old),
    ] {
        let upstream = serving(tls).await;
        let failure = registered(client, &upstream, NAME).await.unwrap_err();
        assert_eq!(
            (failure.class, failure.code, failure.message.as_str()),
            (FailureClass::Transient, "certificate_not_trusted", message),
            "{what}"
        );
        assert_eq!((upstream.connections(), upstream.seen().len()), (1, 0), "{what}");
    }
}
