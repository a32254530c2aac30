//! Which addresses of the network may be reached.
//!
//! The rule of addresses has a twin in the mobile channel, for the endpoints of browsers: a plugin depends on neither the
//! server nor its domain, and what both depend on is the contract of plugins, which knows no network. A test holds them
//! together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far calls may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Only addresses of the public internet, on the ports of the web.
    Public,
    /// Any address: the operator says that whoever has an admin key may reach what this machine can.
    Anywhere,
}

impl Reach {
    /// Whether `address` may be connected to.
    pub(crate) fn covers(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Anywhere, _) => true,
            (Self::Public, IpAddr::V4(address)) => is_public_v4(address),
            (Self::Public, IpAddr::V6(address)) => is_public_v6(address),
        }
    }

    /// Whether a port may be connected to.
    pub(crate) fn covers_port(self, port: u16) -> bool {
        self == Self::Anywhere || matches!(port, 80 | 443)
    }
}

/// What the IANA registry of special addresses does not call globally reachable, and multicast: a first address, and
/// how many of its bits count.
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Of `2000::/3`, outside of which nothing is public: protocols, tunnels that carry an IPv4 address, documentation.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];
const UNICAST_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// Where a network without IPv4 puts the IPv4 internet, by RFC 6052.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |(first, len): (Ipv4Addr, u32)| (address.to_bits() ^ first.to_bits()) >> (32 - len) == 0;
    !SPECIAL_V4.into_iter().any(is_in)
}

/// IPv4 in other clothes of IPv6 than these is not public: who means an IPv4 address can say so.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let is_in = |(first, len): (Ipv6Addr, u32)| (address.to_bits() ^ first.to_bits()) >> (128 - len) == 0;
    if is_in(NAT64) {
        return is_public_v4(Ipv4Addr::from_bits(address.to_bits() as u32));
    }
    is_in(UNICAST_V6) && !SPECIAL_V6.into_iter().any(is_in)
}

#[cfg(test)]
mod tests {
    use super::Reach;

    #[track_caller]
    fn check(address: &str, is_public: bool) {
        assert_eq!(Reach::Public.covers(address.parse().unwrap()), is_public, "{address}");
        assert!(Reach::Anywhere.covers(address.parse().unwrap()));
    }

    #[test]
    fn the_public_internet_is_reached() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "64:ff9b::1.1.1.1",
        ] {
            check(address, true);
        }
    }

    #[test]
    fn nothing_inside_is_reached() {
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.19.255.255",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:1.1.1.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ] {
            check(address, false);
        }
    }

    /// The rule itself, from the first block to the tests.
    fn rule(source: &str) -> &str {
        let (_, rest) = source.split_once("/// What the IANA registry").unwrap();
        rest.split_once("#[cfg(test)]").unwrap().0
    }

    #[test]
    fn the_mobile_channel_has_the_same_rule() {
        let twin = include_str!("../../../plugins/channels/mobile/src/http/reach.rs");
        assert_eq!(rule(include_str!("reach.rs")), rule(twin));
    }

    #[test]
    fn the_ports_are_those_of_the_web() {
        assert!([80, 443].into_iter().all(|port| Reach::Public.covers_port(port)));
        assert!(![22, 25, 8080].into_iter().any(|port| Reach::Public.covers_port(port)));
        assert!(Reach::Anywhere.covers_port(8080));
    }
}
