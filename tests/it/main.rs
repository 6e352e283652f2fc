//! Every test over the whole house, in one binary.

#![expect(clippy::unwrap_used, reason = "tests")]

/// The same test on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($(#[$meta:meta])* async fn $name:ident($test:ident: TestRegistry) $body:block) => {
        mod $name {
            use super::*;
            async fn run($test: TestRegistry) $body
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run(TestRegistry::new(Engine::Sqlite).await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run(TestRegistry::new(Engine::Postgres).await).await;
            }
        }
    };
}

mod admin;
mod api;
mod architecture;
mod crash;
mod documents;
mod faults;
mod fuzzed;
mod gateway;
mod keeping;
mod peers;
mod process;
mod race;
mod registry;
mod wizard;
mod worker;
