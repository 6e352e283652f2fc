//! REST over a real listener, on both databases.

/// The same test on SQLite and on PostgreSQL, behind a listener.
macro_rules! served_by_both {
    (async fn $name:ident($test:ident: TestServer) $body:block) => {
        mod $name {
            use super::*;
            async fn run($test: TestServer) $body
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run(TestServer::new(Engine::Sqlite).await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run(TestServer::new(Engine::Postgres).await).await;
            }
        }
    };
}

mod authorization;
mod bad_input;
mod document;
mod limits;
mod main_job;
mod preflight;
mod tokens;
