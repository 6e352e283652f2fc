//! Where a request came from, when it came through proxies.

use ipnet::IpNet;
use std::net::IpAddr;
use std::str::FromStr;

/// Proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Those of these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Reads networks in CIDR notation or single addresses; the error is the index of the first that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, usize> {
        let read = |text: &String| {
            let text = text.trim();
            text.parse::<IpNet>().ok().or_else(|| IpAddr::from_str(text).ok().map(IpNet::from))
        };
        let networks = texts.iter().enumerate().map(|(index, text)| read(text).ok_or(index));
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// Whether this is one of them.
    pub fn include(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// Who sent a request that `peer` handed in: going back along the addresses that the proxies noted (each `forwarded`
    /// is one header, its last address the newest), the first that is none of ours. What cannot be read ends the way.
    pub fn sender<'a>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        let mut sender = peer.to_canonical();
        for noted in forwarded.rev().flat_map(|header| header.rsplit(',')) {
            if !self.include(sender) {
                break;
            }
            match IpAddr::from_str(noted.trim()) {
                Ok(address) => sender = address.to_canonical(),
                Err(_) => break,
            }
        }
        sender
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let ours = TrustedProxies::parse(&["10.0.0.0/8".into(), "::1".into()]).unwrap();
        for (peer, forwarded, expected) in [
            ("192.0.2.7", vec![], "192.0.2.7"),
            ("192.0.2.7", vec!["198.51.100.1"], "192.0.2.7"),
            ("10.1.1.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.1.1.1", vec!["198.51.100.1"], "198.51.100.1"),
            // A forged value of the sender precedes the value of the trusted proxy.
            ("10.1.1.1", vec!["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("10.1.1.1", vec!["203.0.113.9", "198.51.100.1,10.2.2.2"], "198.51.100.1"),
            ("10.1.1.1", vec![], "10.1.1.1"),
            ("10.1.1.1", vec!["nonsense"], "10.1.1.1"),
            ("10.1.1.1", vec!["10.3.3.3"], "10.3.3.3"),
            ("::1", vec!["2001:db8::5"], "2001:db8::5"),
        ] {
            let found = ours.sender(peer.parse().unwrap(), forwarded.clone().into_iter());
            assert_eq!(found.to_string(), expected, "{peer} {forwarded:?}");
        }
        assert_eq!(TrustedProxies::parse(&["10.0.0.0/8".into(), "proxy".into()]), Err(1));
        let nobody = TrustedProxies::default();
        assert_eq!(
            nobody.sender("10.1.1.1".parse().unwrap(), ["198.51.100.1"].into_iter()).to_string(),
            "10.1.1.1"
        );
    }
}
