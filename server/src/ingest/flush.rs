//! One flush: what is new is appended, folded and committed together, or not at all.

use super::joining::{Everybody, Joining};
use super::people::{Making, People};
use super::queue::Receipt;
use super::touched::Touched;
use crate::engine::Engine;
use crate::rulebook::Rulebook;
use crate::shoppers::Shoppers;
use crate::store::identity::Member;
use crate::store::metrics::{self, STALE};
use crate::store::outbox::Effects;
use crate::store::rejected::RejectedEvent;
use crate::store::{Store, StoreError, bookmark, identity, log, rejected, stats, tail};
use podium_core::id::{ExperimentId, MetricId};
use podium_core::identity::Persons;
use podium_core::metric::VariantSums;
use podium_core::projection::{
    Changes, DECISION, OrderBook, Placement, Projector, StatKey, StoredEvent, TailKey, TailRow, TakenOut,
};
use podium_core::time::Timestamp;
use sea_orm::DatabaseConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What the writer keeps in memory: the fold, the plugins, and the sums of all variants.
#[derive(Default)]
pub(super) struct Fold {
    pub(super) projector: Projector,
    pub(super) engine: Engine,
    pub(super) totals: BTreeMap<StatKey, VariantSums>,
    /// When the newest event happened that each metric reads.
    pub(super) newest: BTreeMap<MetricId, Timestamp>,
    /// Whether events passed some metric by.
    pub(super) stale: bool,
    /// Told of every commit that changed sums.
    pub(super) touched: Arc<Touched>,
    /// What decisions know of shoppers.
    pub(super) shoppers: Arc<Shoppers>,
    /// Everybody's ids, where the whole log is folded; else they are looked up.
    pub(super) everybody: Option<Arc<Everybody>>,
}

/// Events that are written together.
#[derive(Debug, Default)]
pub(super) struct Flush {
    /// The events of each request.
    pub(super) requests: Vec<Vec<Arc<StoredEvent>>>,
    /// Events that were refused before they got here.
    pub(super) rejected: Vec<RejectedEvent>,
    /// What else each request changes.
    pub(super) effects: Vec<Effects>,
    /// Whether decisions among them may have been written before.
    pub(super) is_retry: bool,
}

impl Flush {
    pub(super) fn len(&self) -> usize {
        self.requests.iter().map(Vec::len).sum()
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.rejected.is_empty() && self.effects.iter().all(Effects::is_empty)
    }
}

impl Fold {
    /// Writes a flush and returns what became of each request's events.
    pub(super) async fn write(
        &mut self,
        store: &Store,
        flush: &Flush,
        (book, now): (&Rulebook, Timestamp),
    ) -> Result<Vec<Receipt>, StoreError> {
        let (fresh, receipts) = fresh(store, flush).await?;
        let (mut changes, mut joining, orders) = self.fold(store.writer(), &fresh, (log::END, now)).await?;
        let shoppers = Arc::clone(&self.shoppers);
        let making = Making { db: store.writer(), shoppers: &shoppers, book, now };
        let people = making.fold(&fresh, &orders, &joining).await?;
        let mut rejected = flush.rejected.clone();
        rejected.append(&mut joining.refused);
        let mut tail = std::mem::take(&mut changes.tail);
        tail.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let totals = self.totals_after(&changes);
        let mut placements: Vec<_> = self.projector.placements(&changes).collect();
        // Neighbours share a page.
        placements.sort_unstable_by_key(|(unit, placement)| (placement.experiment, *unit));
        let newest = self.newer(&changes);
        let missed = self.engine.take_missed();
        let fatal = self.engine.take_found();
        let written = Written {
            fresh: &fresh,
            joined: &joining.written,
            people: &people,
            gone: &changes.gone,
            placements: &placements,
            totals: &totals,
            tail: &tail,
            newest: &newest,
            missed: &missed,
            fatal: &fatal,
            effects: &flush.effects,
        };
        match commit(store, &written, (&rejected, now)).await {
            Ok(()) => {
                let touched: BTreeSet<_> = totals.iter().map(|(key, _)| key.experiment).collect();
                self.tell(&joining, &placements);
                people.tell(&shoppers);
                self.totals.extend(totals);
                for experiment in touched {
                    self.touched.touch(experiment);
                }
                self.newest.extend(newest);
                self.stale |= !missed.is_empty();
                Ok(receipts)
            }
            Err(error) => {
                self.projector.forget(&changes);
                self.engine.give_back(fatal);
                Err(error)
            }
        }
    }

    /// Tells those who decide whose ids are whose from now on, and what such persons keep.
    fn tell(&self, joining: &Joining, placements: &[(&str, &Placement)]) {
        let moved = placements.iter().filter(|(unit, _)| joining.moved.contains(*unit));
        for (unit, placement) in moved {
            if let Some(assignment) = placement.assignment {
                self.shoppers.assign_if_new(placement.experiment, unit, assignment);
            }
        }
        for (id, person) in &joining.written.members {
            self.shoppers.join(id, Arc::clone(person));
        }
        for id in &joining.written.own {
            self.shoppers.part(id);
        }
    }

    /// Folds events in, reading what that needs from the log up to `until`, where `fresh` are not.
    pub(super) async fn fold(
        &mut self,
        db: &DatabaseConnection,
        fresh: &[Arc<StoredEvent>],
        (until, now): (i64, Timestamp),
    ) -> Result<(Changes, Joining, OrderBook), StoreError> {
        let relevant: Vec<_> = fresh.iter().filter(|event| self.is_relevant(event)).map(Arc::clone).collect();
        let orders =
            log::orders(db, relevant.iter().filter_map(|event| event.order_id.as_deref()), until).await?;
        let everybody = self.everybody.clone();
        let earlier: Vec<&str> = orders.values().flatten().map(|event| &*event.unit).collect();
        let joining = match everybody {
            Some(_) => Joining::default(),
            None => Joining::of((db, &self.shoppers), fresh, earlier, now).await?,
        };
        let mut taken = TakenOut::default();
        if !joining.moved.is_empty() {
            let moved = || joining.moved.iter().map(|person| &**person);
            let missing = self.projector.not_in_memory(moved());
            let members = joining.members(db, &missing, true).await?;
            self.load(db, &missing, members, until).await?;
            taken = self.projector.take_out(moved());
            let missing = self.projector.not_in_memory(moved());
            let members = joining.members(db, &missing, false).await?;
            self.load(db, &missing, members, until).await?;
        }
        let persons = everybody.as_ref().map_or(&joining.persons, |everybody| everybody.persons());
        let missing = self.projector.missing_units(&relevant, &orders, persons);
        let members = match &everybody {
            Some(everybody) => everybody.members(&missing),
            None => joining.members(db, &missing, false).await?,
        };
        self.load(db, &missing, members, until).await?;
        let changes = self.projector.apply((&relevant, &orders), persons, taken, &mut self.engine);
        Ok((changes, joining, orders))
    }

    /// Brings units into memory.
    ///
    /// - `members`: all of their ids.
    async fn load(
        &mut self,
        db: &DatabaseConnection,
        units: &[Box<str>],
        members: Vec<Member>,
        until: i64,
    ) -> Result<(), StoreError> {
        if units.is_empty() {
            return Ok(());
        }
        let histories = log::histories(db, members.iter().map(|(id, _)| &**id), until).await?;
        let order_ids: HashSet<&str> =
            histories.iter().filter_map(|event| event.order_id.as_deref()).collect();
        let orders = log::orders(db, order_ids.into_iter(), until).await?;
        self.projector.load(units, (&histories, &orders), &Persons::new(members), &mut self.engine);
        Ok(())
    }

    pub(super) fn is_relevant(&self, event: &StoredEvent) -> bool {
        event.sighting.is_some() || event.order_id.is_some() || self.projector.reads(&event.name)
    }

    /// The sums that change, as absolute totals.
    pub(super) fn totals_after(&self, changes: &Changes) -> Vec<(StatKey, VariantSums)> {
        let total = |(key, delta): (&StatKey, &VariantSums)| {
            let mut total = self.totals.get(key).copied().unwrap_or_default();
            total.merge(delta);
            (*key, total)
        };
        changes.sums.iter().map(total).collect()
    }

    /// The metrics that read something newer than before.
    pub(super) fn newer(&self, changes: &Changes) -> BTreeMap<MetricId, Timestamp> {
        let is_newer = |(metric, at): &(&MetricId, &Timestamp)| {
            self.newest.get(metric).is_none_or(|newest| newest < *at)
        };
        changes.newest.iter().filter(is_newer).map(|(metric, at)| (*metric, *at)).collect()
    }
}

/// Takes the events out of a flush that the log does not have yet.
async fn fresh(store: &Store, flush: &Flush) -> Result<(Vec<Arc<StoredEvent>>, Vec<Receipt>), StoreError> {
    let may_be_known = |event: &&Arc<StoredEvent>| flush.is_retry || &*event.name != DECISION;
    let asked = flush.requests.iter().flatten().filter(may_be_known).map(|event| &*event.message_id);
    let known = log::known(store.writer(), asked).await?;
    let said = |event: &StoredEvent| log::digest([&event.name, &event.unit, &event.body]);
    let mut seen: HashMap<&str, &Arc<StoredEvent>> = HashMap::with_capacity(flush.len());
    let mut fresh = Vec::with_capacity(flush.len());
    let mut receipts = Vec::with_capacity(flush.requests.len());
    for events in &flush.requests {
        let mut receipt = Receipt::default();
        for event in events {
            let first = known.get(&event.message_id).copied();
            let first = first.or_else(|| seen.get(&*event.message_id).map(|first| said(first)));
            if let Some(first) = first {
                receipt.duplicate += 1;
                receipt.conflicting += usize::from(first != said(event));
            } else {
                seen.insert(&event.message_id, event);
                receipt.accepted += 1;
                fresh.push(Arc::clone(event));
            }
        }
        receipts.push(receipt);
    }
    Ok((fresh, receipts))
}

/// What a flush writes.
struct Written<'a> {
    fresh: &'a [Arc<StoredEvent>],
    /// What they say of ids.
    joined: &'a identity::Written,
    /// What they make of persons.
    people: &'a People,
    /// Placements that are no more.
    gone: &'a [(ExperimentId, Box<str>)],
    placements: &'a [(&'a str, &'a Placement)],
    totals: &'a [(StatKey, VariantSums)],
    tail: &'a [(TailKey, Option<TailRow>)],
    newest: &'a BTreeMap<MetricId, Timestamp>,
    /// Metrics that its events passed by.
    missed: &'a BTreeSet<MetricId>,
    /// Rows that ended their plugin's process.
    fatal: &'a BTreeSet<(MetricId, i64)>,
    /// What else its requests change.
    effects: &'a [Effects],
}

async fn commit(
    store: &Store,
    written: &Written<'_>,
    (rejected, now): (&[RejectedEvent], Timestamp),
) -> Result<(), StoreError> {
    if written.fresh.is_empty() && rejected.is_empty() && written.effects.iter().all(Effects::is_empty) {
        return Ok(());
    }
    let transaction = store.begin().await?;
    log::append(&transaction, written.fresh, now).await?;
    written.joined.write(&transaction).await?;
    written.people.write(&transaction).await?;
    stats::place(&transaction, written.gone, written.placements).await?;
    stats::put_sums(&transaction, written.totals).await?;
    tail::put(&transaction, written.tail).await?;
    bookmark::put_newest(&transaction, written.newest).await?;
    metrics::note_unreadable(&transaction, written.fatal).await?;
    for metric in written.missed {
        metrics::set_revision(&transaction, *metric, STALE).await?;
    }
    if !rejected.is_empty() {
        rejected::insert(&transaction, rejected).await?;
    }
    for effects in written.effects {
        effects.write(&transaction).await?;
    }
    Ok(transaction.commit().await?)
}
