//! Deleting clients (RFC 7592 §2.3).

use crate::upstream::{Reply, Upstream, guarded};
use registry_core::oauth::FailureClass;
use registry_core::secret::Secret;
use registry_outbound::delete;
use tokio::net::TcpListener;

#[tokio::test]
async fn deletions_carry_the_token_and_are_never_redirected() {
    for (status, expected) in [
        (204, None),
        (200, None),
        (401, Some((FailureClass::NeedsAdmin, "management_token_refused"))),
        (405, Some((FailureClass::NeedsAdmin, "deletion_not_supported"))),
        (403, Some((FailureClass::NeedsAdmin, "deletion_refused"))),
        (307, Some((FailureClass::NeedsAdmin, "deletion_refused"))),
        (503, Some((FailureClass::Transient, "upstream_unavailable"))),
        (429, Some((FailureClass::Transient, "rate_limited"))),
    ] {
        let upstream = Upstream::start(move |_, _| {
            Reply::status(status).header("location", "/elsewhere").header("retry-after", "9")
        })
        .await;
        let token = Secret::new("rat-canary");
        let outcome = delete(&guarded(), &upstream.url("/register/c"), &token).await;
        let failed = outcome.result.as_ref().err().map(|failure| (failure.class, failure.code));
        assert_eq!(failed, expected, "{status}");
        assert_eq!(upstream.asked(), ["DELETE /register/c"]);
        assert_eq!(upstream.seen()[0].header("authorization"), Some("Bearer rat-canary"));
        assert!(!format!("{outcome:?}").contains("canary"));
        if status == 429 {
            assert_eq!(outcome.result.unwrap_err().retry_after, Some(9));
        }
    }
}

#[tokio::test]
async fn deletion_with_a_lost_answer_is_ambiguous() {
    let upstream = Upstream::start(|_, _| Reply::Close).await;
    let token = Secret::new("rat-canary");
    let lost = delete(&guarded(), &upstream.url("/register/c"), &token).await.result.unwrap_err();
    assert_eq!((lost.class, lost.code), (FailureClass::Ambiguous, "connection_lost"));
    let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let refusing = format!("http://{}/register/c", gone.local_addr().unwrap());
    drop(gone);
    let unsent = delete(&guarded(), &refusing, &token).await.result.unwrap_err();
    assert_eq!((unsent.class, unsent.code), (FailureClass::Transient, "connection_failed"));
}
