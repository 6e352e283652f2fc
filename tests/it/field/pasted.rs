//! Values as admins paste them from mails, chats, consoles and other clients' configurations. No upstream is asked.

use registry_core::permission::Role;
use serde_json::{Value, json};
use support::{Client, Engine, TestServer};

/// Blanks, quotes and invisible characters that come along when a value is copied.
const AROUND: [(&str, &str, &str); 12] = [
    ("blank after", "", " "),
    ("blank before", " ", ""),
    ("line feed after", "", "\n"),
    ("carriage return and line feed", "", "\r\n"),
    ("tab", "\t", ""),
    ("no-break space", "", "\u{a0}"),
    ("zero-width space", "", "\u{200b}"),
    ("byte order mark", "\u{feff}", ""),
    ("curly quotes", "\u{201c}", "\u{201d}"),
    ("straight quotes", "\"", "\""),
    ("back ticks", "`", "`"),
    ("angle brackets", "<", ">"),
];

async fn admin() -> (TestServer, Client) {
    let t = TestServer::new(Engine::Sqlite).await;
    t.inner.workspace("acme").await;
    let admin = t.client(Role::Admin, None).await;
    (t, admin)
}

/// The findings of the check; of a text that is no JSON its errors.
async fn found(admin: &Client, body: Value) -> Vec<Value> {
    let reply = admin.post("/v1/advanced-configuration/check", &body).await.json();
    let list = |name: &str| reply[name].as_array().cloned().unwrap_or_default();
    list("findings").into_iter().chain(list("errors")).collect()
}

fn is_grave(finding: &Value) -> bool {
    finding["severity"] == "error" || finding["severity"] == "warning"
}

/// A pasted value never goes through in silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pasted_member_is_trimmed_with_a_notice_or_told() {
    let (_t, admin) = admin().await;
    let members = [
        ("client_id", "1234-ab.apps.example"),
        ("client_secret", "s3cret-value"),
        ("issuer", "https://login.example.com"),
        ("authorization_endpoint", "https://login.example.com/authorize"),
        ("token_endpoint", "https://login.example.com/token"),
        ("logo_uri", "https://cdn.example.com/logo.png"),
        ("client_uri", "https://www.example.com"),
    ];
    let mut failed = Vec::new();
    for (member, value) in members {
        for (name, before, after) in AROUND {
            let mut client = json!({ "client_id": "c1", "issuer": "https://login.example.com" });
            client["authorization_endpoint"] = json!("https://login.example.com/authorize");
            client["token_endpoint"] = json!("https://login.example.com/token");
            client[member] = json!(format!("{before}{value}{after}"));
            let findings =
                found(&admin, json!({ "configurations": { "oauth_client_metadata": client } })).await;
            // A secret may hold quotes and brackets of its own.
            let own = member == "client_secret" && matches!(before, "\"" | "`" | "<");
            let told =
                findings.iter().any(|one| one["pointer"].as_str().is_some_and(|at| at.ends_with(member)));
            if !told && !own {
                failed.push(format!("{member} with {name}: {findings:?}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed.join("\n"));
}

/// Each configuration leads to an error or warning that holds the words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistaken_value_is_told_with_its_repair() {
    let (_t, admin) = admin().await;
    let client = |members: Value| json!({ "oauth_client_metadata": members });
    let token = |token: &str| json!({ "registration": { "initial_access_token": token } });
    let cases: Vec<(Value, &[&str])> = vec![
        (client(json!({ "scope": "chat:write,search:read" })), &["scope"]),
        (client(json!({ "scope": "a, b, c" })), &["scope"]),
        (client(json!({ "scope": "\"a b\"" })), &["scope"]),
        (client(json!({ "client_id": "1234-ab.apps.example " })), &["client_id"]),
        (client(json!({ "issuer": "https://as.example.com/.well-known/openid-configuration" })), &["issuer"]),
        (
            client(json!({ "issuer": "https://as.example.com/.well-known/oauth-authorization-server" })),
            &["issuer"],
        ),
        (
            client(json!({ "issuer": "https://as.example.com/.well-known/oauth-authorization-server/t1" })),
            &["issuer"],
        ),
        (client(json!({ "issuer": "as.example.com" })), &["issuer", "https"]),
        (token("Bearer eyJ0.abc.def"), &["initial_access_token", "Bearer"]),
        (token("bearer eyJ0.abc.def"), &["initial_access_token", "Bearer"]),
        (token("SSWS 00abc"), &["initial_access_token", "SSWS"]),
        (token("Authorization: Bearer x1"), &["initial_access_token"]),
        (token("Token abc"), &["initial_access_token"]),
        (
            json!({ "oauth": { "clientId": "my-client", "scopes": ["openid"], "callbackPort": 19876 } }),
            &["oauth_metadata"],
        ),
        (json!({ "clientId": "my-client" }), &["clientId"]),
        (client(json!({ "clientId": "my-client" })), &["client_id"]),
        (client(json!({ "clientSecret": "s" })), &["clientSecret"]),
        (client(json!({ "redirect_uri": "https://gw.example/cb" })), &["redirect_uri"]),
    ];
    let mut failed = Vec::new();
    for (configuration, words) in cases {
        let findings = found(&admin, json!({ "configurations": configuration })).await;
        let said = Value::Array(findings.iter().filter(|one| counts(one)).cloned().collect());
        let said = said.to_string().to_lowercase();
        if words.iter().any(|word| !said.contains(&word.to_lowercase())) {
            failed.push(format!("{configuration}: {findings:?}"));
        }
    }
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed.join("\n"));
}

/// Whether a finding is a complaint.
type Complains = fn(&Value) -> bool;

/// What is repaired with certainty, or ignored on purpose, is a notice; all else is an error or a warning.
fn counts(finding: &Value) -> bool {
    let repaired = finding["pointer"].as_str().is_some_and(|at| at.ends_with("initial_access_token"));
    is_grave(finding) || repaired || finding["code"] == "ignored_member"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn legal_value_is_not_complained_about() {
    let (_t, admin) = admin().await;
    let client = |members: Value| json!({ "oauth_client_metadata": members });
    let machine = json!({
        "client_id": "svc", "client_secret": "s", "issuer": "https://login.example.com",
        "token_endpoint": "https://login.example.com/token", "grant_types": ["client_credentials"], "response_types": [],
    });
    let persian = "\u{62f}\u{631}\u{6af}\u{627}\u{647} \u{645}\u{6cc}\u{200c}\u{631}\u{648}\u{62f} \u{1f469}\u{200d}\u{1f4bb} 某某服务器";
    let cases: Vec<(Value, Complains)> = vec![
        (client(machine), |one| one.to_string().contains("authorization_endpoint")),
        (
            json!({ "registration": { "trusted_issuer": "https://login.microsoftonline.com/{tenantid}/v2.0" } }),
            |one| one["severity"] == "error",
        ),
        (client(json!({ "client_name": persian })), |one| one["severity"] == "error"),
        (client(json!({ "scope": "openid profile offline_access" })), is_grave),
        (
            client(json!({ "scope": "https://www.googleapis.com/auth/drive.readonly api://x/.default" })),
            is_grave,
        ),
        (client(json!({ "client_id": "acme:prod@tenant-7" })), |one| one["severity"] == "error"),
        (json!({ "registration": { "resource": "api://0f1e2d3c-0000-4000-8000-00000000abcd" } }), is_grave),
        (json!({ "registration": { "omit": ["software_id", "logo_uri"] } }), is_grave),
        (client(json!({ "software_id": null, "logo_uri": null })), |one| one["severity"] == "error"),
    ];
    let mut failed = Vec::new();
    for (configuration, wrong) in cases {
        let findings = found(&admin, json!({ "configurations": configuration })).await;
        if findings.iter().any(wrong) {
            failed.push(format!("{configuration}: {findings:?}"));
        }
    }
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed.join("\n"));
}

/// A text that is no JSON: the message names the character that is no part of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_no_json_is_told_by_its_character() {
    let (_t, admin) = admin().await;
    let cases = [
        ("{\u{201c}oauth_client_metadata\u{201d}: {}}", "quot"),
        ("{\u{2018}oauth_client_metadata\u{2019}: {}}", "quot"),
        ("{\u{201e}oauth_client_metadata\u{201c}: {}}", "quot"),
        ("{\u{ab}oauth_client_metadata\u{bb}: {}}", "quot"),
        ("{'oauth_client_metadata': {}}", "quot"),
        ("{\"oauth_client_metadata\":\u{a0}{}}", "space"),
        ("{\"oauth_client_metadata\":\u{202f}{}}", "space"),
        ("{\"oauth_client_metadata\":\u{3000}{}}", "space"),
        ("{\"oauth_client_metadata\":\u{200b}{}}", "space"),
        ("\u{feff}{\"oauth_client_metadata\": {}}", "byte order"),
        ("{\"oauth_client_metadata\": {},}", "comma"),
        ("{\"oauth_client_metadata\": {\"client_name\": \"A\u{201d}}}", "quot"),
    ];
    let mut failed = Vec::new();
    for (text, word) in cases {
        let findings = found(&admin, json!({ "text": text })).await;
        let said = Value::Array(findings).to_string().to_lowercase();
        if !said.contains(word) {
            failed.push(format!("{text:?} without `{word}`: {said}"));
        }
    }
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed.join("\n"));
}

/// The integration's URL: trimmed, or refused with the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pasted_url_is_trimmed_or_refused_with_the_reason() {
    let (_t, admin) = admin().await;
    let wanted = "https://mcp.linear.example/mcp";
    let mut cases: Vec<(String, &str)> = AROUND
        .iter()
        .map(|(name, before, after)| {
            let word = if name.contains("quotes") || name.contains("ticks") || name.contains("brackets") {
                "http"
            } else {
                "space"
            };
            (format!("{before}{wanted}{after}"), word)
        })
        .collect();
    cases.extend([
        ("mcp.linear.example/mcp".to_owned(), "https"),
        ("//mcp.linear.example/mcp".to_owned(), "https"),
        ("https:/mcp.linear.example/mcp".to_owned(), "https"),
        ("npx -y mcp-remote https://mcp.linear.example/mcp".to_owned(), "http"),
    ]);
    let mut failed = Vec::new();
    for (number, (url, word)) in cases.iter().enumerate() {
        let body = json!({ "name": format!("u{number}"), "slug": format!("url-{number}"), "url": url, "auth_type": "oauth_auto", "transport": "http" });
        let reply = admin.post("/v1/mcp-integrations", &body).await;
        let saved = reply.json();
        if reply.status == 200 {
            let kept = admin.get(&format!("/v1/mcp-integrations/url-{number}")).await.expect(200).json();
            if kept["url"] != wanted {
                failed.push(format!("{url:?} is kept as {}", kept["url"]));
            }
        } else if !saved["errors"].to_string().to_lowercase().contains(word) {
            failed.push(format!("{url:?} without `{word}`: {}", saved["errors"]));
        }
    }
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed.join("\n"));
}
