//! Everything that is true without a machine: words, rules, defaults, resolution, OAuth documents, the plan of a
//! registration, permissions.
//!
//! This crate must not know tokio, sea-orm, actix, reqwest, files, the environment or the time: whoever calls gives
//! the time and the randomness.
//!
//! A tour in nine lines:
//! * [`metadata`]: the Advanced Configuration: the one table of fields, its check, its resolution over five layers.
//! * [`oauth`]: the documents of RFC 9728, RFC 8414, OpenID Connect Discovery and RFC 7591, and what may be believed in them.
//! * [`registration`]: the states of a registration and [`registration::plan`], which says what to do next.
//! * [`preflight`]: what can be said about a registration before anything is registered.
//! * [`logo`]: whether what a `logo_uri` answers is a picture.
//! * [`egress`]: which addresses may be reached at all.
//! * [`nul`]: a character that not every database can store, wherever input arrives.
//! * [`patch`]: one member of a change: kept, cleared or set.
//! * [`finding`], [`locate`], [`id`], [`slug`], [`permission`], [`clock`], [`backoff`]: the small words everybody uses.

pub mod backoff;
pub mod clock;
mod echo;
pub mod egress;
pub mod finding;
pub mod id;
pub mod locate;
pub mod logo;
pub mod metadata;
pub mod names;
pub mod nul;
pub mod oauth;
pub mod patch;
pub mod permission;
pub mod preflight;
pub mod proxies;
pub mod registration;
pub mod secret;
pub mod slug;
