#![expect(clippy::unwrap_used, reason = "tests")]

mod tables;

use super::*;
use tables::{ADDRESSES, HOSTS, Verdict};

fn policy(allow: &[&str], loopback: bool) -> EgressPolicy {
    EgressPolicy {
        allow: allow.iter().map(|rule| rule.parse().unwrap()).collect(),
        allow_http_loopback: loopback,
    }
}

/// As much as any list can open.
fn everything() -> EgressPolicy {
    let mut rules = vec!["0.0.0.0/0", "::/0", "h.example"];
    let ranges: Vec<String> =
        METADATA.iter().chain(NO_SERVER).map(|range| range.network.to_string()).collect();
    rules.extend(ranges.iter().map(String::as_str));
    rules.extend(METADATA_NAMES);
    policy(&rules, true)
}

fn verdict(text: &str) -> Verdict {
    let [strict, open] = [EgressPolicy::default(), everything()].map(|policy| policy.check_url(text));
    match (strict, open) {
        (Ok(_), Ok(_)) => Verdict::Public,
        (Err(problem @ UrlProblem::Address(AddressProblem::Private(_))), Ok(_)) => {
            assert!(problem.to_string().ends_with("the operator can allow it with `egress.allow`"));
            Verdict::Private
        }
        (Err(UrlProblem::Address(AddressProblem::Never(_))), Err(UrlProblem::Address(problem))) => {
            assert!(problem.to_string().ends_with("is never reached, even with `egress.allow`"));
            Verdict::Never
        }
        (Err(UrlProblem::Invalid), Err(UrlProblem::Invalid)) => Verdict::Invalid,
        (Err(UrlProblem::Userinfo), Err(UrlProblem::Userinfo)) => Verdict::Userinfo,
        other => panic!("{text}: {other:?}"),
    }
}

/// Every address, judged as text of a URL and as what a name led to.
#[test]
fn addresses() {
    for (address, expected) in ADDRESSES.iter().copied() {
        let parsed: IpAddr = address.parse().unwrap();
        let text = match parsed {
            IpAddr::V4(v4) => format!("https://{v4}/mcp"),
            IpAddr::V6(_) => format!("https://[{address}]/mcp"),
        };
        assert_eq!(verdict(&text), expected, "{address}");
        let strict = EgressPolicy::default().judge_address("h.example", parsed);
        assert_eq!(strict.is_ok(), expected == Verdict::Public, "{address}");
        for host in ["h.example", METADATA_NAMES[0]] {
            let open = everything().judge_address(host, parsed);
            assert_eq!(open.is_ok(), host == "h.example" && expected != Verdict::Never, "{host} {address}");
        }
    }
}

#[test]
fn spellings() {
    for (host, expected) in HOSTS {
        for scheme in ["https", "HTTPS"] {
            let text = format!("{scheme}://{host}");
            assert_eq!(verdict(&text), *expected, "{text}");
            if !host.is_empty() {
                assert_eq!(verdict(&format!("{text}/mcp")), *expected, "{text}/mcp");
            }
        }
    }
}

#[test]
fn schemes_fragments_and_repairs() {
    let (plain, open) = (EgressPolicy::default(), policy(&["10.0.0.0/8", "idp.corp"], true));
    for (text, code) in [
        ("https://user:pw@mcp.example.com/mcp", "userinfo_not_allowed"),
        ("https://mcp.example.com/mcp#x", "fragment_not_allowed"),
        ("https://mcp.example.com/mcp#", "fragment_not_allowed"),
        ("ftp://mcp.example.com/", "scheme_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("gopher://mcp.example.com/", "scheme_not_allowed"),
        ("data:text/plain,x", "scheme_not_allowed"),
        ("unix:/run/x", "scheme_not_allowed"),
        ("ws://mcp.example.com/", "scheme_not_allowed"),
        ("wss://mcp.example.com/", "scheme_not_allowed"),
        ("javascript:alert(1)", "scheme_not_allowed"),
        ("http://mcp.example.com/", "scheme_not_allowed"),
        ("http://10.1.2.3/mcp", "scheme_not_allowed"),
        ("http://idp.corp/mcp", "scheme_not_allowed"),
        ("http://localhost.example/mcp", "scheme_not_allowed"),
        ("http://[::ffff:127.0.0.1]/mcp", "scheme_not_allowed"),
        ("http://169.254.169.254/latest", "scheme_not_allowed"),
        ("mcp.example.com", "invalid_url"),
        ("//mcp.example.com/mcp", "invalid_url"),
        ("https:mcp.example.com/mcp", "invalid_url"),
        ("https:/mcp.example.com/mcp", "invalid_url"),
        ("https:///mcp.example.com/mcp", "invalid_url"),
        ("https:\\\\mcp.example.com\\mcp", "invalid_url"),
        (" https://mcp.example.com/mcp", "invalid_url"),
        ("https://mcp.example.com/mcp\r\nX: y", "invalid_url"),
        ("", "invalid_url"),
    ] {
        for policy in [&plain, &open] {
            assert_eq!(policy.check_url(text).unwrap_err().code(), code, "{text}");
        }
    }
    for text in [
        "http://127.0.0.1:8080/mcp",
        "http://127.9.9.9/mcp",
        "http://localhost:8080/mcp",
        "http://mcp.localhost./mcp",
        "http://[::1]:8080/mcp",
        "http://0x7f.1/mcp",
    ] {
        assert_eq!(plain.check_url(text).unwrap_err().code(), "scheme_not_allowed", "{text}");
        assert!(open.check_url(text).is_ok(), "{text}");
    }
    assert!(open.check_url("https://10.1.2.3/mcp").is_ok());
    assert_eq!(open.check_url("https://192.168.1.1/").unwrap_err().code(), "address_not_allowed");
}

#[test]
fn allow_list_opens_listed_addresses() {
    let open = policy(&["10.0.0.0/8", "fd12::/16", "192.168.7.7", "idp.corp", "64:ff9b:1::/48"], false);
    let judge = |host: &str, text: &str| open.judge_address(host, text.parse().unwrap()).is_ok();
    // A network, for every name, in every way that leads there.
    assert!(judge("h", "10.9.8.7") && judge("h", "::ffff:10.9.8.7") && judge("h", "64:ff9b::10.9.8.7"));
    assert!(judge("h", "192.168.7.7") && !judge("h", "192.168.7.8"));
    assert!(judge("h", "fd12::1") && !judge("h", "fd13::1"));
    assert!(!judge("h", "2002:a09:807::1") && !judge("h", "::10.9.8.7"), "these lead elsewhere");
    // A network of translators, but not what it would translate to a cloud's service.
    assert!(judge("h", "64:ff9b:1::10.9.8.7") && !judge("h", "64:ff9b:1::169.254.169.254"));
    // A name, for every address it leads to, but not names below it.
    assert!(judge("IDP.corp", "192.168.0.1") && judge("idp.corp.", "127.0.0.1"));
    assert!(!judge("a.idp.corp", "192.168.0.1") && !judge("idp.corp.evil.example", "192.168.0.1"));
    assert!(!judge("idp.corp", "169.254.169.254") && !judge("idp.corp", "0.0.0.0"));
    // Its own text is judged as its addresses are.
    let here = policy(&["127.0.0.0/8"], false);
    assert!(here.check_url("https://localhost/mcp").is_ok() && here.check_url("http://localhost/").is_err());
    assert!(here.judge_address("localhost", "::1".parse().unwrap()).is_err());
    assert!(policy(&["localhost"], false).check_url("https://localhost./mcp").is_ok());
    assert!(policy(&["localhost"], false).check_url("https://mcp.localhost/mcp").is_err());
}

#[test]
fn loopback_names_resolve_to_loopback() {
    let open = policy(&["0.0.0.0/0", "::/0", "localhost", "mcp.localhost"], true);
    let judge = |host: &str, text: &str| open.judge_address(host, text.parse().unwrap());
    for host in ["localhost", "localhost.", "mcp.localhost", "127.0.0.2", "[::1]"] {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(judge(host, address), Ok(()), "{host} {address}");
        }
        // Plain http is allowed to these names: not to what else they may be said to lead to.
        for address in ["10.0.0.1", "1.1.1.1", "2606:4700::1111"] {
            let elsewhere = AddressProblem::Elsewhere(address.parse().unwrap());
            assert_eq!(judge(host, address), Err(elsewhere), "{host} {address}");
        }
    }
    let here = policy(&[], true).judge_address("rebinding.example", "127.0.0.1".parse().unwrap());
    assert!(here.is_err(), "a name that leads to this machine is not this machine");
}

#[test]
fn egress_rules_are_parsed_strictly() {
    for (text, shown) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 10.1.2.3 ", "10.1.2.3/32"),
        ("fd00::/8", "fd00::/8"),
        ("::1", "::1/128"),
        ("IdP.Corp.", "idp.corp"),
    ] {
        assert_eq!(String::from(text.parse::<AllowRule>().unwrap()), shown, "{text}");
    }
    for text in
        ["", ".", "10.0.0.0/99", "10.0.0", "https://idp.corp", "idp.corp:443", "*.corp", "[::1]", "a b"]
    {
        assert!(text.parse::<AllowRule>().is_err(), "{text}");
    }
    for (text, opens_nothing) in [
        ("169.254.169.254", true),
        ("fd00:ec2::254", true),
        ("Metadata.google.internal", true),
        ("224.0.0.0/8", true),
        ("169.254.0.0/16", false),
        ("idp.corp", false),
    ] {
        assert_eq!(text.parse::<AllowRule>().unwrap().opens_nothing(), opens_nothing, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn ranges_are_refused_in_every_spelling(
        which in 0..PRIVATE.len() + METADATA.len() + NO_SERVER.len(),
        bits: u128,
    ) {
        let range = PRIVATE.iter().chain(METADATA).chain(NO_SERVER).nth(which).unwrap();
        let policy = EgressPolicy::default();
        let (inside, text) = match range.network {
            IpNet::V4(v4) => {
                let host = u32::try_from(bits & u128::from(u32::MAX)).unwrap() & !u32::from(v4.netmask());
                let inside = Ipv4Addr::from(u32::from(v4.network()) | host);
                for prefix in ["::ffff:", "::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::"] {
                    let written: IpAddr = format!("{prefix}{inside}").parse().unwrap();
                    proptest::prop_assert!(policy.judge_address("h.example", written).is_err(), "{written}");
                }
                (IpAddr::V4(inside), format!("https://{:#o}/mcp", u32::from(inside)).replace("0o", "0"))
            }
            IpNet::V6(v6) => {
                let inside = Ipv6Addr::from(u128::from(v6.network()) | (bits & !u128::from(v6.netmask())));
                (IpAddr::V6(inside), format!("https://[{inside}]/mcp"))
            }
        };
        proptest::prop_assert!(range.network.contains(&inside));
        proptest::prop_assert!(policy.judge_address("h.example", inside).is_err(), "{inside}");
        proptest::prop_assert_eq!(policy.check_url(&text).unwrap_err().code(), "address_not_allowed", "{}", text);
    }

    #[test]
    fn blocked_address_is_not_opened_by_any_list(
        which in 0..METADATA.len() + NO_SERVER.len(), bits: u128, length in 0_u8..=32, v6 in 0_u8..=128,
    ) {
        let range = METADATA.iter().chain(NO_SERVER).nth(which).unwrap();
        let inside: IpAddr = match range.network {
            IpNet::V4(v4) => {
                let host = u32::try_from(bits & u128::from(u32::MAX)).unwrap() & !u32::from(v4.netmask());
                Ipv4Addr::from(u32::from(v4.network()) | host).into()
            }
            IpNet::V6(v6) => Ipv6Addr::from(u128::from(v6.network()) | (bits & !u128::from(v6.netmask()))).into(),
        };
        let around = IpNet::new(inside, if inside.is_ipv4() { length } else { v6 }).unwrap();
        let open = policy(&[&around.to_string(), &inside.to_string(), "h.example"], true);
        proptest::prop_assert!(open.judge_address("h.example", inside).is_err(), "{inside} by {around}");
    }

    #[test]
    fn address_check_never_panics(text in ".{0,60}", bits: u128) {
        let _ = EgressPolicy::default().check_url(&text);
        let _ = EgressPolicy::default().check_url(&format!("https://{text}"));
        let _ = everything().judge_address(&text, IpAddr::V6(bits.into()));
    }
}
