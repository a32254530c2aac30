//! Asks sources about units, and waits for each no longer than it may take.

use super::call::{self, CALL_MAX, CallError};
use super::memory::Answer;
use super::source::Source;
use crate::outgoing::{self, Reach};
use crate::secrets::Secrets;
use podium_core::audience::External;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout_at;
use ureq::Agent;

/// Asks sources.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// How far it may reach, and what makes the calls; none if sources are not asked.
    on: Option<(Reach, Agent)>,
    secrets: Secrets,
    /// Its threads make the calls: those that serve requests have other things to do.
    runtime: Handle,
}

/// What is known of a unit at once.
enum Asked {
    Had(Answer),
    Waits(watch::Receiver<Option<Answer>>),
}

/// A call that is made or about to be; whoever asks about the same unit meanwhile waits for it, and not for ever.
struct Call {
    source: Arc<Source>,
    unit: Box<str>,
    tell: watch::Sender<Option<Answer>>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.source.calls.pin().remove(&*self.unit);
    }
}

/// Counts what became of a question.
pub(super) fn count(outcome: &'static str) {
    metrics::counter!("podium_external_calls_total", "outcome" => outcome).increment(1);
}

impl Caller {
    /// Makes what asks sources, on the threads of the runtime that it is made in.
    ///
    /// - `reach`: how far it may reach; `None` if sources are not asked.
    pub(crate) fn new(secrets: Secrets, reach: Option<Reach>) -> Self {
        let on = reach.map(|reach| (reach, outgoing::agent(reach, CALL_MAX)));
        Self { on, secrets, runtime: Handle::current() }
    }

    /// How far it may reach; `None` if sources are not asked.
    pub(crate) fn reach(&self) -> Option<Reach> {
        self.on.as_ref().map(|(reach, _)| *reach)
    }

    /// Where the secrets of headers are.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What sources say of units, each asked at once: of each unit what could be had in time.
    pub(crate) async fn ask(&self, sources: &[Arc<Source>], units: &[&str]) -> Vec<External> {
        let begun = Instant::now();
        let of_unit = |unit: &&str| -> Vec<Asked> {
            sources.iter().map(|source| self.begin(source, unit, begun)).collect()
        };
        let asked: Vec<Vec<Asked>> = units.iter().map(of_unit).collect();
        let mut said = Vec::with_capacity(units.len());
        for of_unit in asked {
            let mut external = External::new();
            for (source, asked) in sources.iter().zip(of_unit) {
                let answer = match asked {
                    Asked::Had(answer) => answer,
                    Asked::Waits(call) => wait(call, begun + source.timeout()).await,
                };
                if let Some(answer) = answer {
                    external.insert(source.stored.key.clone(), answer);
                }
            }
            said.push(external);
        }
        said
    }

    /// What is remembered of a unit, else a call: one that is made already, or a new one if there may be one.
    fn begin(&self, source: &Arc<Source>, unit: &str, now: Instant) -> Asked {
        let without = |outcome| {
            count(outcome);
            Asked::Had(None)
        };
        let Some((_, agent)) = &self.on else { return without("off") };
        if let Some(said) = remembered(source, unit, now) {
            return said;
        }
        let (tell, told) = watch::channel(None);
        if let Err(other) = source.calls.pin().try_insert(unit.into(), told.clone()) {
            return Asked::Waits(other.current.clone());
        }
        let call = Call { source: Arc::clone(source), unit: unit.into(), tell };
        // A call may have ended after it was looked for what it brought.
        if let Some(said) = remembered(source, unit, now) {
            return said;
        }
        let Some(address) = source.template.fill(unit) else { return without("refused") };
        let permit = Arc::clone(&source.permits).try_acquire_owned().ok();
        let Some(permit) = permit.filter(|_| source.breaker.lets_through(now)) else {
            return without("skipped");
        };
        let (agent, secrets) = (agent.clone(), self.secrets.clone());
        self.runtime.spawn_blocking(move || {
            let outcome =
                headers(&call.source, &secrets).and_then(|headers| call::ask(&agent, &address, &headers));
            let answer = call.source.settle(&call.unit, outcome, Instant::now());
            call.tell.send_replace(Some(answer));
            drop((call, permit));
        });
        Asked::Waits(told)
    }

    /// Ends the calls that are under way.
    pub(crate) fn drain(&self) {
        if let Some((_, agent)) = &self.on {
            agent.clone().shutdown();
        }
    }
}

fn remembered(source: &Source, unit: &str, now: Instant) -> Option<Asked> {
    let said = source.memory.find(unit, now)?;
    if said.is_some() {
        metrics::counter!("podium_external_cache_hits_total").increment(1);
    } else {
        count("skipped");
    }
    Some(Asked::Had(said))
}

/// Waits for a call, and goes on without it when it takes too long.
async fn wait(mut call: watch::Receiver<Option<Answer>>, until: Instant) -> Answer {
    let Ok(ended) = timeout_at(until.into(), call.wait_for(Option::is_some)).await else {
        count("late");
        return None;
    };
    // It is gone without a word if it was not made after all.
    ended.ok().and_then(|answer| answer.clone().flatten())
}

/// The headers of a source, with their secrets.
fn headers(source: &Source, secrets: &Secrets) -> Result<Vec<(String, String)>, CallError> {
    let headers = source.stored.definition.headers.iter().map(|(name, secret)| {
        let gone = || CallError::Failed(format!("the server does not find its secret `{}`", secret.secret));
        Ok((name.clone(), secrets.find(&secret.secret).ok_or_else(gone)?))
    });
    headers.collect()
}
