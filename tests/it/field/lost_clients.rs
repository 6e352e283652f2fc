//! A 2xx to a registration that yields no usable client: one was made there all the same, and is not forgotten (INV-3).

use super::{Case, REGISTER, Seen, case, cases, check};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

cases! {
    client_of_an_unusable_answer_is_not_forgotten = unusable();
    client_of_an_unusable_answer_is_deleted_where_that_is_possible = deleted();
}

type Change = fn(&mut UpstreamScript);

/// Answers by which no gateway can use the client that was made.
fn answers() -> Vec<(&'static str, Change)> {
    /// The registered client, with its body changed.
    fn rewritten(u: &mut UpstreamScript, change: fn(&[u8]) -> Vec<u8>) {
        u.route(REGISTER, move |request, u| Some(u.register(request).map_body(change)));
    }
    vec![
        ("other callback", |u| {
            drop(u.answer.insert("redirect_uris".into(), json!(["https://other.example/cb"])));
        }),
        ("callbacks as an object", |u| drop(u.answer.insert("redirect_uris".into(), json!({ "a": 1 })))),
        ("client_id is an object", |u| drop(u.answer.insert("client_id".into(), json!({ "value": "x" })))),
        ("client_id is true", |u| drop(u.answer.insert("client_id".into(), json!(true)))),
        ("client_id is null", |u| drop(u.answer.insert("client_id".into(), Value::Null))),
        ("client_id is empty", |u| drop(u.answer.insert("client_id".into(), json!("")))),
        ("client_id with a control character", |u| {
            drop(u.answer.insert("client_id".into(), json!("a\u{7}b")));
        }),
        ("no client_id", |u| u.omit.push("client_id")),
        ("clientId", |u| {
            u.omit.push("client_id");
            u.answer.insert("clientId".into(), json!("camel"));
        }),
        ("secret is missing", |u| {
            u.metadata.insert("token_endpoint_auth_methods_supported".into(), json!(["client_secret_post"]));
            u.omit.push("client_secret");
        }),
        ("secret is null", |u| {
            u.metadata.insert("token_endpoint_auth_methods_supported".into(), json!(["client_secret_post"]));
            u.answer.insert("client_secret".into(), Value::Null);
        }),
        ("secret expires after seconds from now", |u| {
            u.answer.insert("client_secret".into(), json!("x1"));
            u.answer.insert("client_secret_expires_at".into(), json!(2_592_000));
        }),
        ("secret expired in 2001", |u| {
            u.answer.insert("client_secret".into(), json!("x1"));
            u.answer.insert("client_secret_expires_at".into(), json!(1_000_000_000));
        }),
        ("method that needs keys", |u| {
            u.answer.insert("token_endpoint_auth_method".into(), json!("private_key_jwt"));
        }),
        ("empty body", |u| rewritten(u, |_| Vec::new())),
        ("blank body", |u| rewritten(u, |_| b"  \n".to_vec())),
        ("body cut in the middle", |u| rewritten(u, |body| body[..body.len() / 2].to_vec())),
        ("list around the client", |u| rewritten(u, |body| [b"[", body, b"]"].concat())),
        ("two documents", |u| rewritten(u, |body| [body, b"\n", body].concat())),
        ("UTF-16", |u| {
            rewritten(u, |body| {
                String::from_utf8_lossy(body).encode_utf16().flat_map(u16::to_le_bytes).collect()
            });
        }),
        ("JSON in a JSON string", |u| {
            rewritten(u, |body| serde_json::to_vec(&String::from_utf8_lossy(body)).unwrap());
        }),
        ("client below `data`", |u| rewritten(u, |body| [br#"{"data":"#, body, b"}"].concat())),
        ("page with 200", |u| rewritten(u, |_| b"<html><title>Done</title></html>".to_vec())),
        ("200 KiB", |u| rewritten(u, |body| [body, &vec![b' '; 200 << 10]].concat())),
        ("status 202", |u| {
            u.status = 202;
            u.omit.push("client_id");
        }),
        ("status 204", |u| {
            u.route(REGISTER, |request, u| {
                u.register(request);
                Some(Answer::text(204, ""))
            });
        }),
        ("unknown encoding", |u| {
            u.route(REGISTER, |request, u| Some(u.register(request).header("content-encoding", "zstd")));
        }),
        ("length beyond the end", |u| {
            u.route(REGISTER, |request, u| Some(u.register(request).header("content-length", "99999")));
        }),
    ]
}

fn unusable() -> Vec<Case> {
    answers()
        .into_iter()
        .map(|(name, change)| {
            // An answer that broke off is lost: its registration is repeated once.
            let most = if ["200 KiB", "length beyond the end"].contains(&name) { 2 } else { 1 };
            let once = move |seen: &Seen| {
                check(seen.asked().len() <= most, || {
                    format!("{} requests; {}", seen.asked().len(), seen.state())
                })
            };
            case(format!("unusable: {name}"), change).sees(Seen::nothing_forgotten).sees(once)
        })
        .collect()
}

/// The same with a management address: what can be read of the answer serves to delete the client, or the ledger says why
/// not.
fn deleted() -> Vec<Case> {
    let manageable = |name: &'static str, change: Change| {
        case(format!("deletable: {name}"), move |u| {
            u.manageable = true;
            change(u);
        })
        .sees(Seen::nothing_forgotten)
    };
    let mut all: Vec<Case> = answers().into_iter().map(|(name, change)| manageable(name, change)).collect();
    let (_, other) = answers().remove(0);
    all.push(manageable("nothing is left", other).sees(|seen| {
        let left = seen.upstream.script().clients.len();
        check(left == 0, || format!("{left} clients are left; {}; {:?}", seen.state(), seen.orphans))
    }));
    let (_, other) = answers().remove(0);
    all.push(
        case("deletion is refused", move |u: &mut UpstreamScript| {
            u.manageable = true;
            other(u);
            u.fixed("DELETE /register/client-1", Answer::json(403, &json!({ "error": "access_denied" })));
        })
        .sees(Seen::nothing_forgotten)
        .sees(|seen| {
            let entry = seen.orphans.first().cloned().unwrap_or_default();
            let told = entry["client_id"] == "client-1" && entry["reason"].is_string();
            check(told, || format!("the entry does not name the client: {entry}"))
        }),
    );
    all
}
