//! Clients that generators make of the OpenAPI document compile, and make real calls.

use registry_core::permission::Role;
use rstest::rstest;
use support::{Engine, TestServer, generated_client};

#[rstest]
#[case("openapi-typescript")]
#[case("hey-api")]
#[case("typescript-axios")]
#[case("openapi-python-client")]
#[case("python")]
#[case("go")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_client_compiles_and_makes_real_calls(#[case] generator: &str) {
    let t = TestServer::new(Engine::Sqlite).await;
    let key = t.key(Role::Admin, None).await;
    generated_client(generator, &t.url, &key).await;
}
