//! The pure domain: types, rules, defaults, resolution, OAuth documents, the plan of a
//! registration, permissions.
//!
//! This crate must not know tokio, sea-orm, actix, reqwest, files, the environment or the time: the caller gives
//! the time and the randomness.
//!
//! Overview:
//! * [`metadata`]: the Advanced Configuration: the one table of fields, its check, its resolution over five layers.
//! * [`oauth`]: the documents of RFC 9728, RFC 8414, OpenID Connect Discovery and RFC 7591, and how they are validated.
//! * [`registration`]: the states of a registration and [`registration::plan`], which says what to do next.
//! * [`preflight`]: forecasts and warnings before a client is registered.
//! * [`known_servers`]: real servers that are known by their addresses, and the settings they need.
//! * [`capability`], [`server_info`]: what an MCP server offers, and what it says about itself.
//! * [`logo`]: whether the response of a `logo_uri` is an image.
//! * [`egress`]: which addresses may be reached.
//! * [`examples`]: the configurations that the documentation shows.
//! * [`nul`]: a character that not every database can store.
//! * [`finding`], [`locate`], [`id`], [`slug`], [`permission`], [`clock`], [`backoff`]: small shared types.

pub mod backoff;
pub mod capability;
mod character;
pub mod clock;
mod echo;
pub mod egress;
pub mod examples;
pub mod finding;
pub mod id;
pub mod known_servers;
pub mod locate;
pub mod logo;
pub mod metadata;
pub mod names;
pub mod nul;
pub mod oauth;
pub mod origin;
pub mod patch;
pub mod permission;
mod plain_name;
pub mod preflight;
pub mod proxies;
pub mod registration;
pub mod rollout;
pub mod secret;
pub mod server_info;
pub mod slug;
pub mod url_text;
mod words;
