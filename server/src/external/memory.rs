//! What a source said lately, by unit; that it said nothing is remembered for a moment, too.

use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Units remembered of a source; the half of which what was said is the oldest goes when there are more …
const UNITS_MAX: usize = 20_000;
/// … or when their answers have more bytes than this.
const BYTES_MAX: usize = 32 << 20;
/// How long it is remembered that a source said nothing of a unit.
const FAILURE_TTL: Duration = Duration::from_secs(5);

/// What was said of a unit: an object, or nothing.
pub(super) type Answer = Option<Arc<Value>>;

/// What a source said.
#[derive(Debug)]
pub(super) struct Memory {
    ttl: Duration,
    said: papaya::HashMap<Box<str>, Said>,
    n_bytes: AtomicUsize,
}

#[derive(Debug)]
struct Said {
    answer: Answer,
    until: Instant,
    n_bytes: usize,
}

impl Memory {
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, said: papaya::HashMap::new(), n_bytes: AtomicUsize::new(0) }
    }

    /// What was said of a unit lately; `None` if it is to be asked.
    pub(super) fn find(&self, unit: &str, now: Instant) -> Option<Answer> {
        let said = self.said.pin();
        said.get(unit).filter(|said| now < said.until).map(|said| said.answer.clone())
    }

    /// Remembers what was said of a unit, and how many bytes it had.
    pub(super) fn put(&self, unit: &str, answer: Option<(Arc<Value>, usize)>, now: Instant) {
        let ttl = if answer.is_some() { self.ttl } else { FAILURE_TTL.min(self.ttl) };
        let (answer, n_bytes) = answer.unzip();
        let n_bytes = n_bytes.unwrap_or(0);
        let said = self.said.pin();
        let former = said.insert(unit.into(), Said { answer, until: now + ttl, n_bytes });
        let former_bytes = former.map_or(0, |former| former.n_bytes);
        self.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        self.n_bytes.fetch_sub(former_bytes, Ordering::Relaxed);
        while UNITS_MAX < said.len() || BYTES_MAX < self.n_bytes.load(Ordering::Relaxed) {
            self.forget_some(now);
        }
    }

    fn forget_some(&self, now: Instant) {
        let said = self.said.pin();
        let mut ends: Vec<Instant> = said.values().map(|one| one.until).collect();
        if let Some(last_idx) = ends.len().checked_sub(1) {
            let median = *ends.select_nth_unstable(last_idx / 2).1;
            said.retain(|_, one| now < one.until && median < one.until);
        }
        self.n_bytes.store(said.values().map(|one| one.n_bytes).sum(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_said_is_remembered_for_its_time_and_for_its_unit() {
        let (memory, now) = (Memory::new(Duration::from_mins(1)), Instant::now());
        let after = |seconds: u64| now + Duration::from_secs(seconds);
        memory.put("ann", Some((Arc::new(json!({ "tier": "gold" })), 15)), now);
        memory.put("bob", None, now);
        assert_eq!(memory.find("ann", after(59)), Some(Some(Arc::new(json!({ "tier": "gold" })))));
        assert_eq!(memory.find("ann", after(60)), None);
        assert_eq!((memory.find("bob", after(4)), memory.find("bob", after(5))), (Some(None), None));
        assert_eq!(memory.find("cy", now), None);
    }

    #[test]
    fn the_oldest_half_goes_when_there_is_too_much() {
        let (memory, now) = (Memory::new(Duration::from_mins(1)), Instant::now());
        let at = |n: usize| now + Duration::from_millis(n as u64);
        for n in 0..=UNITS_MAX {
            memory.put(&n.to_string(), Some((Arc::new(json!({})), 2)), at(n));
        }
        assert!(memory.said.len() <= UNITS_MAX / 2 + 1, "{}", memory.said.len());
        assert!(memory.find("0", at(0)).is_none() && memory.find("20000", at(0)).is_some());
        assert_eq!(memory.n_bytes.load(Ordering::Relaxed), 2 * memory.said.len());
        for n in 0..3 {
            memory.put(&format!("big-{n}"), Some((Arc::new(json!({})), BYTES_MAX / 2)), at(30_000 + n));
        }
        assert!(memory.n_bytes.load(Ordering::Relaxed) <= BYTES_MAX);
        assert!(memory.find("big-2", at(30_003)).is_some());
    }
}
