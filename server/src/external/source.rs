//! A source, with what it said lately and how it does.

use super::breaker::Breaker;
use super::call::CallError;
use super::memory::{Answer, Memory};
use super::template::Template;
use crate::store::sources::StoredSource;
use arc_swap::ArcSwapOption;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// The most units that a source is asked about at a time.
const CALLS_MAX: usize = 32;

/// A source that is registered. What is changed is another one.
pub(crate) struct Source {
    /// As it was registered.
    pub(crate) stored: StoredSource,
    pub(super) template: Template,
    pub(super) memory: Memory,
    /// Calls under way by their units; each tells what came of it.
    pub(super) calls: papaya::HashMap<Box<str>, watch::Receiver<Option<Answer>>>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) breaker: Breaker,
    trouble: ArcSwapOption<String>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("stored", &self.stored).finish_non_exhaustive()
    }
}

impl Source {
    /// A source of which nothing is known yet; `None` if its address is none.
    pub(crate) fn new(stored: StoredSource) -> Option<Self> {
        Some(Self {
            template: Template::parse(&stored.definition.url).ok()?,
            memory: Memory::new(stored.definition.ttl()),
            calls: papaya::HashMap::new(),
            permits: Arc::new(Semaphore::new(CALLS_MAX)),
            breaker: Breaker::new(Instant::now()),
            trouble: ArcSwapOption::empty(),
            stored,
        })
    }

    /// Why the last call failed, if it did.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.load().as_deref().cloned()
    }

    /// How long a decision waits for it.
    pub(super) fn timeout(&self) -> Duration {
        self.stored.definition.timeout()
    }

    /// Remembers what came of a call about a unit.
    pub(super) fn settle(
        &self,
        unit: &str,
        outcome: Result<(Value, usize), CallError>,
        now: Instant,
    ) -> Answer {
        let (answer, word) = match outcome {
            Ok((said, n_bytes)) => (Some((Arc::new(said), n_bytes)), "fetched"),
            Err(error) => {
                let word = if matches!(error, CallError::Refused(_)) { "refused" } else { "failed" };
                self.note(&error, now);
                (None, word)
            }
        };
        if answer.is_some() {
            self.breaker.succeeded();
            self.trouble.store(None);
        }
        self.memory.put(unit, answer.clone(), now);
        super::caller::count(word);
        answer.map(|(said, _)| said)
    }

    fn note(&self, error: &CallError, now: Instant) {
        self.trouble.store(Some(Arc::new(error.to_string())));
        let source = self.stored.key.as_str();
        match error {
            CallError::Declined(_) => {
                // It works, and does not know this unit.
                self.breaker.succeeded();
                tracing::debug!(source, %error, "source says nothing");
            }
            CallError::Refused(_) | CallError::Failed(_) => {
                tracing::warn!(source, %error, "source says nothing");
                if self.breaker.failed(now) {
                    tracing::error!(source, %error, "source is left alone for a while");
                }
            }
        }
    }
}
