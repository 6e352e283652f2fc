//! Connections that never carry a request, so that no server can have acted on one.

use crate::hostile::{TEST_TIMEOUT, answering};
use crate::upstream::{Reply, asked, guarded, hasty};
use registry_core::egress::Scope;
use registry_core::oauth::{FailureClass, ManagedClient};
use registry_core::secret::Secret;
use registry_outbound::{delete, read, register, update};
use serde_json::Map;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// What a connection does before it speaks TLS: no server can have received a request, so nothing is ambiguous.
#[tokio::test]
async fn failed_handshakes_are_reported() {
    let hello = [0x16, 3, 3, 0x40, 0];
    for (what, bytes, closes, expected) in [
        ("says nothing", &[][..], false, "timeout"),
        ("begins to greet", &hello[..], false, "timeout"),
        ("closes at once", &[][..], true, "connection_failed"),
        ("greets and closes", &hello[..], true, "connection_failed"),
        ("speaks plainly", b"HTTP/1.1 400 Bad Request\r\n\r\n", true, "connection_failed"),
        ("refuses", &[0x15, 3, 3, 0, 2, 2, 40], true, "connection_failed"),
    ] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://{}/register", listener.local_addr().unwrap());
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(bytes).await.unwrap();
            if !closes {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        };
        let client = if expected == "timeout" { hasty() } else { guarded() };
        let request = Map::new();
        let sending = register(&client, &url, asked(&request), None);
        let (outcome, ()) =
            timeout(TEST_TIMEOUT, async { tokio::join!(sending, serving) }).await.expect(what);
        let failure = outcome.result.unwrap_err();
        assert_eq!((failure.class, failure.code), (FailureClass::Transient, expected), "{what}");
    }
}

/// Where no connection stood nothing was sent, be there a body or not: no client and no token can have been lost.
#[tokio::test]
async fn refused_connections_are_never_ambiguous() {
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/register", gone.local_addr().unwrap());
    drop(gone);
    let client = ManagedClient {
        client_id: "c".to_owned(),
        client_secret: None,
        client_secret_expires_at: None,
        client_id_issued_at: None,
        token_endpoint_auth_method: "none".to_owned(),
        registration_client_uri: url.clone(),
        registration_access_token: Secret::new("canary"),
        request: Map::new(),
        response: Map::new(),
        scope: Scope::Everything,
    };
    let (guarded, request) = (guarded(), Map::new());
    for failure in [
        register(&guarded, &url, asked(&request), None).await.result.unwrap_err(),
        update(&guarded, &client, &request).await.result.unwrap_err(),
        read(&guarded, &client).await.result.unwrap_err(),
        delete(&guarded, &url, &client.registration_access_token).await.result.unwrap_err(),
    ] {
        assert_eq!((failure.class, failure.code), (FailureClass::Transient, "connection_failed"));
    }
    // Where one stood, anything may have happened.
    let upstream = answering(Reply::Close).await;
    let client = ManagedClient { registration_client_uri: upstream.url("/register"), ..client };
    for failure in [
        update(&guarded, &client, &request).await.result.unwrap_err(),
        read(&guarded, &client).await.result.unwrap_err(),
    ] {
        assert_eq!((failure.class, failure.code), (FailureClass::Ambiguous, "management_answer_lost"));
    }
}
