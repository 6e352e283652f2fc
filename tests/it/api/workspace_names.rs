//! The access of workspaces names each workspace as the last change of its access did: a Terraform provider compares the texts.

use registry_core::permission::Role;
use rstest::rstest;
use serde_json::{Value, json};
use support::{Engine, TestServer};

const PATH: &str = "/v1/mcp-integrations/linear/workspaces";

#[rstest]
#[case::sqlite(Engine::Sqlite)]
#[case::postgres(Engine::Postgres)]
#[tokio::test]
async fn workspaces_are_named_as_they_were_asked_for(#[case] engine: Engine) {
    let t = TestServer::new(engine).await;
    let admin = t.client(Role::Admin, None).await;
    let given = admin.given().workspace("acme").workspace("beta");
    given.integration("linear", "https://mcp.linear.app/mcp").await;
    let id = async |slug: &str| -> Value {
        admin.get(&format!("/v1/workspaces/{slug}")).await.expect(200).json()["id"].clone()
    };
    let (acme, beta) = (id("acme").await, id("beta").await);
    for (named, shown) in [
        (json!(["acme", beta]), [json!("acme"), beta.clone()]),
        (json!([acme, "BETA"]), [acme.clone(), json!("beta")]),
        (json!(["acme"]), [json!("acme"), json!("beta")]),
        (json!([beta]), [json!("acme"), beta.clone()]),
    ] {
        let rows = named.as_array().unwrap().iter().map(|name| json!({ "id": name, "enabled": true }));
        let body = json!({ "workspaces": rows.collect::<Vec<_>>() });
        for _ in 0..2 {
            admin.put(PATH, &body).await.expect(200);
            let listed = admin.get(PATH).await.expect(200).json();
            let ids: Vec<_> = listed["workspaces"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
            assert_eq!(ids, shown.iter().collect::<Vec<_>>(), "{named}");
        }
    }
}
