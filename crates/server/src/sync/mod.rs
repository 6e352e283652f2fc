//! Writes the servers of the registry into gateways that have an admin API of their own, and renders the static
//! configuration of gateways that have none.
//!
//! * [`upstream`]: what a gateway is told of one server, made of the registry's document.
//! * [`mark`]: how this program recognises what it wrote.
//! * [`target`]: what every gateway can do; [`litellm`] and [`context_forge`] are the gateways.
//! * [`plan`] and [`apply`]: what is to be written, and the writing.
//! * [`export`]: static configurations.

pub(crate) mod admin_api;
pub(crate) mod apply;
pub(crate) mod context_forge;
pub(crate) mod export;
pub(crate) mod litellm;
pub(crate) mod mark;
pub(crate) mod plan;
pub(crate) mod target;
pub(crate) mod upstream;

#[cfg(test)]
mod tests;
