//! Real MCP servers and authorization servers that are known by their addresses: what is known of each, and the settings
//! that an admin needs there.
//!
//! * [`KNOWN_SERVERS`] is the only table; `docs/real-servers.md` is generated from it.
//! * [`recognise`] finds the row of an MCP address or an issuer. Hosts are compared by whole labels.
//! * [`Preset`] is a partial Advanced Configuration. Values that only the admin knows are placeholders
//!   ([`crate::metadata::FILL_INS`]); a text that still contains one cannot be saved.

mod identity_providers;
mod place;
mod preset;
mod products;
mod products_by_hand;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

pub use place::Place;
pub use preset::{Applied, Preset};

use crate::oauth::{Discovery, Exchange, issuer_of_document};
use std::sync::LazyLock;
use url::Url;

/// How a server's clients come into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clients {
    /// By dynamic registration (RFC 7591), open to everybody.
    Dynamic,
    /// By dynamic registration, under a condition that the notes name.
    Conditional,
    /// A person registers them at the server.
    ByHand,
    /// By a Client ID Metadata Document.
    Document,
}

impl Clients {
    /// The words on pages and in the documentation.
    pub fn title(self) -> &'static str {
        match self {
            Self::Dynamic => "Dynamic registration",
            Self::Conditional => "Dynamic registration, with conditions",
            Self::ByHand => "Registered by hand",
            Self::Document => "Client ID Metadata Document",
        }
    }
}

/// One thing that is known of a server.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    /// One or two sentences for admins. Text between backticks is code.
    pub text: &'static str,
    /// Where it is from: `owner/repository#number` on GitHub, or an https URL.
    pub sources: &'static [&'static str],
}

impl Note {
    /// Label and URL of each source.
    pub fn links(&self) -> Vec<(String, String)> {
        self.sources.iter().map(|source| link(source)).collect()
    }
}

/// Label and URL of a source.
fn link(source: &str) -> (String, String) {
    if let Some((repository, number)) = source.split_once('#').filter(|_| !source.starts_with("https://")) {
        return (source.to_owned(), format!("https://github.com/{repository}/issues/{number}"));
    }
    let host = Url::parse(source).ok().and_then(|url| url.host_str().map(str::to_owned));
    (host.unwrap_or_else(|| source.to_owned()), source.to_owned())
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct KnownServer {
    /// Stable key: lower-case letters, digits and hyphens.
    pub key: &'static str,
    /// Its name on pages.
    pub name: &'static str,
    /// Its MCP addresses.
    pub mcp: &'static [Place],
    /// Its issuers.
    pub issuers: &'static [Place],
    /// How its clients come into being.
    pub clients: Clients,
    /// What is known.
    pub notes: &'static [Note],
    /// What an admin has to set; `None`: nothing.
    pub preset: Option<Preset>,
}

/// All known servers: products with an MCP server of their own first, then authorization servers. A place may be part of
/// another one; then its row comes first.
pub static KNOWN_SERVERS: LazyLock<Vec<KnownServer>> = LazyLock::new(|| {
    [products::PRODUCTS, products_by_hand::PRODUCTS_BY_HAND, identity_providers::IDENTITY_PROVIDERS].concat()
});

/// The row with this key.
pub fn find(key: &str) -> Option<&'static KnownServer> {
    KNOWN_SERVERS.iter().find(|server| server.key == key)
}

/// The row of an MCP address, else of an issuer. A product is more specific than the authorization server it uses, so
/// `mcp_url` is looked at first. `None`: neither is known, or neither is a URL with a host name.
pub fn recognise(mcp_url: &str, issuer: Option<&str>) -> Option<&'static KnownServer> {
    let at = |url: &str, places: fn(&KnownServer) -> &'static [Place]| {
        let url = Url::parse(url).ok()?;
        KNOWN_SERVERS.iter().find(|server| places(server).iter().any(|place| place.matches(&url)))
    };
    at(mcp_url, |server| server.mcp).or_else(|| at(issuer?, |server| server.issuers))
}

/// The row of an MCP address and of what discovery found there. When discovery failed, the addresses that were asked for
/// metadata of an authorization server name the issuer.
pub fn recognise_found(
    mcp_url: &str,
    discovery: Option<&Discovery>,
    trace: &[Exchange],
) -> Option<&'static KnownServer> {
    let mut found =
        discovery.into_iter().flat_map(|found| [&found.issuer, &found.authorization_server_listed]);
    let asked =
        trace.iter().filter(|one| one.step == "authorization_server").map(|one| issuer_of_document(&one.url));
    recognise(mcp_url, None)
        .or_else(|| found.find_map(|issuer| recognise(mcp_url, Some(issuer))))
        .or_else(|| asked.flatten().find_map(|issuer| recognise(mcp_url, Some(&issuer))))
}
