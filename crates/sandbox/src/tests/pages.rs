//! The pages for users.

use super::*;

#[tokio::test]
async fn consent_shows_who_asks() {
    let peer = Peer::with(Quirks::default()).await;
    let (_, client) = peer.register(&metadata()).await;
    let preview = peer.get(&format!("/consent/{}", id(&client))).await;
    let policy = preview.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        policy.starts_with("default-src 'none'")
            && !policy.contains("script-src")
            && !policy.contains("unsafe")
    );
    assert!(policy.ends_with("form-action 'self' http://localhost:8787"), "{policy}");
    let page = preview.text().await.unwrap();
    for shown in [
        "Acme Corp MCP Gateway",
        "href=\"https://acme.com\"",
        "href=\"https://acme.com/assets/logo.png\"",
        "href=\"https://acme.com/legal/terms\"",
        "href=\"https://acme.com/legal/privacy\"",
        "security@acme.com",
        "com.acme.mcp-gateway",
        "mcp:write",
        "Preview",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(
        !page.contains("<img") && !page.contains("<form"),
        "no foreign picture, no decision in a preview"
    );
    let asked =
        peer.get(&peer.authorize_path(id(&client), &[("scope", "mcp:read")])).await.text().await.unwrap();
    assert!(asked.contains("<form") && asked.contains("mcp:read") && !asked.contains("mcp:write"));
    assert_eq!(peer.get("/consent/nobody").await.status(), 404);
}

#[tokio::test]
async fn pages_escape_third_party_texts() {
    let peer = Peer::with(Quirks::default()).await;
    let name = "<script>alert(1)</script>\"'&";
    let body =
        metadata_with(&json!({"client_name": name, "software_id": "<b>x</b>", "contacts": ["<i>me</i>"]}));
    let (_, client) = peer.register(&body).await;
    for path in [format!("/consent/{}", id(&client)), "/".to_owned(), peer.authorize_path(id(&client), &[])] {
        let page = peer.get(&path).await.text().await.unwrap();
        assert!(page.contains("alert(1)"), "{path}");
        assert!(!page.contains("<script") && !page.contains("<b>x") && !page.contains("<i>me"), "{path}");
    }
}

#[tokio::test]
async fn links_are_followed_to_web_addresses_only() {
    let mut quirks = Quirks::default();
    quirks.replace_members.insert("client_uri".to_owned(), json!("javascript:alert(1)"));
    let peer = Peer::with(quirks).await;
    let (_, client) = peer.register(&metadata()).await;
    let page = peer.get(&format!("/consent/{}", id(&client))).await.text().await.unwrap();
    assert!(page.contains("javascript:alert(1)") && !page.contains("href=\"javascript"));
}

#[tokio::test]
async fn index_lists_running_services() {
    let peer = Peer::with(Quirks::default()).await;
    let page = peer.get("/").await.text().await.unwrap();
    assert!(page.contains(&peer.sandbox.mcp_url()) && page.contains("Sandbox Notes"));
    for asset in ["/style.css", "/icon.svg"] {
        assert_eq!(peer.get(asset).await.status(), 200);
    }
    assert_eq!(peer.get("/elsewhere").await.status(), 404);
}
