//! Every test of the whole product, in one binary.

#![expect(clippy::unwrap_used, reason = "tests")]

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
mod cli;
mod field;
mod gateway;
mod meta;
mod peers;
mod registry;
mod resilience;
mod secret_leaks;
mod worker;
