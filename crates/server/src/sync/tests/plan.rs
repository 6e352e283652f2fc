use super::{document, open_document};
use crate::sync::admin_api::AdminApi;
use crate::sync::context_forge::ContextForge;
use crate::sync::litellm::LiteLlm;
use crate::sync::mark::{Fingerprints, Mark, server_id};
use crate::sync::plan::{Action, Ownership, plan};
use crate::sync::target::{Listed, TargetGateway};
use mcp_registry_client::GatewayDocument;
use serde_json::json;

fn api() -> AdminApi {
    AdminApi::new("http://127.0.0.1:1", "token".to_owned()).expect("an API")
}

fn ownership(rewrite: bool) -> Ownership {
    Ownership { owner: "default".to_owned(), fingerprints: Fingerprints::default(), rewrite }
}

/// An entry of the gateway; with the server in its mark, and whose it is.
fn listed(id: &str, name: &str, mark: Option<(&str, &str)>) -> Listed {
    let mark = mark.map(|(owner, server)| Mark {
        owner: owner.to_owned(),
        server: server_id(server),
        fingerprint: "0".repeat(32),
    });
    Listed { id: id.to_owned(), names: vec![name.to_owned()], mark, members: json!({}) }
}

/// Each step as a line.
fn lines(documents: &[GatewayDocument], listed: Vec<Listed>) -> Vec<String> {
    let target = LiteLlm::new(api());
    let steps = plan(&target, &ownership(false), documents, listed);
    steps
        .into_iter()
        .map(|step| match step.action {
            Action::Create(entry, _) => format!("create {} {}", step.server, entry.name),
            Action::Update(listed, entry, _) => {
                format!("update {} {} {}", step.server, listed.id, entry.name)
            }
            Action::Nothing => format!("nothing {}", step.server),
            Action::Delete(listed, _) => format!("delete {}", listed.id),
            Action::Wait(_) => format!("wait {}", step.server),
            Action::Refuse(_) => format!("refuse {}", step.server),
        })
        .collect()
}

#[test]
fn only_entries_of_this_owner_are_touched() {
    let one = document("acme/notes", &json!({}));
    let unready = document("acme/later", &json!({ "client": null }));
    let disabled = document("acme/off", &json!({ "status": "disabled", "reason": "x" }));
    let ours = |id, name, server| listed(id, name, Some(("default", server)));
    for (documents, held, expected) in [
        (vec![one.clone()], vec![], vec!["create acme/notes acme_notes"]),
        (
            vec![one.clone()],
            vec![ours("1", "acme_notes", "acme/notes")],
            vec!["update acme/notes 1 acme_notes"],
        ),
        (
            vec![],
            vec![ours("1", "acme_notes", "acme/notes"), listed("2", "hand_made", None)],
            vec!["delete 1"],
        ),
        (vec![], vec![listed("1", "acme_notes", Some(("other", "acme/notes")))], vec![]),
        (vec![unready.clone()], vec![], vec!["wait acme/later"]),
        (vec![unready], vec![ours("1", "acme_later", "acme/later")], vec!["wait acme/later"]),
        (vec![disabled.clone()], vec![], vec!["nothing acme/off"]),
        (vec![disabled], vec![ours("1", "acme_off", "acme/off")], vec!["delete 1"]),
        // A race of two programs left two.
        (
            vec![one],
            vec![ours("1", "acme_notes", "acme/notes"), ours("2", "acme_notes_2", "acme/notes")],
            vec!["delete 2", "update acme/notes 1 acme_notes"],
        ),
    ] {
        assert_eq!(lines(&documents, held), expected);
    }
}

#[test]
fn names_are_unique_and_stay() {
    let id = |server: &str| server_id(server)[..6].to_owned();
    let (one, other) = (document("a-b/notes", &json!({})), document("a_b/notes", &json!({})));
    let suffixed = format!("a_b_notes_{}", id("a_b/notes"));
    assert_eq!(
        lines(&[one.clone(), other.clone()], vec![]),
        ["create a-b/notes a_b_notes".to_owned(), format!("create a_b/notes {suffixed}")]
    );
    // The one that has the plain name keeps it, also when the other one comes first.
    let held = vec![listed("1", "a_b_notes", Some(("default", "a_b/notes")))];
    assert_eq!(
        lines(&[one.clone(), other], held),
        [
            format!("create a-b/notes a_b_notes_{}", id("a-b/notes")),
            "update a_b/notes 1 a_b_notes".to_owned()
        ]
    );
    // A name of a foreign entry is not taken, in whatever case.
    let held = vec![listed("1", "A_b_Notes", None)];
    assert_eq!(lines(&[one], held), [format!("create a-b/notes a_b_notes_{}", id("a-b/notes"))]);
}

#[test]
fn a_second_pass_writes_nothing_until_something_changes() {
    let target = ContextForge::new(api(), "https://gw.example.com".to_owned());
    let before = document("acme/notes", &json!({}));
    let held = |steps: Vec<crate::sync::plan::Step>| -> Vec<Listed> {
        let entries = steps.into_iter().filter_map(|step| match step.action {
            Action::Create(entry, mark) => Some((entry, mark)),
            _ => None,
        });
        entries
            .map(|(entry, mark)| Listed {
                id: "1".to_owned(),
                names: vec![entry.name],
                mark: Some(mark),
                members: json!({}),
            })
            .collect()
    };
    let mut client = json!(before.client);
    client["client_secret"] = json!("another");
    for (after, rewrite, unchanged) in [
        (before.clone(), false, true),
        (before.clone(), true, false),
        (document("acme/notes", &json!({ "revision": 99, "generation": 2 })), false, true),
        (document("acme/notes", &json!({ "client": client })), false, false),
        (document("acme/notes", &json!({ "url": "https://mcp.example.com/other" })), false, false),
        (open_document("acme/notes", &json!({})), false, false),
    ] {
        let held = held(plan(&target, &ownership(false), std::slice::from_ref(&before), vec![]));
        let steps = plan(&target, &ownership(rewrite), std::slice::from_ref(&after), held);
        let nothing = matches!(steps.as_slice(), [step] if matches!(step.action, Action::Nothing));
        assert_eq!(nothing, unchanged, "{after:?}");
    }
    assert_eq!(target.name_key("Acme_Notes"), "acme-notes");
}
