//! What an address is: of the public internet, private, or one that is never reached. The tables are what
//! `docs/egress.md` shows.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network and what it is for.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The network.
    pub network: IpNet,
    /// What it is for, in a few words.
    pub what: &'static str,
}

const fn v4(octets: [u8; 4], length: u8, what: &'static str) -> Range {
    let [a, b, c, d] = octets;
    Range { network: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)), what }
}

const fn v6(segments: [u16; 8], length: u8, what: &'static str) -> Range {
    Range { network: IpNet::V6(Ipv6Net::new_assert(from_segments(segments), length)), what }
}

/// `Ipv6Addr::from` that can be used in a constant.
const fn from_segments(s: [u16; 8]) -> Ipv6Addr {
    Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])
}

/// Where clouds serve a machine its own identity, clock and names. Some of these look public. No list opens them: what
/// answers there hands out the credentials of the machine that asks.
pub const METADATA: &[Range] = &[
    v4([169, 254, 169, 0], 24, "metadata, clock and names of AWS, Azure, Google, Oracle and most others"),
    v4([169, 254, 170, 0], 24, "credentials of containers and pods (AWS)"),
    v4([169, 254, 0, 23], 32, "metadata (Tencent)"),
    v4([169, 254, 42, 42], 32, "metadata (Scaleway)"),
    v4([100, 100, 100, 200], 32, "metadata (Alibaba)"),
    v4([192, 0, 0, 192], 32, "metadata (Oracle, older)"),
    v4([168, 63, 129, 16], 32, "host agent (Azure), in public address space"),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 64, "metadata, clock, names and pods (AWS)"),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0], 64, "metadata (Google)"),
    v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128, "metadata (Oracle)"),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128, "metadata (Scaleway)"),
    v6([0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1], 128, "metadata (Akamai)"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128, "metadata (OpenStack)"),
];

/// Names of the same services, always refused.
pub const METADATA_NAMES: &[&str] = &[
    "metadata.google.internal",
    "metadata.goog",
    "metadata.tencentyun.com",
    "metadata.azure.internal",
    "metadata.platformequinix.com",
    "instance-data.ec2.internal",
];

/// What no server has: an operating system may take it for the machine itself, or for many. No list opens it.
pub const NO_SERVER: &[Range] = &[
    v4([0, 0, 0, 0], 8, "this network (RFC 791)"),
    v4([224, 0, 0, 0], 4, "multicast (RFC 1112)"),
    v4([255, 255, 255, 255], 32, "broadcast (RFC 919)"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified (RFC 4291)"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast (RFC 4291)"),
];

/// Private and reserved (IANA special-purpose address registries, RFC 6890): refused unless the operator allows it. In
/// IPv6 everything outside [`HANDED_OUT`] is refused as well, listed or not.
pub const PRIVATE: &[Range] = &[
    v4([10, 0, 0, 0], 8, "private (RFC 1918)"),
    v4([100, 64, 0, 0], 10, "carriers' networks (RFC 6598)"),
    v4([127, 0, 0, 0], 8, "this machine (RFC 1122)"),
    v4([169, 254, 0, 0], 16, "this link (RFC 3927)"),
    v4([172, 16, 0, 0], 12, "private (RFC 1918)"),
    v4([192, 0, 0, 0], 24, "protocols' own (RFC 6890)"),
    v4([192, 0, 2, 0], 24, "documentation (RFC 5737)"),
    v4([192, 88, 99, 0], 24, "6to4 relays (RFC 7526)"),
    v4([192, 168, 0, 0], 16, "private (RFC 1918)"),
    v4([198, 18, 0, 0], 15, "benchmarks (RFC 2544)"),
    v4([198, 51, 100, 0], 24, "documentation (RFC 5737)"),
    v4([203, 0, 113, 0], 24, "documentation (RFC 5737)"),
    v4([240, 0, 0, 0], 4, "reserved (RFC 1112)"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "this machine (RFC 4291)"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible (RFC 4291)"),
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, "IPv4-translated (RFC 2765)"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "NAT64 of a network's own (RFC 8215)"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discarded (RFC 6666)"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "protocols' own, Teredo among them (RFC 2928, RFC 4380)"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation (RFC 3849)"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4 (RFC 3056)"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation (RFC 9637)"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing (RFC 9602)"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private (RFC 4193)"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "this link (RFC 4291)"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "sites, given up (RFC 3879)"),
];

/// The only part of IPv6 that is handed out (RFC 4291 §2.4).
pub const HANDED_OUT: Ipv6Net = Ipv6Net::new_assert(from_segments([0x2000, 0, 0, 0, 0, 0, 0, 0]), 3);

/// NAT64's well-known prefix (RFC 6052 §2.1): a gateway turns these into the IPv4 addresses at their ends.
const NAT64: Ipv6Net = Ipv6Net::new_assert(from_segments([0x64, 0xff9b, 0, 0, 0, 0, 0, 0]), 96);

/// How an address is to be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Reachable for all users.
    Public,
    /// Refused unless allowed.
    Private,
    /// Always refused.
    Never,
}

/// The class of `address`, in any notation.
pub(super) fn reach(address: IpAddr) -> Reach {
    let real = routed(address);
    let inside = embedded(real);
    if [METADATA, NO_SERVER].into_iter().any(|table| is_in(table, real))
        || inside.iter().any(|one| is_in(METADATA, *one))
    {
        return Reach::Never;
    }
    let handed_out = match real {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) => HANDED_OUT.contains(&v6),
    };
    let public = |one: IpAddr| !is_in(PRIVATE, one) && !is_in(NO_SERVER, one);
    if handed_out && public(real) && inside.into_iter().all(public) { Reach::Public } else { Reach::Private }
}

/// The address that packets really go to: of an IPv4-mapped or NAT64 address, the IPv4 one.
pub(super) fn routed(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., high, low] = v6.segments();
            joined(high, low)
        }
        _ => address.to_canonical(),
    }
}

/// Every IPv4 address that a tunnel or translator could read in an IPv6 one.
fn embedded(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = address else { return Vec::new() };
    let octets = v6.octets();
    let at = |places: [usize; 4]| IpAddr::from(places.map(|place| octets[place]));
    match v6.segments() {
        // `::` and `::1` are special addresses
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Vec::new(),
        // NAT64 of a network's own: the prefix is 48, 56, 64 or 96 bits long (RFC 6052 §2.2)
        [0x64, 0xff9b, 1, ..] => {
            vec![at([6, 7, 9, 10]), at([7, 9, 10, 11]), at([9, 10, 11, 12]), at([12, 13, 14, 15])]
        }
        // 6to4
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        // Teredo: the server, and the client behind it, inverted (RFC 4380 §4)
        [0x2001, 0, .., high, low] => {
            vec![at([4, 5, 6, 7]), joined(!high, !low)]
        }
        // IPv4-compatible, IPv4-translated, ISATAP (RFC 5214 §6.1)
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] | [_, _, _, _, 0 | 0x200, 0x5efe, ..] => vec![at([12, 13, 14, 15])],
        _ => Vec::new(),
    }
}

fn joined(high: u16, low: u16) -> IpAddr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into()
}

fn is_in(table: &[Range], address: IpAddr) -> bool {
    table.iter().any(|range| range.network.contains(&address))
}

/// Whether all of `network` is never reached, so that to allow it opens nothing.
pub(super) fn is_never(network: &IpNet) -> bool {
    METADATA.iter().chain(NO_SERVER).any(|range| range.network.contains(network))
}
