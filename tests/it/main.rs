//! Every test over the whole house, in one binary.

#![expect(clippy::unwrap_used, reason = "tests")]

/// The same test on SQLite and on PostgreSQL, over a `TestRegistry` or a `TestServer` that `new` makes, or the function
/// that is named: `(t: TestServer = following)`.
macro_rules! on_both {
    (async fn $name:ident($test:ident: $type:ident) $body:block) => {
        on_both! { async fn $name($test: $type = new) $body }
    };
    (async fn $name:ident($test:ident: $type:ident = $make:ident) $body:block) => {
        mod $name {
            use super::*;
            async fn run($test: $type) $body
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run($type::$make(Engine::Sqlite).await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                run($type::$make(Engine::Postgres).await).await;
            }
        }
    };
}

/// One test as several, which run side by side: each does the part whose number it gets, `PARTS` says how many there are.
macro_rules! in_parts {
    (async fn $name:ident($part:ident: usize in [$($each:ident = $number:literal),+]) $body:block) => {
        mod $name {
            use super::*;
            const PARTS: usize = [$($number),+].len();
            async fn run($part: usize) $body
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $each() {
                    run($number).await;
                }
            )+
        }
    };
}

mod admin;
mod api;
mod architecture;
mod canary;
mod crash;
mod documents;
mod ending;
mod faults;
mod fuzzed;
mod gateway;
mod keeping;
mod peers;
mod process;
mod race;
mod read_only;
mod registry;
mod wizard;
mod worker;
