//! How much one client may ask for: evaluations a second, and open streams.

use crate::auth::Scope;
use crate::clock;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use clap::Args;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Who asks was before a proxy.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const EVALUATIONS_PER_ADDRESS: u32 = 100;
const STREAMS_PER_KEY: usize = 10_000;
const STREAMS_PER_ADDRESS: usize = 100;
/// Evaluations a second with one server key.
const PER_SERVER_KEY: u32 = 5_000;
/// How many seconds' worth may come at once.
const BURST_S: i64 = 4;
/// The most clients that are remembered; then those are forgotten that have not come for a while.
const CLIENTS_MAX: usize = 100_000;
const SECOND_US: i64 = 1_000_000;

/// What an operator allows.
#[derive(Clone, Debug, Args)]
pub(crate) struct Limits {
    /// How many evaluations a second one address may ask for with publishable keys, four times that at once.
    #[arg(
        long,
        env = "PODIUM_EVALUATIONS_PER_ADDRESS",
        value_name = "N",
        default_value_t = EVALUATIONS_PER_ADDRESS,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    evaluations_per_address: u32,
    /// How many event streams may be open with one key.
    #[arg(long, env = "PODIUM_STREAMS_PER_KEY", value_name = "N", default_value_t = STREAMS_PER_KEY)]
    streams_per_key: usize,
    /// How many of them from one address.
    #[arg(long, env = "PODIUM_STREAMS_PER_ADDRESS", value_name = "N", default_value_t = STREAMS_PER_ADDRESS)]
    streams_per_address: usize,
    /// The address of a proxy whose `X-Forwarded-For` is believed; may be repeated (in the variable: with `,`).
    #[arg(long = "proxy", env = "PODIUM_PROXIES", value_name = "ADDRESS", value_delimiter = ',')]
    proxies: Vec<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            evaluations_per_address: EVALUATIONS_PER_ADDRESS,
            streams_per_key: STREAMS_PER_KEY,
            streams_per_address: STREAMS_PER_ADDRESS,
            proxies: Vec::new(),
        }
    }
}

/// Keeps count of what clients ask for.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: Limits,
    per_address: Buckets<IpAddr>,
    per_key: Buckets<Box<str>>,
    streams: Arc<Mutex<Streams>>,
}

#[derive(Debug, Default)]
struct Streams {
    of_key: HashMap<Box<str>, usize>,
    of_address: HashMap<(Box<str>, IpAddr), usize>,
}

/// The place of an open stream; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    streams: Arc<Mutex<Streams>>,
    key_id: Box<str>,
    address: IpAddr,
}

impl Gate {
    /// Nobody has asked yet.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            per_address: Buckets::new(limits.evaluations_per_address),
            per_key: Buckets::new(PER_SERVER_KEY),
            streams: Arc::default(),
            limits,
        }
    }

    /// Lets an evaluation pass; else says after how many seconds the next one will.
    pub(super) fn pass(&self, http: &HttpRequest, key_id: &str, scope: Scope) -> Result<(), u64> {
        let now_us = clock::now().as_micros();
        let waits_us = match scope {
            Scope::Publishable => self.per_address.take(self.address(http), now_us),
            Scope::Server | Scope::Admin => self.per_key.take(key_id.into(), now_us),
        };
        waits_us.map_or(Ok(()), |waits_us| {
            // Those who were turned away together should not come back together.
            Err((waits_us / SECOND_US) as u64 + 1 + u64::from(rand::random::<u32>() % 3))
        })
    }

    /// Takes the place of a stream, if there is one left.
    pub(super) fn seat(&self, http: &HttpRequest, key_id: &str) -> Option<Seat> {
        let (key_id, address): (Box<str>, _) = (key_id.into(), self.address(http));
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let of_key = streams.of_key.get(&key_id).copied().unwrap_or_default();
        let of_address = streams.of_address.get(&(key_id.clone(), address)).copied().unwrap_or_default();
        if self.limits.streams_per_key <= of_key || self.limits.streams_per_address <= of_address {
            return None;
        }
        streams.of_key.insert(key_id.clone(), of_key + 1);
        streams.of_address.insert((key_id.clone(), address), of_address + 1);
        Some(Seat { streams: Arc::clone(&self.streams), key_id, address })
    }

    /// Who asks: the last address on the way here that is none of our proxies.
    fn address(&self, http: &HttpRequest) -> IpAddr {
        let peer = http.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        if !self.limits.proxies.contains(&peer) {
            return network(peer);
        }
        let lines = http.headers().get_all(FORWARDED_FOR).filter_map(|line| line.to_str().ok());
        let way: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        let mut way = way.into_iter().rev().map_while(|hop| hop.parse().ok());
        network(way.find(|hop| !self.limits.proxies.contains(hop)).unwrap_or(peer))
    }
}

/// What one client has: an address, or the 64 bits of which it may choose the rest.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let Streams { of_key, of_address } = &mut *streams;
        give_back(of_key, self.key_id.clone());
        give_back(of_address, (self.key_id.clone(), self.address));
    }
}

fn give_back<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

/// So much a second for each client, and a few seconds' worth at once.
///
/// A client's number is the time at which all that it was given would have been due at an even pace; it may lie ahead of
/// now by as much as may come at once.
#[derive(Debug)]
struct Buckets<K: Eq + Hash> {
    /// In microseconds, as everything here.
    due: papaya::HashMap<K, AtomicI64>,
    cleared_at: AtomicI64,
    /// From one to the next.
    pace: i64,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    fn new(per_second: u32) -> Self {
        Self {
            due: papaya::HashMap::new(),
            cleared_at: AtomicI64::new(0),
            pace: SECOND_US / i64::from(per_second).max(1),
        }
    }

    /// Takes one; `Some`: there is none, and the next one comes after so many microseconds.
    fn take(&self, client: K, now_us: i64) -> Option<i64> {
        let ahead_max = BURST_S * SECOND_US;
        let clients = self.due.pin();
        let cleared_at = self.cleared_at.load(Ordering::Relaxed);
        if CLIENTS_MAX <= clients.len() && cleared_at + SECOND_US <= now_us {
            self.cleared_at.store(now_us, Ordering::Relaxed);
            clients.retain(|_, due| now_us < due.load(Ordering::Relaxed));
        }
        let due = clients.get_or_insert_with(client, || AtomicI64::new(now_us));
        let next = |due: i64| {
            let next = due.max(now_us) + self.pace;
            (next - now_us <= ahead_max).then_some(next)
        };
        match due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => None,
            Err(due) => Some(due + self.pace - now_us - ahead_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_a_network_of_which_it_may_choose_the_rest() {
        for (address, client) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            assert_eq!(network(address.parse().unwrap()), client.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn a_client_gets_four_seconds_worth_at_once_and_then_an_even_pace() {
        let buckets = Buckets::new(10);
        let taken = |client: &'static str, now_us: i64| {
            (0..1_000).take_while(|_| buckets.take(client, now_us).is_none()).count()
        };
        assert_eq!(taken("ann", 0), 40);
        assert_eq!(buckets.take("ann", 0), Some(100_000));
        assert_eq!(taken("bob", 0), 40, "each client has its own");
        assert_eq!(taken("ann", 99_999), 0);
        assert_eq!(taken("ann", 100_000), 1);
        assert_eq!(taken("ann", 2_100_000), 20);
        assert_eq!(taken("ann", 600_000_000), 40, "more does not pile up");
    }
}
