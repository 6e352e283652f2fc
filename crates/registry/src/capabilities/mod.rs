//! What upstream MCP servers offer (tools, prompts, resources) and say about themselves, and what integrations and servers
//! allow of it. Gateways tell what they see; an integration can switch a capability off, a server can only narrow further.

mod debounce;
pub(crate) mod disabled;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod look_queue;
mod rows;
pub(crate) mod switch;
pub(crate) mod sync;

use crate::Registry;

pub(crate) use debounce::Debounce;

/// What upstream servers offer and say. A view of the application, reached by [`Registry::capabilities`].
#[derive(Clone, Copy)]
pub struct Capabilities<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// What upstream servers offer and say.
    pub fn capabilities(&self) -> Capabilities<'_> {
        Capabilities { registry: self }
    }
}
