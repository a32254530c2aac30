//! Folding the log anew, a page at a time: the same state must come out.

use super::flush::Fold;
use super::joining::Everybody;
use super::queue::NewMetric;
use crate::store::{Store, StoreError, bookmark, identity, log, metrics, stats, tail};
use podium_core::id::MetricId;
use podium_core::metric::VariantSums;
use podium_core::projection::{StatKey, TailKey, TailRow, Tracked};
use podium_core::time::Timestamp;
use sea_orm::DatabaseTransaction;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const PAGE: u32 = 4_096;

/// What was folded: sums that are not empty, and a fingerprint of where each unit stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Sums of variants.
    pub(crate) sums: BTreeMap<StatKey, VariantSums>,
    /// The largest values.
    pub(crate) tail: BTreeMap<TailKey, TailRow>,
    /// By experiment and unit.
    pub(crate) units: BTreeMap<(i64, Box<str>), u64>,
    /// Metrics that could not be called for all of it.
    pub(crate) missed: BTreeSet<MetricId>,
}

impl State {
    /// What the database has.
    pub(crate) async fn read(store: &Store) -> Result<Self, StoreError> {
        let sums = stats::sums(store.reader(), None).await?;
        let sums = sums.into_iter().filter(|(_, sums)| !sums.is_empty()).collect();
        let units = stats::fingerprints(store.reader()).await?;
        Ok(Self { sums, tail: tail::all(store.reader()).await?, units, missed: BTreeSet::new() })
    }

    /// One line for all of it: equal states have equal digests.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.sums.iter().for_each(|(key, sums)| hash.update(format!("{key:?}{sums:?}\n")));
        self.tail.iter().for_each(|(key, row)| hash.update(format!("{key:?}{row:?}\n")));
        self.units.iter().for_each(|(unit, fingerprint)| hash.update(format!("{unit:?}{fingerprint}\n")));
        crate::auth::hex(&hash.finalize())
    }
}

/// Folds the whole log.
///
/// - `tracked`: the experiments with their metrics.
/// - `into`: where to write what is folded; nowhere if `None`. It may hold the only connection that writes, so the
///   log is read through the others.
/// - `progress`: called with the number of events folded so far.
pub(crate) async fn replay(
    store: &Store,
    tracked: Vec<(Tracked, Vec<NewMetric>)>,
    into: Option<&DatabaseTransaction>,
    mut progress: impl FnMut(u64),
) -> Result<State, StoreError> {
    let (everybody, joined) = Everybody::of_log(store.reader()).await?;
    let mut fold = Fold { everybody: Some(Arc::new(everybody)), ..Fold::default() };
    if let Some(transaction) = into {
        identity::clear(transaction).await?;
        joined.write(transaction).await?;
    }
    fold.engine.skip(match into {
        Some(transaction) => metrics::unreadable(transaction).await?,
        None => metrics::unreadable(store.reader()).await?,
    });
    for (tracked, metrics) in tracked {
        for metric in metrics {
            metric.install(&mut fold.engine, &mut fold.projector);
        }
        fold.projector.track(tracked);
    }
    let mut state = State::default();
    let (mut seq, mut n_events) = (0, 0);
    loop {
        let page = log::after(store.reader(), seq, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        let until = std::mem::replace(&mut seq, *last);
        n_events += page.len() as u64;
        let events: Vec<_> = page.into_iter().map(|(_, event)| Arc::new(event)).collect();
        let (changes, ..) = fold.fold(store.reader(), &events, (until, Timestamp::default())).await?;
        let totals = fold.totals_after(&changes);
        let placements: Vec<_> = fold.projector.placements(&changes).collect();
        if let Some(transaction) = into {
            stats::place(transaction, &changes.gone, &placements).await?;
            stats::put_sums(transaction, &totals).await?;
            tail::put(transaction, &changes.tail).await?;
            bookmark::put_newest(transaction, &fold.newer(&changes)).await?;
        }
        fold.totals.extend(totals);
        fold.newest.extend(fold.newer(&changes));
        for (key, row) in &changes.tail {
            match row {
                Some(row) => state.tail.insert(key.clone(), *row),
                None => state.tail.remove(key),
            };
        }
        for (experiment, id) in &changes.gone {
            state.units.remove(&(experiment.0, id.clone()));
        }
        for (unit, placement) in placements {
            let rows = stats::fingerprints_of(unit, placement);
            state.units.extend(rows.map(|(id, row)| ((placement.experiment.0, id.into()), row)));
        }
        progress(n_events);
    }
    if let Some(transaction) = into {
        metrics::note_unreadable(transaction, &fold.engine.take_found()).await?;
    }
    state.missed = fold.engine.take_missed();
    state.sums = fold.totals.into_iter().filter(|(_, sums)| !sums.is_empty()).collect();
    Ok(state)
}
