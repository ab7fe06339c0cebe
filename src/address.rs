//! Where a request came from: the peer, or whom a trusted proxy names. Limits and the log go by it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

/// Addresses with a common start: `10.0.0.0/8`, `fd00::/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    start: IpAddr,
    bits: u8,
}

impl Network {
    /// `None`: not a network in CIDR.
    pub fn parse(text: &str) -> Option<Self> {
        let (start, bits) = match text.trim().split_once('/') {
            Some((start, bits)) => (start, Some(bits.parse::<u8>().ok()?)),
            None => (text.trim(), None),
        };
        let start: IpAddr = start.parse().ok()?;
        // Addresses are compared as what they stand for; a network of mapped ones (`::ffff:…`) would hold none.
        if start != start.to_canonical() {
            return None;
        }
        let longest = if start.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(longest);
        (bits <= longest).then_some(Self { start, bits })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let (start, address, width) = match (self.start, address.to_canonical()) {
            (IpAddr::V4(start), IpAddr::V4(address)) => {
                (u128::from(u32::from(start)), u128::from(u32::from(address)), 32)
            }
            (IpAddr::V6(start), IpAddr::V6(address)) => (u128::from(start), u128::from(address), 128),
            _ => return false,
        };
        // A shift by the whole width would overflow; a network of no bits holds everything.
        (start ^ address)
            .checked_shr(width - u32::from(self.bits))
            .unwrap_or(0)
            == 0
    }
}

/// Who asks: the peer, or, as far as trusted proxies vouch for it, whom `X-Forwarded-For` names. Each proxy appends
/// its caller, so the list is read from its end, and what stands before the first stranger is hearsay.
pub fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[Network]) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(behind(peer.ip(), headers, trusted))
}

fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let lists: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|list| list.to_str().ok())
        .collect();
    let mut asks = peer.to_canonical();
    for named in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        if !is_trusted(asks) {
            break;
        }
        match read(named.trim()) {
            Some(address) => asks = address.to_canonical(),
            None => break,
        }
    }
    asks
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Under what an address is counted. Whoever has one IPv6 address has the other 2^64 of its network as well.
pub fn counted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from(u128::from(address) >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, named: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in named {
            headers.append("x-forwarded-for", list.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        behind(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_names_its_caller() {
        for peer in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.9",
            "100.64.0.1",
            "::1",
            "fd00::1",
        ] {
            assert_eq!(from(peer, &["9.9.9.9"], &[]), peer);
        }
        let near = &["127.0.0.0/8", "100.64.0.0/10"];
        for (peer, named, asks) in [
            ("127.0.0.1", &["9.9.9.9"][..], "9.9.9.9"),
            ("::ffff:127.0.0.1", &["9.9.9.9"], "9.9.9.9"),
            ("127.0.0.1", &["6.6.6.6, 9.9.9.9"], "9.9.9.9"),
            ("127.0.0.1", &["6.6.6.6, 9.9.9.9, 100.64.3.4"], "9.9.9.9"),
            ("127.0.0.1", &["6.6.6.6", "9.9.9.9"], "9.9.9.9"),
            ("127.0.0.1", &["9.9.9.9:4711"], "9.9.9.9"),
            ("127.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", &["::ffff:9.9.9.9"], "9.9.9.9"),
            ("127.0.0.1", &["9.9.9.9, unknown"], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("8.8.8.8", &["9.9.9.9"], "8.8.8.8"),
            ("100.128.0.1", &["9.9.9.9"], "100.128.0.1"),
        ] {
            assert_eq!(from(peer, named, near), asks, "{peer} {named:?}");
        }
    }

    #[test]
    fn networks_are_read_and_hold_their_own() {
        for (text, address, holds) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe80::1", false),
        ] {
            let network = Network::parse(text).unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                holds,
                "{text} {address}"
            );
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "proxy"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let counted = |text: &str| counted(text.parse().unwrap());
        assert_eq!(counted("2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
        assert_eq!(counted("2001:db8:1:2:ffff::"), "2001:db8:1:2::/64");
        assert_eq!(counted("::ffff:9.9.9.9"), "9.9.9.9");
    }
}
