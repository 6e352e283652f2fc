//! What is answered to a read, an update and a deletion of a client (RFC 7592 §2).

use super::{CALLBACK, Case, case, cases, check};
use serde_json::{Value, json};
use support::{Answer, UpstreamScript};

cases! {
    update_keeps_the_client_whatever_shape_its_answer_has = updates();
}

/// A manageable client; `PUT` carries out the update and answers so.
fn updated(name: &str, answer: Answer) -> Case {
    case(format!("PUT answers {name}"), move |u: &mut UpstreamScript| {
        u.manageable = true;
        let answer = answer.clone();
        u.route("PUT /register/client-1", move |request, u| {
            u.manage(request);
            Some(answer.clone())
        });
    })
    .registers()
    .then(|_, _| json!({ "oauth_client_metadata": { "client_name": "Acme New" } }))
    .registers()
    .sees(|seen| {
        let (made, put) =
            (seen.upstream.script().made, seen.upstream.bodies("PUT", "/register/client-1").len());
        check(made == 1 && put >= 1, || format!("{made} registrations, {put} updates; {}", seen.state()))?;
        let name = &seen.client()["client_name"];
        check(name == "Acme New", || format!("the document says {name}"))
    })
}

fn updates() -> Vec<Case> {
    let json = |value: Value| Answer::json(200, &value);
    vec![
        updated("200 without a body", Answer::new(200, "application/json", "")),
        updated("200 without a body or label", Answer::new(200, "text/plain", "")),
        updated("200 with blanks", Answer::new(200, "application/json", " \n")),
        updated("204", Answer::text(204, "")),
        updated("202 without a body", Answer::text(202, "")),
        updated("201 with the client", Answer::json(201, &json!({ "client_id": "client-1" }))),
        updated("an empty object", json(json!({}))),
        updated("the id alone", json(json!({ "client_id": "client-1" }))),
        updated("an empty list of callbacks", json(json!({ "client_id": "client-1", "redirect_uris": [] }))),
        updated("the callback alone", json(json!({ "client_id": "client-1", "redirect_uris": [CALLBACK] }))),
        updated("null", json(Value::Null)),
        updated("the text OK", Answer::text(200, "OK")),
    ]
}
