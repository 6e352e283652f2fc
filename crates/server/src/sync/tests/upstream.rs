use super::{document, open_document, upstream};
use crate::sync::upstream::{Wanted, wanted};
use serde_json::{Value, json};

#[test]
fn servers_are_served_kept_removed_or_refused() {
    let with_method = |method: &str| {
        let mut client = json!(document("acme/notes", &json!({})).client);
        client["token_endpoint_auth_method"] = json!(method);
        json!({ "client": client })
    };
    let registering = json!({ "client": null, "registration": { "state": "queued", "detail": "" } });
    for (members, expected) in [
        (json!({}), "serve"),
        (with_method("none"), "serve"),
        (with_method("client_secret_post"), "serve"),
        (with_method("private_key_jwt"), "refuse the gateway cannot authenticate with `private_key_jwt`"),
        (registering, "keep it has no OAuth client yet: queued"),
        (json!({ "authorization_server": null }), "keep it has no OAuth client yet: "),
        (json!({ "status": "disabled", "reason": "access_disabled" }), "remove disabled (access_disabled)"),
    ] {
        let told = match wanted(&document("acme/notes", &members)) {
            Wanted::Serve(_) => "serve".to_owned(),
            Wanted::Keep(reason) => format!("keep {reason}"),
            Wanted::Remove(reason) => format!("remove {reason}"),
            Wanted::Refuse(reason) => format!("refuse {reason}"),
        };
        assert_eq!(told, expected, "{members}");
    }
}

#[test]
fn headers_depend_on_the_auth_type() {
    let members = json!({ "headers": { "X-Key": "k" }, "passthrough_headers": { "X-Tenant": "acme" } });
    let names = |document| upstream(&document).headers.into_keys().collect::<Vec<_>>();
    assert_eq!(names(open_document("acme/notes", &members)), ["X-Key", "X-Tenant"]);
    assert_eq!(names(document("acme/notes", &members)), ["X-Tenant"], "with OAuth `headers` are not sent");
}

#[test]
fn what_the_gateway_will_not_do_is_said() {
    let cases: [(Value, &[&str], &[&str]); 6] = [
        (json!({ "forward_headers": ["X-A", "X-B"] }), &["X-A", "X-B"], &[]),
        (json!({ "forward_headers": { "mode": "allowlist", "headers": ["X-A"] } }), &["X-A"], &[]),
        (
            json!({ "forward_headers": { "mode": "all-except", "headers": ["X-A"] } }),
            &[],
            &["`forward_headers`"],
        ),
        (json!({ "forward_headers": ["X-A", { "from": "X-B", "to": "X-C" }] }), &["X-A"], &["renames"]),
        (
            json!({ "jwt_validation": {}, "authorization_params": {} }),
            &[],
            &["`authorization_params`", "`jwt_validation`"],
        ),
        (
            json!({ "disabled_capabilities": [{ "type": "tool", "name": "rm" }, { "type": "prompt", "name": "p" }] }),
            &[],
            &["prompts and resources", "tools that are switched off are offered there: rm"],
        ),
    ];
    for (members, forwarded, notes) in cases {
        let upstream = upstream(&document("acme/notes", &members));
        assert_eq!(upstream.forwarded, forwarded, "{members}");
        assert_eq!(upstream.notes.len(), notes.len(), "{members}: {:?}", upstream.notes);
        for (said, part) in upstream.notes.iter().zip(notes) {
            assert!(said.contains(part), "{said}");
        }
    }
}

#[test]
fn a_list_of_tools_is_narrowed_by_what_is_switched_off() {
    let members = json!({
        "tools": { "allowed": ["read", "write", "rm"], "blocked": ["write"] },
        "disabled_capabilities": [{ "type": "tool", "name": "rm" }],
    });
    let upstream = upstream(&document("acme/notes", &members));
    assert_eq!(upstream.allowed_tools, Some(vec!["read".to_owned()]));
    assert!(upstream.notes.is_empty(), "{:?}", upstream.notes);
}
