//! Which upstream addresses may be reached (INV-9). Saving judges the text, connecting judges the address.

mod address;

pub use address::{HANDED_OUT, METADATA, METADATA_NAMES, NO_SERVER, PRIVATE, Range};

use address::{Reach, reach, routed};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use url::{Host, Url};

/// What the operator allows beyond public addresses. From the configuration's `egress` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgressPolicy {
    /// Hosts and networks that may be reached although private.
    pub allow: Vec<AllowRule>,
    /// Whether plain http to this machine is allowed: for development and tests.
    pub allow_http_loopback: bool,
}

/// One allowed host name or network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AllowRule {
    /// A host name, compared without case.
    Host(String),
    /// A network in CIDR notation; a single address is a network of one.
    Network(IpNet),
}

impl FromStr for AllowRule {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        match Host::parse(text) {
            // A star would be compared like any other character and match nothing.
            Ok(Host::Domain(name)) if !undotted(&name).is_empty() && !name.contains('*') => {
                Ok(Self::Host(undotted(&name).to_ascii_lowercase()))
            }
            _ => Err(format!("`{text}` is neither a host name nor a network such as 10.0.0.0/8")),
        }
    }
}

impl AllowRule {
    /// Whether it opens nothing, because all it names is never reached.
    pub fn opens_nothing(&self) -> bool {
        match self {
            Self::Host(name) => is_metadata_name(name),
            Self::Network(network) => address::is_never(network),
        }
    }
}

impl TryFrom<String> for AllowRule {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AllowRule> for String {
    fn from(rule: AllowRule) -> Self {
        match rule {
            AllowRule::Host(name) => name,
            AllowRule::Network(network) => network.to_string(),
        }
    }
}

/// What is wrong with a URL, judged by its text. `Display` says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// Not an absolute URL with a host.
    #[error("this is not an absolute URL; write one such as \"https://mcp.example.com/mcp\"")]
    Invalid,
    /// Another scheme than https, or http where that is not allowed.
    #[error(
        "`{0}` is not allowed here; use https (plain http only to this machine, where the operator set `egress.allow_http_loopback`)"
    )]
    Scheme(String),
    /// `user:password@`.
    #[error(
        "this URL must not contain a user name or password; use `headers` in the Advanced Configuration instead"
    )]
    Userinfo,
    /// `#…`.
    #[error("a URL here may not have a fragment; remove everything from `#` on")]
    Fragment,
    /// A literal address, or a name of this machine, that may not be reached.
    #[error("{0}")]
    Address(#[from] AddressProblem),
}

impl UrlProblem {
    /// Stable code of the finding.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "invalid_url",
            Self::Scheme(_) => "scheme_not_allowed",
            Self::Userinfo => "userinfo_not_allowed",
            Self::Fragment => "fragment_not_allowed",
            Self::Address(_) => "address_not_allowed",
        }
    }
}

/// Why an address may not be reached. `Display` says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// Private or reserved.
    #[error("the address {0} is private or reserved; the operator can allow it with `egress.allow`")]
    Private(IpAddr),
    /// [`METADATA`], [`METADATA_NAMES`] or [`NO_SERVER`].
    #[error(
        "{0} is a cloud metadata service or not a server address, and is never reached, even with `egress.allow`"
    )]
    Never(String),
    /// Allowed, but not for the integration at hand.
    #[error(
        "the address {0} is private; `egress.allow` opens it only for integrations whose own address it opens too, so no public server leads there"
    )]
    NotForThis(IpAddr),
    /// A name of this machine that leads elsewhere.
    #[error("a name of this machine resolves to {0}, which is not this machine")]
    Elsewhere(IpAddr),
}

impl EgressPolicy {
    /// Judges a URL by its text, without resolving names.
    pub fn check_url(&self, text: &str) -> Result<Url, UrlProblem> {
        self.check_url_within(text, &Scope::Everything)
    }

    /// As [`Self::check_url`], for what an integration of this scope leads to.
    pub fn check_url_within(&self, text: &str, scope: &Scope) -> Result<Url, UrlProblem> {
        if text
            .chars()
            .any(|character| character.is_control() || character.is_whitespace() || character == '\\')
        {
            return Err(UrlProblem::Invalid);
        }
        let url = Url::parse(text).map_err(|_| UrlProblem::Invalid)?;
        // The parser repairs `https:host`, `https:///host` and `https://:@host`; this text is compared and shown as it
        // stands, so it must need no repair.
        if matches!(url.scheme(), "https" | "http") {
            let rest = text[url.scheme().len()..].strip_prefix("://").filter(|rest| !rest.starts_with('/'));
            let authority = rest.ok_or(UrlProblem::Invalid)?.split(['/', '?', '#']).next();
            if authority.is_some_and(|authority| authority.contains('@')) {
                return Err(UrlProblem::Userinfo);
            }
        }
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(UrlProblem::Scheme(other.to_owned())),
        };
        let host = url.host().ok_or(UrlProblem::Invalid)?;
        if url.fragment().is_some() {
            return Err(UrlProblem::Fragment);
        }
        let loopback = names_loopback(&host);
        let plain_allowed = self.allow_http_loopback && loopback;
        if !secure && !plain_allowed {
            return Err(UrlProblem::Scheme("http".to_owned()));
        }
        let text = url.host_str().unwrap_or_default();
        match host {
            Host::Ipv4(address) => self.check_address_within(text, address.into(), scope)?,
            Host::Ipv6(address) => self.check_address_within(text, address.into(), scope)?,
            Host::Domain(name) if is_metadata_name(name) => {
                return Err(AddressProblem::Never(undotted(name).to_owned()).into());
            }
            // Its target is known without a lookup.
            Host::Domain(_) if loopback => {
                let first = self.check_address_within(text, Ipv4Addr::LOCALHOST.into(), scope);
                first.or_else(|problem| {
                    self.check_address_within(text, Ipv6Addr::LOCALHOST.into(), scope).map_err(|_| problem)
                })?;
            }
            Host::Domain(_) => {}
        }
        Ok(url)
    }

    /// Judges one address that `host` led to, when connecting.
    pub fn judge_address(&self, host: &str, address: IpAddr) -> Result<(), AddressProblem> {
        self.check_address_within(host, address, &Scope::Everything)
    }

    /// As [`Self::judge_address`], for what an integration of this scope leads to.
    pub fn check_address_within(
        &self,
        host: &str,
        address: IpAddr,
        scope: &Scope,
    ) -> Result<(), AddressProblem> {
        let loopback = Host::parse(host).is_ok_and(|host| names_loopback(&borrowed(&host)));
        let host = undotted(host.trim_start_matches('[').trim_end_matches(']'));
        let real = routed(address);
        if is_metadata_name(host) {
            return Err(AddressProblem::Never(host.to_owned()));
        }
        let reach = reach(address);
        if reach == Reach::Never {
            return Err(AddressProblem::Never(address.to_string()));
        }
        // Such names may be reached over plain http: what they lead to must not leave the machine.
        if loopback && !real.is_loopback() {
            return Err(AddressProblem::Elsewhere(address));
        }
        let own = self.allow_http_loopback && loopback;
        if reach == Reach::Public || own {
            return Ok(());
        }
        match (self.lists(host, address), scope.includes(host)) {
            (true, true) => Ok(()),
            (true, false) => Err(AddressProblem::NotForThis(address)),
            (false, _) => Err(AddressProblem::Private(address)),
        }
    }

    /// Whether an entry of the list names this host, or a network of this address.
    fn lists(&self, host: &str, address: IpAddr) -> bool {
        let real = routed(address);
        self.allow.iter().any(|rule| match rule {
            AllowRule::Host(name) => name.eq_ignore_ascii_case(host),
            AllowRule::Network(network) => network.contains(&real) || network.contains(&address),
        })
    }

    /// Whether a connection to `host` that went to `address` was possible only because the list opens it.
    pub fn is_opened(&self, host: &str, address: IpAddr) -> bool {
        let host = undotted(host.trim_start_matches('[').trim_end_matches(']'));
        reach(address) == Reach::Private && self.lists(host, address)
    }

    /// The scope of an integration as far as its texts tell: `url` is its own address, `entered` are those that an admin
    /// entered beside it. A name that only a network of the list opens is known when it has been connected to.
    pub fn scope_by_text<'a>(&self, url: &'a str, entered: impl IntoIterator<Item = &'a str>) -> Scope {
        let host_of = |url: &str| Url::parse(url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
        let opened = match host_of(url) {
            Some(Host::Domain(name)) => {
                let name = undotted(&name);
                self.allow
                    .iter()
                    .any(|rule| matches!(rule, AllowRule::Host(host) if host.eq_ignore_ascii_case(name)))
            }
            Some(Host::Ipv4(address)) => self.is_opened("", address.into()),
            Some(Host::Ipv6(address)) => self.is_opened("", address.into()),
            None => false,
        };
        if opened {
            return Scope::Everything;
        }
        let mut hosts: Vec<String> = std::iter::once(url)
            .chain(entered)
            .filter_map(host_of)
            .map(|host| {
                undotted(host.to_string().trim_start_matches('[').trim_end_matches(']')).to_ascii_lowercase()
            })
            .collect();
        hosts.sort();
        hosts.dedup();
        Scope::Hosts(hosts)
    }
}

/// For which hosts `egress.allow` counts. An integration in the operator's network may lead anywhere in the list; a public
/// one leads to public addresses alone, so that untrusted metadata cannot reach internal addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole list counts: the integration's own address is one that the list opens.
    Everything,
    /// It counts for these hosts alone: those that an admin entered.
    Hosts(Vec<String>),
}

impl Scope {
    /// Whether `egress.allow` counts for this host.
    pub fn includes(&self, host: &str) -> bool {
        let host = undotted(host.trim_start_matches('[').trim_end_matches(']'));
        match self {
            Self::Everything => true,
            Self::Hosts(hosts) => hosts.iter().any(|one| one.eq_ignore_ascii_case(host)),
        }
    }
}

/// Whether a URL's host is this machine by its text: a loopback address, `localhost`, or a name under it (RFC 6761 §6.3).
pub fn names_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            undotted(name).rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// A name without the dot that says it is complete: both ways of writing lead to the same place.
fn undotted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_metadata_name(name: &str) -> bool {
    METADATA_NAMES.iter().any(|one| one.eq_ignore_ascii_case(undotted(name)))
}

fn borrowed(host: &Host) -> Host<&str> {
    match host {
        Host::Domain(name) => Host::Domain(name),
        Host::Ipv4(address) => Host::Ipv4(*address),
        Host::Ipv6(address) => Host::Ipv6(*address),
    }
}

#[cfg(test)]
mod tests;
