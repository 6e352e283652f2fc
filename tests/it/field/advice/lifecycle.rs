//! The reasons that come later: updates, replacements, reports, deletions; and those of client documents.

use super::super::{Case, case};
use super::{Action, Event, Row};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

fn manageable() -> Case {
    case("manageable", |u| u.manageable = true)
}

fn renamed(_: &UpstreamScript) -> Value {
    json!({ "oauth_client_metadata": { "client_name": "Acme New" } })
}

/// What is answered to an update of the first client, and to reads of it.
fn managed(u: &mut UpstreamScript, answer: &Answer) {
    u.fixed("PUT /register/client-1", answer.clone());
    u.fixed("GET /register/client-1", answer.clone());
}

fn managed_again(u: &mut UpstreamScript) {
    u.unroute("PUT /register/client-1");
    u.unroute("GET /register/client-1");
}

fn second_issuer(u: &mut UpstreamScript) {
    let issuer = u.url("/t2");
    u.resource.insert("authorization_servers".to_owned(), json!([issuer]));
    let mut metadata = u.metadata.clone();
    metadata.insert("issuer".to_owned(), json!(issuer));
    u.fixed("GET /.well-known/oauth-authorization-server/t2", Answer::json(200, &metadata.into()));
}

fn by_hand(_: &UpstreamScript) -> Value {
    json!({ "oauth_client_metadata": { "client_id": "by-hand", "client_secret": "s3cret" } })
}

pub(super) fn later() -> Vec<Row> {
    let asked = || {
        case("asked before a replacement", |_| {})
            .entered(|_| json!({ "registration": { "replace": "ask" } }))
    };
    let ledger = |code, case: Case, change: fn(&mut UpstreamScript)| {
        Row::new(code, case, &["owner"], Action::Resolve).after(Event::Deleted(change))
    };
    vec![
        Row::new("management_answer_lost", manageable(), &["again"], Action::Waits(managed_again))
            .after(Event::Saves(|u| managed(u, &Answer::raw(b"")), renamed)),
        Row::new("client_id_changed", manageable(), &["owner", "Approve"], Action::Approve).after(
            Event::Saves(|u| managed(u, &Answer::json(200, &json!({ "client_id": "somebody-else" }))), renamed),
        ),
        Row::new("metadata_changed", asked(), &["Approve"], Action::Approve).after(Event::Saves(
            |_| {},
            |u| {
                let mut entered = renamed(u);
                entered["registration"] = json!({ "replace": "ask" });
                entered
            },
        )),
        Row::new(
            "issuer_changed",
            case("own client", |_| {}).entered(by_hand),
            &["`issuer`"],
            Action::Enter(|u, _| {
                json!({ "oauth_client_metadata": {
                    "client_id": "by-hand", "client_secret": "s3cret-2", "issuer": u.url("/t2"),
                }})
            }),
        )
        .after(Event::Reregisters(second_issuer)),
        Row::new(
            "invalid_client",
            case("own client", |_| {}).entered(by_hand),
            &["`client_id`", "`client_secret`"],
            Action::Enter(|_, _| json!({ "oauth_client_metadata": { "client_id": "by-hand", "client_secret": "right" } })),
        )
        .after(Event::Reported(|_| {})),
        ledger("deletion_not_offered", case("unmanageable", |_| {}), |_| {}),
        ledger(
            "management_elsewhere",
            case("managed elsewhere", |u| {
                u.manageable = true;
                let elsewhere = json!("https://elsewhere.example/register/client-1");
                u.answer.insert("registration_client_uri".to_owned(), elsewhere);
            }),
            |_| {},
        ),
        ledger("deletion_not_supported", manageable(), |u| {
            u.fixed("DELETE /register/client-1", Answer::text(405, "").header("allow", "GET, PUT"));
        }),
        ledger("deletion_refused", manageable(), |u| {
            u.fixed("DELETE /register/client-1", Answer::json(400, &json!({ "error": "invalid_request" })));
        }),
    ]
}

/// A client whose secret lives for 30 days.
pub(super) fn ageing() -> Vec<Row> {
    let expiring = case("secret of 30 days", |u| {
        u.metadata.insert("token_endpoint_auth_methods_supported".to_owned(), json!(["client_secret_post"]));
        u.answer.insert("client_secret_expires_at".to_owned(), json!(in_days(30)));
    })
    .entered(|_| json!({ "registration": { "replace": "ask" } }));
    vec![Row::new("secret_expiring", expiring, &["Approve"], Action::Approve).after(Event::Ages(25))]
}

#[expect(clippy::disallowed_methods, reason = "what an upstream's clock says")]
fn in_days(days: i64) -> i64 {
    chrono::Utc::now().timestamp() + days * 86_400
}

/// Client ID Metadata Documents, at a deployment whose public name cannot be resolved.
pub(super) fn documents() -> Vec<Row> {
    let cimd = |change: fn(&mut UpstreamScript), client: fn() -> Value| {
        case("documents", change).entered(
            move |_| json!({ "registration": { "method": "cimd" }, "oauth_client_metadata": client() }),
        )
    };
    let reads = |u: &mut UpstreamScript| {
        u.metadata.insert("client_id_metadata_document_supported".to_owned(), json!(true));
    };
    let another_method = || Action::Enter(|_, _| json!({ "registration": { "method": "dcr" } }));
    vec![
        Row::new("cimd_not_supported", cimd(|_| {}, || json!({})), &["method"], another_method()),
        Row::new(
            "cimd_self_check_failed",
            cimd(reads, || json!({})),
            &["`auto`"],
            Action::Enter(|_, _| json!({ "registration": { "method": "auto" } })),
        ),
        Row::new(
            "cimd_auth_method",
            cimd(reads, || json!({ "token_endpoint_auth_method": "client_secret_post" })),
            &["method"],
            another_method(),
        ),
    ]
}
