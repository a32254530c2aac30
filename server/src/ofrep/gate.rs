//! How many event streams one client may have open.

use crate::limits::Limits;
use actix_web::HttpRequest;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps count of open streams.
#[derive(Debug, Default)]
pub(crate) struct Gate(Arc<Mutex<Streams>>);

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
    /// Takes the place of a stream, if there is one left.
    pub(super) fn seat(&self, limits: &Limits, http: &HttpRequest, key_id: &str) -> Option<Seat> {
        let address = limits.client(http).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let key_id: Box<str> = key_id.into();
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_key = streams.of_key.get(&key_id).copied().unwrap_or_default();
        let of_address = streams.of_address.get(&(key_id.clone(), address)).copied().unwrap_or_default();
        if limits.streams_per_key <= of_key || limits.streams_per_address <= of_address {
            return None;
        }
        streams.of_key.insert(key_id.clone(), of_key + 1);
        streams.of_address.insert((key_id.clone(), address), of_address + 1);
        Some(Seat { streams: Arc::clone(&self.0), key_id, address })
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
