//! How much each client may send at once, and how far back what it tells may lie.

mod buckets;

use crate::auth::Scope;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use buckets::Buckets;
use podium_core::time::Timestamp;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Whom proxies say they forward a request for.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How many seconds' worth of evaluations may come at once from one address.
const BURST_S: u32 = 4;
/// Evaluations a second with one key.
const EVALUATIONS_PER_KEY: u32 = 5_000;
const EVALUATIONS_PER_ADDRESS: u32 = 100;
const STREAMS_PER_KEY: usize = 10_000;
const STREAMS_PER_ADDRESS: usize = 100;

/// The least that events are kept and taken, in days.
const RETENTION_DAYS_MIN: u32 = 30;
/// The most: a hundred years.
const RETENTION_DAYS_MAX: u32 = 36_500;

/// What is set up.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LimitArgs {
    /// Requests with events that one address may send in a second with a publishable key.
    #[arg(long, env = "PODIUM_EVENT_RATE_PER_ADDRESS", value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) event_rate_per_address: u32,
    /// How many of them it may send at once.
    #[arg(long, env = "PODIUM_EVENT_BURST_PER_ADDRESS", value_name = "N", default_value_t = 400)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) event_burst_per_address: u32,
    /// Requests with events that may come in a second with one key.
    #[arg(long, env = "PODIUM_EVENT_RATE_PER_KEY", value_name = "N", default_value_t = 5_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) event_rate_per_key: u32,
    /// How many days back an event may lie; older ones are rejected.
    #[arg(long, env = "PODIUM_EVENT_RETENTION_DAYS", value_name = "DAYS", default_value_t = 400)]
    #[arg(value_parser = clap::value_parser!(u32).range(i64::from(RETENTION_DAYS_MIN)..=i64::from(RETENTION_DAYS_MAX)))]
    pub(crate) event_retention_days: u32,
    /// How many evaluations a second one address may ask for with publishable keys, four times that at once.
    #[arg(long, env = "PODIUM_EVALUATIONS_PER_ADDRESS", value_name = "N", default_value_t = EVALUATIONS_PER_ADDRESS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) evaluations_per_address: u32,
    /// How many event streams may be open with one key.
    #[arg(long, env = "PODIUM_STREAMS_PER_KEY", value_name = "N", default_value_t = STREAMS_PER_KEY)]
    pub(crate) streams_per_key: usize,
    /// How many of them from one address.
    #[arg(long, env = "PODIUM_STREAMS_PER_ADDRESS", value_name = "N", default_value_t = STREAMS_PER_ADDRESS)]
    pub(crate) streams_per_address: usize,
    /// A proxy whose `X-Forwarded-For` is believed: an address, or a network such as 10.0.0.0/8; may be repeated.
    #[arg(long, env = "PODIUM_TRUSTED_PROXY", value_name = "NETWORK", value_delimiter = ',')]
    pub(crate) trusted_proxy: Vec<Network>,
}

impl Default for LimitArgs {
    fn default() -> Self {
        Self {
            event_rate_per_address: 100,
            event_burst_per_address: 400,
            event_rate_per_key: 5_000,
            event_retention_days: 400,
            evaluations_per_address: EVALUATIONS_PER_ADDRESS,
            streams_per_key: STREAMS_PER_KEY,
            streams_per_address: STREAMS_PER_ADDRESS,
            trusted_proxy: Vec::new(),
        }
    }
}

impl LimitArgs {
    /// For logs that are read in from a file, however old they are.
    pub(crate) fn for_old_logs() -> Self {
        Self { event_retention_days: RETENTION_DAYS_MAX, ..Self::default() }
    }
}

/// What holds for all requests of shoppers.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Requests with events.
    pub(crate) events: Rates,
    /// Flags that are asked for by typed clients.
    pub(crate) evaluations: Rates,
    proxies: Vec<Network>,
    /// How far back an event may lie, in seconds.
    pub(crate) retention_s: i64,
    /// How many event streams may be open with one key.
    pub(crate) streams_per_key: usize,
    /// How many of them from one address.
    pub(crate) streams_per_address: usize,
}

/// How much may come of one sort of request.
#[derive(Debug)]
pub(crate) struct Rates {
    per_address: Buckets<IpAddr>,
    per_key: Buckets<Box<str>>,
}

impl Rates {
    /// Lets one more request come; else says after how many microseconds the next one may. A publishable key is
    /// everybody's, so each address has a share of its own.
    ///
    /// - `client`: see [`Limits::client`].
    pub(crate) fn admit(
        &self,
        key_id: &str,
        scope: Scope,
        client: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), i64> {
        if let Some(client) = client.filter(|_| scope == Scope::Publishable) {
            self.per_address.take(client, now.as_micros())?;
        }
        self.per_key.take(key_id.into(), now.as_micros())
    }
}

impl Limits {
    /// Takes over what is set up.
    pub(crate) fn new(args: &LimitArgs) -> Self {
        let rates = |rate, burst, per_key| Rates {
            per_address: Buckets::new(rate, burst),
            per_key: Buckets::new(per_key, per_key),
        };
        let evaluations = args.evaluations_per_address;
        Self {
            events: rates(args.event_rate_per_address, args.event_burst_per_address, args.event_rate_per_key),
            evaluations: rates(evaluations, evaluations.saturating_mul(BURST_S), EVALUATIONS_PER_KEY),
            proxies: args.trusted_proxy.clone(),
            retention_s: i64::from(args.event_retention_days) * 86_400,
            streams_per_key: args.streams_per_key,
            streams_per_address: args.streams_per_address,
        }
    }

    /// Who sent a request: its peer, or whom trusted proxies say they forwarded it for; of an IPv6 address the part that
    /// its holder may not choose.
    pub(crate) fn client(&self, http: &HttpRequest) -> Option<IpAddr> {
        let lines = http.headers().get_all(FORWARDED_FOR).filter_map(|line| line.to_str().ok());
        let forwarded: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
        Some(household(self.forwarded_for(http.peer_addr()?.ip(), forwarded.into_iter())))
    }

    /// - `forwarded`: the addresses of `X-Forwarded-For`, the last proxy's word last.
    fn forwarded_for<'a>(
        &self,
        peer: IpAddr,
        mut forwarded: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        while self.proxies.iter().any(|network| network.contains(client)) {
            let Some(said) = forwarded.next_back().and_then(address) else { break };
            client = said;
        }
        client
    }
}

/// An address as proxies write it, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    text.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

/// An IPv6 address with everything that its holder may choose taken out.
fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// Addresses with the same beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u32,
}

/// What is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address such as 10.1.2.3, or a range of them such as 10.0.0.0/8")]
pub(crate) struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(at, prefix)| (at, Some(prefix)));
        let address: IpAddr = address.trim().parse().map_err(|_| NotANetwork)?;
        let n_bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(n_bits), |prefix| prefix.trim().parse().map_err(|_| NotANetwork))?;
        if prefix <= n_bits { Ok(Self { address, prefix }) } else { Err(NotANetwork) }
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_limited_by_a_publishable_key_alone() {
        let args = LimitArgs {
            event_rate_per_address: 1,
            event_burst_per_address: 1,
            event_rate_per_key: 2,
            ..LimitArgs::default()
        };
        let (limits, now) = (Limits::new(&args), Timestamp::default());
        let admit =
            |key, scope, address| limits.events.admit(key, scope, Some(household(ip(address))), now).is_ok();
        assert!(admit("podium_pub_a_x", Scope::Publishable, "2001:db8::1"));
        assert!(!admit("podium_pub_a_x", Scope::Publishable, "2001:db8::2"), "the same household");
        assert!(admit("podium_pub_a_x", Scope::Publishable, "2001:db8:0:1::1"));
        assert!(!admit("podium_pub_a_x", Scope::Publishable, "192.0.2.1"), "the key has had its share");
        let server: Vec<bool> = [0; 3].map(|_| admit("podium_srv_b_x", Scope::Server, "192.0.2.1")).into();
        assert_eq!(server, [true, true, false]);
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let args = LimitArgs {
            trusted_proxy: vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
            ..LimitArgs::default()
        };
        let limits = Limits::new(&args);
        let client = |peer, forwarded: &str| limits.forwarded_for(ip(peer), forwarded.split(','));
        assert_eq!(client("198.51.100.7", "203.0.113.9"), ip("198.51.100.7"), "anyone can write the header");
        assert_eq!(client("10.1.2.3", "203.0.113.9"), ip("203.0.113.9"));
        assert_eq!(client("::ffff:10.1.2.3", "203.0.113.9:4711"), ip("203.0.113.9"));
        assert_eq!(
            client("::1", "192.0.2.6, 203.0.113.9, 10.9.9.9"),
            ip("203.0.113.9"),
            "the last not trusted"
        );
        assert_eq!(client("10.1.2.3", "nobody"), ip("10.1.2.3"));
        assert_eq!(client("10.1.2.3", ""), ip("10.1.2.3"));
    }

    #[test]
    fn a_network_is_an_address_with_a_prefix() {
        let holds = |network: &str, address| network.parse::<Network>().unwrap().contains(ip(address));
        assert!(holds("192.0.2.0/24", "192.0.2.255") && !holds("192.0.2.0/24", "192.0.3.0"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("::/0", "::1") && holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
        for wrong in ["", "192.0.2.0/33", "::/129", "192.0.2.0/x", "shop.example", "192.0.2.0/-1"] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
    }
}
