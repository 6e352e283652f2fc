//! Which upstream addresses may be reached (`standards.md` §6.1). Saving judges the text, connecting judges the address.

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
            Ok(Host::Domain(name)) if !undotted(&name).is_empty() => {
                Ok(Self::Host(undotted(&name).to_ascii_lowercase()))
            }
            _ => Err(format!("`{text}` is neither a host name nor a network such as 10.0.0.0/8")),
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
        "a URL here may not hold a user name or password; use `headers` in the Advanced Configuration instead"
    )]
    Userinfo,
    /// `#…`.
    #[error("a URL here may not have a fragment; remove everything from `#` on")]
    Fragment,
    /// A literal address that may not be reached.
    #[error("the address {0} is private or reserved; the operator can allow it with `egress.allow`")]
    Address(IpAddr),
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

/// An address that a name led to and that may not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {0} is private or reserved")]
pub struct AddressProblem(pub IpAddr);

impl EgressPolicy {
    /// Judges a URL by its text, without resolving names.
    pub fn judge_text(&self, text: &str) -> Result<Url, UrlProblem> {
        if text
            .chars()
            .any(|character| character.is_control() || character.is_whitespace() || character == '\\')
        {
            return Err(UrlProblem::Invalid);
        }
        let url = Url::parse(text).map_err(|_| UrlProblem::Invalid)?;
        // The parser repairs `https:host` and `https:///host`; this text is compared and shown as it stands, so it must
        // need no repair.
        if matches!(url.scheme(), "https" | "http")
            && text[url.scheme().len()..].strip_prefix("://").is_none_or(|rest| rest.starts_with('/'))
        {
            return Err(UrlProblem::Invalid);
        }
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(UrlProblem::Scheme(other.to_owned())),
        };
        let host = url.host().ok_or(UrlProblem::Invalid)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlProblem::Userinfo);
        }
        if url.fragment().is_some() {
            return Err(UrlProblem::Fragment);
        }
        let literal = literal(&host);
        let to_this_machine = self.allow_http_loopback && names_loopback(&host);
        if !secure && !to_this_machine {
            return Err(UrlProblem::Scheme("http".to_owned()));
        }
        if let Some(address) = literal {
            self.judge_address(url.host_str().unwrap_or_default(), address)
                .map_err(|problem| UrlProblem::Address(problem.0))?;
        } else if names_loopback(&host) && !self.allow_http_loopback && !self.allows_host("localhost") {
            return Err(UrlProblem::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
        Ok(url)
    }

    /// Judges one address that `host` led to, when connecting.
    pub fn judge_address(&self, host: &str, address: IpAddr) -> Result<(), AddressProblem> {
        let real = unwrapped(address);
        // The metadata service of a cloud hands out the machine's own credentials: no list may open it.
        if is_cloud_metadata(real) || is_cloud_metadata(address) {
            return Err(AddressProblem(address));
        }
        if is_public(real) && is_public_form(address) {
            return Ok(());
        }
        let host = undotted(host.trim_start_matches('[').trim_end_matches(']'));
        let own = real.is_loopback() && self.allow_http_loopback && {
            host.eq_ignore_ascii_case("localhost")
                || host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback())
        };
        let listed = self.allow.iter().any(|rule| match rule {
            AllowRule::Host(name) => name.eq_ignore_ascii_case(host),
            AllowRule::Network(network) => network.contains(&real) || network.contains(&address),
        });
        if own || listed { Ok(()) } else { Err(AddressProblem(address)) }
    }

    fn allows_host(&self, host: &str) -> bool {
        let host = undotted(host);
        self.allow.iter().any(|rule| matches!(rule, AllowRule::Host(name) if name.eq_ignore_ascii_case(host)))
    }
}

/// Whether a URL's host is this machine by its text.
pub fn names_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => undotted(name).eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// A name without the dot that says it is complete: both ways of writing lead to the same place.
fn undotted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    }
}

/// The IPv4 address inside an IPv6 one: mapped, compatible, 6to4 (RFC 3056) or NAT64 (RFC 6052).
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    let segments = v6.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low),
        _ => address,
    }
}

/// Where clouds serve a machine its own identity, clock and names. Some of these look public.
fn is_cloud_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(
            v4.octets(),
            // AWS, Azure, Google and most others; AWS's resolver and clock
            [169, 254, 169, 254 | 253 | 123]
                // AWS: containers (ECS) and pods (EKS)
                | [169, 254, 170, 2 | 23]
                // Tencent
                | [169, 254, 0, 23]
                // Alibaba
                | [100, 100, 100, 200]
                // Oracle
                | [192, 0, 0, 192]
                // Azure's host agent, in public address space
                | [168, 63, 129, 16]
        ),
        IpAddr::V6(v6) => {
            // AWS (metadata, resolver, clock, EKS), Google, Oracle
            matches!(v6.segments(), [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x253 | 0x123 | 0x23])
                || v6 == Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)
                || v6 == Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)
        }
    }
}

/// Forms of writing an IPv4 address in IPv6 that no server on the public internet is reached by.
fn is_public_form(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => {
            v6.to_ipv4_mapped().is_some()
                || (v6.segments()[0] & 0xe000) == 0x2000 && v6.segments()[0] != 0x2002
                || v6.segments()[..2] == [0x64, 0xff9b]
        }
    }
}

/// Whether an address is one of the public internet (IANA special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(a == 0
                || a == 10
                || a == 127
                || (a == 100 && (64..128).contains(&b))
                || (a == 169 && b == 254)
                || (a == 172 && (16..32).contains(&b))
                || (a == 192 && b == 168)
                || (a == 192 && b == 0 && (c == 0 || c == 2))
                || (a == 192 && b == 88 && c == 99)
                || (a == 198 && (b == 18 || b == 19))
                || (a == 198 && b == 51 && c == 100)
                || (a == 203 && b == 0 && c == 113)
                || a >= 224)
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            // Only 2000::/3 is handed out; from it the parts for documentation, benchmarks and tunnels are not.
            (a & 0xe000) == 0x2000
                && !(a == 0x2001 && (b < 0x200 || b == 0xdb8))
                && a != 0x2002
                && !(a == 0x3fff && b < 0x1000)
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn policy(allow: &[&str], loopback: bool) -> EgressPolicy {
        EgressPolicy {
            allow: allow.iter().map(|rule| rule.parse().unwrap()).collect(),
            allow_http_loopback: loopback,
        }
    }

    #[test]
    fn texts_are_judged() {
        let plain = EgressPolicy::default();
        for (text, code) in [
            ("https://user:pw@mcp.example.com/mcp", "userinfo_not_allowed"),
            ("https://mcp.example.com/mcp#x", "fragment_not_allowed"),
            ("ftp://mcp.example.com/", "scheme_not_allowed"),
            ("http://mcp.example.com/", "scheme_not_allowed"),
            ("http://127.0.0.1/", "scheme_not_allowed"),
            ("javascript:alert(1)", "scheme_not_allowed"),
            ("https://10.1.2.3/mcp", "address_not_allowed"),
            ("https://localhost/mcp", "address_not_allowed"),
            ("https://0x7f.1/mcp", "address_not_allowed"),
            ("https://2130706433/mcp", "address_not_allowed"),
            ("https://[::ffff:10.0.0.1]/mcp", "address_not_allowed"),
            ("https://169.254.169.254/latest", "address_not_allowed"),
            ("mcp.example.com", "invalid_url"),
            ("https:mcp.example.com/mcp", "invalid_url"),
            ("https:/mcp.example.com/mcp", "invalid_url"),
            ("https:///mcp.example.com/mcp", "invalid_url"),
            ("https://mcp.example.com\\@10.0.0.1/", "invalid_url"),
            ("https://localhost./mcp", "address_not_allowed"),
            ("https://[::1]/mcp", "address_not_allowed"),
            ("https://0/mcp", "address_not_allowed"),
            ("https://168.63.129.16/", "address_not_allowed"),
            ("https://a b.example/", "invalid_url"),
            ("", "invalid_url"),
        ] {
            assert_eq!(plain.judge_text(text).unwrap_err().code(), code, "{text}");
        }
        assert!(plain.judge_text("https://mcp.linear.app/mcp").is_ok());
        assert!(plain.judge_text("https://1.1.1.1/mcp").is_ok());
        let open = policy(&["10.0.0.0/8", "idp.corp"], true);
        assert!(open.judge_text("http://127.0.0.1:8080/mcp").is_ok());
        assert!(open.judge_text("http://localhost:8080/mcp").is_ok());
        assert!(open.judge_text("https://10.1.2.3/mcp").is_ok());
        assert_eq!(open.judge_text("http://10.1.2.3/mcp").unwrap_err().code(), "scheme_not_allowed");
    }

    #[test]
    fn addresses_are_judged() {
        let refused = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:0a00:0001::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
        ];
        for text in refused {
            assert!(
                EgressPolicy::default().judge_address("h.example", text.parse().unwrap()).is_err(),
                "{text}"
            );
        }
        for text in
            ["1.1.1.1", "172.32.0.1", "172.15.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
        {
            assert!(
                EgressPolicy::default().judge_address("h.example", text.parse().unwrap()).is_ok(),
                "{text}"
            );
        }
        let open = policy(&["169.254.0.0/16", "10.0.0.0/8", "idp.corp"], true);
        let judge = |host: &str, text: &str| open.judge_address(host, text.parse().unwrap()).is_ok();
        assert!(!judge("h", "169.254.169.254") && !judge("idp.corp", "fd00:ec2::254"), "never");
        assert!(
            !judge("idp.corp", "::ffff:169.254.169.254") && !judge("idp.corp", "64:ff9b::169.254.169.254")
        );
        assert!(!judge("idp.corp", "168.63.129.16") && !judge("idp.corp", "fd00:ec2::23"));
        assert!(judge("idp.corp.", "10.9.8.7") && judge("localhost.", "127.0.0.1"));
        assert!(judge("h", "10.9.8.7") && judge("h", "::ffff:10.9.8.7") && judge("IDP.corp", "192.168.0.1"));
        assert!(judge("localhost", "127.0.0.1") && judge("127.0.0.2", "127.0.0.2") && judge("[::1]", "::1"));
        assert!(
            !judge("rebinding.example", "127.0.0.1"),
            "a name that leads to this machine is not this machine"
        );
    }

    /// Every range that `standards.md` §6.1 names.
    const SPECIAL: [&str; 30] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "100::/64",
        "64:ff9b:1::/48",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "64:ff9b::10.0.0.0/104",
        "64:ff9b::192.168.0.0/112",
    ];

    proptest::proptest! {
        #[test]
        fn special_ranges_are_refused_in_every_way_of_writing(which in 0..SPECIAL.len(), bits: u128) {
            let network: IpNet = SPECIAL[which].parse().unwrap();
            let policy = EgressPolicy::default();
            let inside = match network {
                IpNet::V4(v4) => {
                    let host = u32::try_from(bits & u128::from(u32::MAX)).unwrap() & !u32::from(v4.netmask());
                    let inside = Ipv4Addr::from(u32::from(v4.network()) | host);
                    proptest::prop_assert!(
                        policy.judge_address("h.example", inside.to_ipv6_mapped().into()).is_err()
                    );
                    IpAddr::V4(inside)
                }
                IpNet::V6(v6) => {
                    IpAddr::V6((u128::from(v6.network()) | (bits & !u128::from(v6.netmask()))).into())
                }
            };
            proptest::prop_assert!(network.contains(&inside));
            proptest::prop_assert!(policy.judge_address("h.example", inside).is_err(), "{inside}");
            let url = match inside {
                IpAddr::V4(v4) => format!("https://{v4}/mcp"),
                IpAddr::V6(v6) => format!("https://[{v6}]/mcp"),
            };
            proptest::prop_assert_eq!(policy.judge_text(&url).unwrap_err().code(), "address_not_allowed");
        }

        #[test]
        fn judging_never_panics(text in ".{0,60}", bits: u128) {
            let _ = EgressPolicy::default().judge_text(&text);
            let _ = EgressPolicy::default().judge_address(&text, IpAddr::V6(bits.into()));
        }
    }
}
