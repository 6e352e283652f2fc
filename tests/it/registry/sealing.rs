//! The sealing keys over time, on both databases: changed while others work, interrupted, lost.

use registry::{Error, IntegrationChange, Registry, SealingKey, SealingKeyUse};
use registry_core::permission::Role;
use registry_core::slug::Reference;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use support::{Engine, TestRegistry};

/// A server whose gateway document holds this secret.
async fn with_secret(t: &TestRegistry, slug: &str, secret: &str) {
    let text = json!({ "headers": { "X-Key": secret } }).to_string();
    t.integration(slug, &format!("https://{slug}.example.com/mcp"), Some(&text)).await;
    t.server(slug, "acme").await;
}

async fn enter(registry: &Registry, slug: &str, secret: &str) {
    let text = json!({ "headers": { "X-Key": secret } }).to_string();
    let change = IntegrationChange { configuration: Some(Some(text)), ..IntegrationChange::default() };
    let slug = Reference::parse(slug);
    registry.update_integration(&registry.operator(), &slug, change, None).await.unwrap();
}

async fn document(t: &TestRegistry, registry: &Registry, slug: &str) -> Value {
    let gateway = t.actor(Role::Gateway, None).await;
    let document = registry.gateway_document(&gateway, "acme", slug).await.unwrap();
    serde_json::from_slice(&document.body).unwrap()
}

async fn keys(registry: &Registry) -> Vec<SealingKeyUse> {
    registry.sealing_keys(&registry.operator()).await.unwrap()
}

on_both! {
    async fn a_new_key_takes_over_while_others_work_and_the_old_one_may_go(t: TestRegistry) {
        t.workspace("acme").await;
        for number in 0..250 {
            with_secret(&t, &format!("server-{number}"), &format!("secret {number}")).await;
        }
        let new = SealingKey::generate().unwrap();
        // First below the old key everywhere, then above it.
        let both = t.process_with_keys(vec![t.key.clone(), new.clone()]).await;
        both.ready().await.unwrap();
        let rotating = t.process_with_keys(vec![new.clone(), t.key.clone()]).await;
        rotating.migrate().await.unwrap();

        // Meanwhile somebody saves through a process that still seals with the old key.
        let writing = async {
            for number in 0..20 {
                enter(&both, &format!("server-{number}"), &format!("changed {number}")).await;
            }
        };
        let operator = rotating.operator();
        let (done, ()) = tokio::join!(rotating.reseal(&operator), writing);
        assert!(done.unwrap().values >= 230);
        // What was saved after the rotation had ended is for the next one.
        rotating.reseal(&rotating.operator()).await.unwrap();
        let used = keys(&rotating).await;
        assert_eq!(used.iter().map(|key| key.values).sum::<u64>(), 250);
        assert!(used.iter().all(|key| key.primary == (key.values == 250) && key.unreadable == 0), "{used:?}");
        assert_eq!(rotating.reseal(&rotating.operator()).await.unwrap().values, 0);

        let without_old = t.process_with_keys(vec![new]).await;
        without_old.migrate().await.unwrap();
        without_old.ready().await.unwrap();
        assert_eq!(document(&t, &without_old, "server-3").await["headers"]["X-Key"], "changed 3");
        assert_eq!(document(&t, &without_old, "server-249").await["headers"]["X-Key"], "secret 249");
        let refused = t.registry.ready().await.unwrap_err().to_string();
        assert!(refused.contains("missing from `sealing`"), "a process with the old key alone: {refused}");

        // One that still seals with the old key saves something late: who lacks that key says so.
        enter(&both, "server-5", "late").await;
        let refused = without_old.ready().await.unwrap_err().to_string();
        assert!(refused.contains("missing from `sealing`"), "{refused}");
        // A row that is damaged holds the others up for nobody.
        enter(&both, "server-6", "damaged").await;
        let db = t.database.connect().await;
        let damaged = "UPDATE sealed_value SET data_key = nonce WHERE owner_id = (SELECT id FROM integration WHERE slug = 'server-6')";
        db.execute_unprepared(damaged).await.unwrap();
        let done = rotating.reseal(&rotating.operator()).await.unwrap();
        assert_eq!((done.values, done.left), (1, 1));
    }
}

on_both! {
    async fn a_lost_key_is_reported_with_what_it_costs_and_can_be_given_up(t: TestRegistry) {
        t.workspace("acme").await;
        with_secret(&t, "linear", "s3cret").await;
        with_secret(&t, "notion", "other").await;
        let fresh = t.process_with_keys(vec![SealingKey::generate().unwrap()]).await;
        let operator = fresh.operator();
        let refused = fresh.migrate().await.unwrap_err().to_string();
        assert!(refused.contains("seal status"), "{refused}");
        assert!(fresh.ready().await.is_err());
        let used = keys(&fresh).await;
        let lost = used.iter().find(|key| !key.present).unwrap();
        assert_eq!((lost.values, lost.unreadable), (2, 2));
        assert_eq!(lost.costs, ["integration linear: enter /headers/X-Key again", "integration notion: enter /headers/X-Key again"]);

        assert!(matches!(fresh.abandon_sealing_key(&operator, "nobody").await, Err(Error::NotFound { .. })));
        let present = t.registry.abandon_sealing_key(&operator, &lost.id).await;
        assert!(matches!(present, Err(Error::Conflict { code: "sealing_key_present", .. })));
        assert_eq!(fresh.abandon_sealing_key(&operator, &lost.id).await.unwrap(), 2);
        fresh.migrate().await.unwrap();
        fresh.ready().await.unwrap();

        // The document says so, holds nothing of the secret, and is whole again once it is entered.
        let found = document(&t, &fresh, "linear").await;
        assert_eq!(found["registration"]["reason"], "sealing_key_missing");
        assert!(!found.to_string().contains("$sealed"), "{found}");
        enter(&fresh, "linear", "again").await;
        assert_eq!(document(&t, &fresh, "linear").await["headers"]["X-Key"], "again");
        assert_eq!(document(&t, &fresh, "notion").await["registration"]["reason"], "sealing_key_missing");
        assert_eq!(fresh.reseal(&operator).await.unwrap().left, 1);
    }
}

on_both! {
    async fn what_is_damaged_costs_one_document_and_no_other(t: TestRegistry) {
        t.workspace("acme").await;
        with_secret(&t, "linear", "s3cret").await;
        with_secret(&t, "notion", "other").await;
        let db = t.database.connect().await;
        let damage = "UPDATE sealed_value SET ciphertext = nonce WHERE owner_id = (SELECT id FROM integration WHERE slug = 'linear')";
        db.execute_unprepared(damage).await.unwrap();
        let gateway = t.actor(Role::Gateway, None).await;
        let page = t.registry.gateway_documents(&gateway, None, 0, 100).await.unwrap();
        assert_eq!(page.documents.len(), 2);
        let found = document(&t, &t.registry, "linear").await;
        assert_eq!(found["registration"]["reason"], "stored_data_damaged");
        assert!(!found.to_string().contains("$sealed"), "{found}");
        assert_eq!(document(&t, &t.registry, "notion").await["headers"]["X-Key"], "other");
        enter(&t.registry, "linear", "again").await;
        assert_eq!(document(&t, &t.registry, "linear").await["headers"]["X-Key"], "again");
    }
}

on_both! {
    async fn keys_are_the_operators_alone(t: TestRegistry) {
        let admin = t.actor(Role::Admin, None).await;
        assert!(matches!(t.registry.sealing_keys(&admin).await, Err(Error::Unauthenticated(_))));
        assert!(matches!(t.registry.reseal(&admin).await, Err(Error::Unauthenticated(_))));
        assert!(matches!(t.registry.abandon_sealing_key(&admin, "k").await, Err(Error::Unauthenticated(_))));
    }
}
