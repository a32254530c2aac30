//! How much each client may send at once, and how far back what it tells may lie.

use crate::auth::{self, Scope};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Clients that are remembered. Whoever comes when there is no room is let in: only the limit of its key holds then.
const CLIENTS_MAX: usize = 100_000;
/// How often clients are looked through for those that have been quiet.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

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

/// What holds for all requests with events.
#[derive(Debug)]
pub(crate) struct Limits {
    per_address: Buckets<IpAddr>,
    per_key: Buckets<Box<str>>,
    proxies: Vec<Network>,
    /// How far back an event may lie, in seconds.
    pub(crate) retention_s: i64,
}

impl Limits {
    /// Takes over what is set up.
    pub(crate) fn new(args: &LimitArgs) -> Self {
        Self {
            per_address: Buckets::new(args.event_rate_per_address, args.event_burst_per_address),
            per_key: Buckets::new(args.event_rate_per_key, args.event_rate_per_key),
            proxies: args.trusted_proxy.clone(),
            retention_s: i64::from(args.event_retention_days) * 86_400,
        }
    }

    /// Whether one more request may come. A publishable key is everybody's, so each address has a share of its own.
    pub(crate) fn admit(&self, key: &str, scope: Scope, address: Option<IpAddr>, now: Instant) -> bool {
        let is_public = scope == Scope::Publishable;
        let address = address.filter(|_| is_public);
        address.is_none_or(|address| self.per_address.take(household(address), now))
            && self.per_key.take(auth::id(key).unwrap_or_default().into(), now)
    }

    /// Who sent a request: its peer, or whom trusted proxies say they forwarded it for.
    ///
    /// - `forwarded`: the addresses of `X-Forwarded-For`, the last proxy's word last.
    pub(crate) fn client<'a>(
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

/// A bucket of tokens for each client. Only the moment at which a bucket is full again is kept, and of a full bucket nothing.
#[derive(Debug)]
struct Buckets<K> {
    /// How long one token takes to come back.
    each: Duration,
    /// How long a whole bucket takes.
    all: Duration,
    full_at: Mutex<FullAt<K>>,
}

#[derive(Debug)]
struct FullAt<K> {
    clients: HashMap<K, Instant>,
    swept_at: Option<Instant>,
}

impl<K: Hash + Eq> Buckets<K> {
    /// - `rate`: tokens that come back in a second, at least 1.
    /// - `burst`: tokens that a bucket holds, at least 1.
    fn new(rate: u32, burst: u32) -> Self {
        let each = Duration::from_secs(1) / rate.max(1);
        let full_at = FullAt { clients: HashMap::new(), swept_at: None };
        Self { each, all: each * burst.max(1), full_at: Mutex::new(full_at) }
    }

    /// Takes a token, if there is one.
    fn take(&self, client: K, now: Instant) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full) = full_at.clients.get_mut(&client) {
            let next = (*full).max(now) + self.each;
            let is_there = next <= now + self.all;
            if is_there {
                *full = next;
            }
            return is_there;
        }
        full_at.make_room(now);
        if full_at.clients.len() < CLIENTS_MAX {
            full_at.clients.insert(client, now + self.each);
        }
        true
    }
}

impl<K: Hash + Eq> FullAt<K> {
    /// Forgets those whose bucket is full, if there is no room and it was not tried just now.
    fn make_room(&mut self, now: Instant) {
        let is_due =
            self.swept_at.is_none_or(|swept_at| SWEEP_EVERY <= now.saturating_duration_since(swept_at));
        if CLIENTS_MAX <= self.clients.len() && is_due {
            self.swept_at = Some(now);
            self.clients.retain(|_, full| now < *full);
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
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let buckets = Buckets::new(10, 3);
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let taken: Vec<bool> =
            [0, 0, 0, 0, 99, 100, 100, 150, 200].map(|ms| buckets.take("a", at(ms))).into();
        assert_eq!(taken, [true, true, true, false, false, true, false, false, true]);
        assert!(buckets.take("b", at(200)), "others have buckets of their own");
        let later: Vec<bool> = [9_000; 4].map(|ms| buckets.take("a", at(ms))).into();
        assert_eq!(later, [true, true, true, false], "a bucket holds no more than its burst");
    }

    #[test]
    fn clients_that_have_been_quiet_are_forgotten_when_there_is_no_room() {
        let buckets = Buckets::new(1, 1);
        let begun = Instant::now();
        for client in 0..CLIENTS_MAX {
            assert!(buckets.take(client, begun));
        }
        let one_more = CLIENTS_MAX;
        assert!(buckets.take(one_more, begun) && buckets.take(one_more, begun), "not remembered: let in");
        assert!(!buckets.take(0, begun), "those that are remembered are held to it");
        let later = begun + Duration::from_secs(2);
        assert!(buckets.take(one_more, later) && !buckets.take(one_more, later), "now there is room");
        assert_eq!(buckets.full_at.lock().unwrap().clients.len(), 1);
    }

    #[test]
    fn an_address_is_limited_by_a_publishable_key_alone() {
        let args = LimitArgs {
            event_rate_per_address: 1,
            event_burst_per_address: 1,
            event_rate_per_key: 2,
            ..LimitArgs::default()
        };
        let (limits, now) = (Limits::new(&args), Instant::now());
        let admit = |key, scope, address| limits.admit(key, scope, Some(ip(address)), now);
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
        let client = |peer, forwarded: &str| limits.client(ip(peer), forwarded.split(','));
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
