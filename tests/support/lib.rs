//! What all tests share: databases, a clock that is moved by hand, registries, people and gateways at the door.
//!
//! Tests run through `./test`, which starts what they need and says where it is in the environment. What is missing
//! fails loudly: a test never passes because something was not there.

#![expect(clippy::missing_panics_doc, clippy::must_use_candidate, reason = "test support panics to fail")]

mod clock;
mod cluster;
mod database;
pub mod dataset;
mod fake_upstream;
mod fault_proxy;
mod given;
mod http;
mod http_message;
mod identity_provider;
pub mod list_dataset;
mod open_gateway;
mod peers;
mod program;
mod random;
mod registry;
mod statements;
mod tallies;
mod tcp_gate;
mod vault;

pub use clock::TestClock;
pub use cluster::{Cluster, disk_shim, postgres_program};
pub use database::{Engine, TestDatabase, optional_variable};
pub use fake_upstream::{Answer, FakeUpstream, Received, UpstreamScript};
pub use fault_proxy::{Fate, FaultProxy, SeenRegistration};
pub use given::Given;
pub use http::{Client, Replica, Reply, TestServer, follow};
pub use identity_provider::{Behaviour, FakeProvider};
pub use open_gateway::{FakeOpenGateway, OpenGatewayState};
pub use peers::{Peer, generated_client, mcp_client, portkey_sdk, sdk_parsers, walk};
pub use program::{Installation, Serving, end, tell_to_end};
pub use random::Random;
pub use registry::{TestRegistry, actor, claim_one, outside};
pub use statements::{Cost, Explainer, reads, statements};
pub use tallies::tally_differences;
pub use tcp_gate::TcpGate;
pub use vault::{FakeVault, VaultState};
