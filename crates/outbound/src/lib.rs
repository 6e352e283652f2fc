//! The only code that opens outgoing connections to addresses learnt from upstreams or typed by API users.
//!
//! This crate must not know the registry, sea-orm, actix or askama.
//!
//! A tour in seven lines:
//! * [`Guarded`] is the one client: names resolved once, every address judged, connection pinned, time and size capped.
//! * [`discover`] finds a server's authorization server: probe, RFC 9728, RFC 8414 or OpenID Connect Discovery.
//! * [`register`] sends one registration (RFC 7591) and tells "refused", "not sent" and "answer lost" apart.
//! * [`read`], [`update`] and [`delete`] manage a client (RFC 7592); [`self_check`] reads a published document.
//! * [`probe`] only sees whether an MCP server answers; [`fetch_logo`] fetches the picture people see at consent.
//! * [`Operator`] asks the operator's own parties, whose addresses the configuration names.
//! * What was asked and answered comes back as [`registry_core::oauth::Exchange`]s, without secrets.

mod answer;
mod client_id_document;
mod discovery;
mod fetch;
mod guard;
mod limits;
mod logo;
mod management;
mod operator;
mod probe;
mod reach;
mod registration;
mod resolve;
mod time;
mod trouble;
mod url_text;

pub use client_id_document::{SelfCheckOutcome, self_check};
pub use discovery::{DiscoverOutcome, DiscoverTarget, Gate, Paths, discover, discover_through};
pub use guard::Guarded;
pub use limits::{Limits, MOST_ANSWER, MOST_HEADERS, MOST_METADATA, MOST_OF_A_REFUSAL, MOST_REDIRECTS};
pub use logo::{Unpictured, fetch_logo};
pub use management::{DeleteOutcome, ManageOutcome, delete, read, update};
pub use operator::{Operator, OperatorAnswer, judge_operator_url};
pub use probe::{ProbeOutcome, probe};
pub use reach::reach;
pub use registration::{RegisterOutcome, register};
pub use resolve::{Addresses, Lookup};
pub use url_text::shown;
