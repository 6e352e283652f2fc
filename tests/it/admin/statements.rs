//! What pages ask of the database does not grow with what is in it.

use super::Browser;
use registry_core::permission::Role;
use support::dataset::{Dataset, Size};
use support::{Engine, TestServer, statements};

/// Each page with the number of statements it took, on an organisation of `size`.
async fn taken(size: Size) -> Vec<(&'static str, u64)> {
    let t = TestServer::new(Engine::Sqlite).await;
    let dataset = Dataset::seed(&t.inner, size).await;
    let browser = Browser::sign_in(&t).await;
    let gateway = t.client(Role::Admin, None).await;
    let mut taken = Vec::new();
    for asked in dataset.pages() {
        let before = statements();
        let reply = if asked.path.starts_with("/v1") {
            gateway.get(&asked.path).await
        } else {
            browser.get(&asked.path).await
        };
        reply.expect(200);
        taken.push((asked.name, statements() - before));
    }
    taken
}

#[tokio::test]
async fn page_statements_do_not_grow_with_rows() {
    let few = taken(Size { integrations: 3, workspaces: 2, servers: 8, saves: 2 }).await;
    let many = taken(Size { integrations: 20, workspaces: 20, servers: 120, saves: 20 }).await;
    assert!(few.iter().all(|(_, statements)| *statements > 0), "nothing was counted: {few:?}");
    let grown: Vec<_> = few.iter().zip(&many).filter(|(few, many)| many.1 > few.1).collect();
    assert!(grown.is_empty(), "{grown:#?}");
}
