//! Integrations: the catalogue of upstream MCP servers.
//!
//! An integration is the address of an upstream, how gateways authenticate there, and its Advanced Configuration. Beside
//! create, read, update and delete: drafts (the setup in steps), preflight (discovery and forecast without registering),
//! connection tests, logos, import and export.

pub(crate) mod connection_test;
pub(crate) mod counts;
pub(crate) mod crud;
pub(crate) mod drafts;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod logos;
pub(crate) mod maintenance;
pub(crate) mod preflight;
pub(crate) mod update;

use crate::Registry;

/// Integrations. A view of the application, reached by [`Registry::integrations`].
#[derive(Clone, Copy)]
pub struct Integrations<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Integrations.
    pub fn integrations(&self) -> Integrations<'_> {
        Integrations { registry: self }
    }
}

/// Drafts of integrations: the setup in steps. A view of the application, reached by [`Registry::drafts`].
#[derive(Clone, Copy)]
pub struct Drafts<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Drafts of integrations: the setup in steps.
    pub fn drafts(&self) -> Drafts<'_> {
        Drafts { registry: self }
    }
}

/// Preflight: what would happen at an authorization server, without registering. A view of the application, reached by [`Registry::preflight`].
#[derive(Clone, Copy)]
pub struct Preflights<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Preflight: what would happen at an authorization server, without registering.
    pub fn preflight(&self) -> Preflights<'_> {
        Preflights { registry: self }
    }
}

/// Logos that configurations name. A view of the application, reached by [`Registry::logos`].
#[derive(Clone, Copy)]
pub struct Logos<'a> {
    pub(crate) registry: &'a Registry,
}

impl Registry {
    /// Logos that configurations name.
    pub fn logos(&self) -> Logos<'_> {
        Logos { registry: self }
    }
}
