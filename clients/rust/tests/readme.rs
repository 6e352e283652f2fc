//! The program of the README compiles and runs as it is shown.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example, and its test")]

use mcp_registry_client::{BoxError, Follower, FollowerOptions, Registry};
use std::sync::Arc;

// README: begin
async fn example(url: String, key: String) -> Result<(), BoxError> {
    let registry = Arc::new(Registry::new([url], move || key.clone())?);
    let options = FollowerOptions {
        on_change: Box::new(|name, document| println!("{name} {document:?}")),
        on_error: Box::new(|error, pause| eprintln!("{error}; next attempt in {pause:?}")),
        ..FollowerOptions::default()
    };
    let follower = Arc::new(Follower::new(registry.clone(), options));
    let running = follower.clone();
    let following = tokio::spawn(async move { running.run().await });
    follower.ready().await;

    if let Some(document) = follower.document("acme/notes") {
        // When the token endpoint says `invalid_client`:
        let told = follower.report(&document, "invalid_client").await?;
        println!("report: {}", told.verdict);
    }
    match registry.document("acme/unknown", None, None).await {
        Err(error) if error.is_not_found() => println!("acme/unknown does not exist"),
        other => drop(other?),
    }
    following.abort();
    Ok(())
}
// README: end

#[test]
fn readme_shows_this_program() {
    let source = include_str!("readme.rs");
    let shown = source.split_once("// README: begin\n").unwrap().1.split_once("// README: end").unwrap().0;
    assert!(include_str!("../README.md").contains(shown));
}

/// A registry without servers.
#[tokio::test]
async fn readme_program_runs() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = connection.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]);
            assert!(request.to_lowercase().contains("authorization: bearer secret"));
            let (status, body) = if request.starts_with("GET /v1/gateway/changes") {
                (200, r#"{"revision":1,"reset":false,"changes":[]}"#)
            } else if request.starts_with("GET /v1/gateway/servers?") {
                (200, r#"{"data":[],"has_more":false,"revision":1}"#)
            } else {
                (404, r#"{"code":"not_found"}"#)
            };
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    example(url, "secret".to_owned()).await.unwrap();
}
