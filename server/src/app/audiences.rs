//! Audiences: named conditions, who is in them, and having everybody asked again when they change.

use super::{App, Published, now};
use crate::catalog::Catalog;
use crate::ingest::people;
use crate::ingest::queue::{IngestError, Queue};
use crate::rulebook::{Asked, CURRENCY, Rulebook};
use crate::store::audiences::{self, Audience};
use crate::store::{Store, StoreError, bookmark, profiles};
use arc_swap::ArcSwap;
use podium_core::audience::{Audiences, Clause, Condition, EventLeaf, Fault, RfmCuts, RfmPoint, Watched};
use podium_core::experience::Placement;
use podium_core::experiment::Experiment;
use podium_core::id::{AudienceId, AudienceKey, ExperimentId, LeafId};
use podium_core::profile::Profile;
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use twox_hash::XxHash3_64;

/// How long a change of an audience waits until everybody has been asked; what takes longer goes on behind the answer.
const ASKING_MAX: Duration = Duration::from_secs(2);
/// How often customers are cut into fifths anew, in seconds.
const CUT_EVERY_S: i64 = 3_600;
/// Persons read at once.
const PAGE: u32 = 500;
/// Under which name it is noted where the fifths of all customers meet.
const CUTS: &str = "rfm";
/// Persons that are asked for a preview.
const PREVIEWED_MAX: u64 = 100_000;
/// Under which name it is noted what everybody has been asked.
const ASKED: &str = "asked";

/// Why an audience is not as it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AudienceError {
    /// There is no such audience.
    #[error("there is no audience `{0}`")]
    NotFound(String),
    /// The key is taken.
    #[error("there is an audience `{0}` already; choose another key")]
    KeyTaken(String),
    /// It is not at the revision that the client saw.
    #[error("the audience was changed meanwhile")]
    Stale { revision: i64 },
    /// Something asks for it.
    #[error("`{by}` asks for this audience; change that first")]
    InUse { by: String },
    /// The condition cannot mean what it says.
    #[error("the condition has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a clause asks, with all that is in it.
fn sentence(clause: &Clause) -> String {
    if clause.clauses.is_empty() {
        return clause.wanted.clone();
    }
    let parts: Vec<String> = clause.clauses.iter().map(sentence).collect();
    format!("{} ({})", clause.wanted, parts.join("; "))
}

/// How many persons meet a condition.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Preview {
    /// Those who do.
    pub(crate) size: u64,
    /// Of how many that were asked.
    pub(crate) of: u64,
    /// Whether those were all there are.
    pub(crate) is_whole: bool,
    /// Whether it reads what only a request brings, so that nobody meets it between requests.
    pub(crate) needs_context: bool,
}

impl App {
    /// Makes an audience.
    pub(crate) async fn add_audience(
        &self,
        key: AudienceKey,
        name: Option<String>,
        condition: Condition,
    ) -> Result<Audience, AudienceError> {
        let editing = self.edits.lock().await;
        let all = audiences::all(self.store.writer()).await?;
        if all.iter().any(|other| other.key == key) {
            return Err(AudienceError::KeyTaken(key.to_string()));
        }
        let at = now();
        let (id, revision) = (AudienceId(i64::MAX), 1);
        let mut audience = Audience { id, key, name, condition, revision, created_at: at, updated_at: at };
        self.check_references(&audience)?;
        check_set(all.iter().chain([&audience]))?;
        audiences::insert(self.store.writer(), &mut audience).await?;
        self.publish().await?;
        drop(editing);
        self.ask_everybody().await;
        Ok(audience)
    }

    /// Changes an audience.
    ///
    /// - `seen`: the revision that the client saw; `None` changes whatever is there.
    pub(crate) async fn change_audience(
        &self,
        key: &str,
        seen: Option<i64>,
        (name, condition): (Option<String>, Condition),
    ) -> Result<Audience, AudienceError> {
        let editing = self.edits.lock().await;
        let mut all = audiences::all(self.store.writer()).await?;
        let found = all.iter_mut().find(|audience| audience.key.as_str() == key);
        let audience = found.ok_or_else(|| AudienceError::NotFound(key.to_owned()))?;
        let revision = audience.revision;
        if seen.is_some_and(|seen| seen != revision) {
            return Err(AudienceError::Stale { revision });
        }
        (audience.name, audience.condition, audience.revision, audience.updated_at) =
            (name, condition, revision + 1, now());
        let audience = audience.clone();
        self.check_references(&audience)?;
        check_set(all.iter())?;
        audiences::update(self.store.writer(), &audience).await?;
        self.publish().await?;
        drop(editing);
        self.ask_everybody().await;
        Ok(audience)
    }

    /// Removes an audience that nothing asks for.
    pub(crate) async fn remove_audience(&self, key: &str, seen: Option<i64>) -> Result<(), AudienceError> {
        let editing = self.edits.lock().await;
        let all = audiences::all(self.store.writer()).await?;
        let found = all.iter().find(|audience| audience.key.as_str() == key);
        let audience = found.ok_or_else(|| AudienceError::NotFound(key.to_owned()))?;
        let revision = audience.revision;
        if seen.is_some_and(|seen| seen != revision) {
            return Err(AudienceError::Stale { revision });
        }
        let names = |condition: &Condition| condition.audiences().contains(&key);
        if let Some(by) = asked_by(&self.published.catalog.load(), &all, (names, |_| true)) {
            return Err(AudienceError::InUse { by });
        }
        let transaction = self.store.begin().await?;
        audiences::remove(&transaction, audience.id).await?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.publish().await?;
        drop(editing);
        self.ask_everybody().await;
        Ok(())
    }

    /// Whether the audiences and sources that an audience names are there, and lead not back to it.
    fn check_references(&self, audience: &Audience) -> Result<(), AudienceError> {
        let known = &self.published.catalog.load().book.audiences;
        let mut faults = known.reference_faults(&audience.key, &audience.condition);
        faults.extend(self.source_faults(&audience.condition));
        if faults.is_empty() { Ok(()) } else { Err(AudienceError::Invalid(faults)) }
    }

    /// Reads a condition that somebody wrote and checks that the audiences and sources it names are there.
    pub(crate) fn checked_condition(&self, condition: &Value) -> Result<Condition, Vec<Fault>> {
        let condition = Condition::parse(condition)?;
        let known = &self.published.catalog.load().book.audiences;
        let compiled = known.compile(&condition, &|_| Some(LeafId(0)));
        let mut faults = compiled.err().unwrap_or_default();
        faults.extend(self.source_faults(&condition));
        if faults.is_empty() { Ok(condition) } else { Err(faults) }
    }

    /// What a condition asks, in words: how many of its parts have to hold, and each part.
    pub(crate) fn words(&self, condition: &Condition) -> (String, Vec<String>) {
        let book = &self.published.catalog.load().book;
        let compiled = book.audiences.compile(condition, &|_| Some(LeafId(0)));
        // An audience that it names was taken away just now.
        let Ok(compiled) = compiled else { return (String::new(), Vec::new()) };
        let nobody = Profile::default();
        let clause = book.audiences.explain(&compiled, &book.shopper(&nobody, &Value::Null), now());
        (clause.wanted, clause.clauses.iter().map(sentence).collect())
    }

    /// Counts who meets a condition. Of very many persons, only the first are asked.
    #[expect(clippy::mutable_key_type, reason = "a pattern has a cache inside, and is compared by its text")]
    pub(crate) async fn preview(&self, condition: &Condition) -> Result<Preview, StoreError> {
        let db = self.store.reader();
        let mut leaves = audiences::leaves(db).await?;
        let is_watched = condition.event_leaves().iter().all(|leaf| leaves.contains_key(*leaf));
        // Numbers that nobody has, for the time of the question.
        let unwatched: Vec<EventLeaf> = condition.event_leaves().into_iter().cloned().collect();
        for (leaf, nth) in unwatched.into_iter().zip(1..) {
            leaves.entry(leaf).or_insert(LeafId(-nth));
        }
        let book = self.published.catalog.load().book.clone();
        let compiled = book.audiences.compile(condition, &|leaf| leaves.get(leaf).copied());
        let compiled = compiled.map_err(|faults| StoreError::Corrupt(format!("{faults:?}")))?;
        let watched = Arc::new(Watched::new(leaves.into_iter().map(|(leaf, id)| (id, leaf))));
        let book = Rulebook { watched, ..book };
        let now = now();
        let (mut size, mut of, mut last, mut is_whole) = (0, 0, Box::from(""), true);
        loop {
            let mut page = profiles::page(db, &last, PAGE).await?;
            let Some((person, _)) = page.last() else { break };
            last = person.clone();
            if !is_watched {
                people::look_back(db, &book, &mut page).await?;
            }
            of += page.len() as u64;
            let meets = |(_, known): &&profiles::Row| {
                book.audiences.holds(&compiled, &book.shopper(&known.profile, &Value::Null), now)
            };
            size += page.iter().filter(meets).count() as u64;
            if PREVIEWED_MAX <= of {
                is_whole = profiles::page(db, &last, 1).await?.is_empty();
                break;
            }
        }
        Ok(Preview { size, of, is_whole, needs_context: compiled.needs_context() })
    }

    /// Gathers every condition there is. Past events that no condition asked for until now are watched from now on.
    #[expect(clippy::mutable_key_type, reason = "a pattern has a cache inside, and is compared by its text")]
    pub(super) async fn rulebook(
        &self,
        experiments: &[(Experiment, WeightsVersion)],
        placements: &HashMap<Box<str>, Placement>,
    ) -> Result<Rulebook, StoreError> {
        let db = self.store.writer();
        let all = audiences::all(db).await?;
        let of_experiments = experiments
            .iter()
            .filter_map(|(experiment, _)| Some((experiment.id, experiment.definition.when.as_ref()?)));
        let rules = placements.values().flat_map(Placement::experiences).flat_map(|one| one.rules.iter());
        let of_rules = rules.filter_map(|rule| Some((rule.figures, rule.when.as_ref()?)));
        let parsed = |(id, condition): (ExperimentId, &Value)| match Condition::parse(condition) {
            Ok(condition) => Some((id, condition)),
            Err(faults) => {
                tracing::error!(?faults, "a condition cannot be read; nobody meets it");
                Some((id, Condition::Any(Vec::new())))
            }
        };
        let targets: Vec<(ExperimentId, Condition)> =
            of_experiments.chain(of_rules).filter_map(parsed).collect();
        let conditions =
            || all.iter().map(|one| &one.condition).chain(targets.iter().map(|(_, condition)| condition));
        let wanted: BTreeSet<String> =
            conditions().flat_map(Condition::event_leaves).map(EventLeaf::to_text).collect();
        let mut leaves = audiences::leaves(db).await?;
        let known: BTreeSet<String> = leaves.keys().map(EventLeaf::to_text).collect();
        if !wanted.is_subset(&known) {
            audiences::add_leaves(db, conditions().flat_map(Condition::event_leaves)).await?;
            leaves = audiences::leaves(db).await?;
        }
        let leaf_id = |leaf: &EventLeaf| leaves.get(leaf).copied();
        let rfm = cuts(db).await?;
        let revisions: Vec<_> = all.iter().map(|one| (one.id, one.revision)).collect();
        let asked = Asked {
            leaf: leaves.values().copied().max().unwrap_or_default(),
            audiences: XxHash3_64::oneshot(&serde_json::to_vec(&(revisions, &rfm)).unwrap_or_default()),
        };
        let set = all.into_iter().map(|one| (one.id, one.key, one.condition));
        let set = Audiences::new(set, &leaf_id).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut compiled = HashMap::with_capacity(targets.len());
        for (id, condition) in &targets {
            let nobody = Condition::Any(Vec::new());
            let ready = set.compile(condition, &leaf_id).or_else(|faults| {
                tracing::error!(?faults, "a condition cannot be asked; nobody meets it");
                set.compile(&nobody, &leaf_id)
            });
            compiled.extend(ready.ok().map(|ready| (*id, ready)));
        }
        Ok(Rulebook {
            watched: Arc::new(Watched::new(leaves.into_iter().map(|(leaf, id)| (id, leaf)))),
            audiences: Arc::new(set),
            conditions: Arc::new(compiled),
            sources: Arc::new(self.stored_sources().await?),
            rfm: rfm.map(Arc::new),
            asked,
        })
    }

    /// Has everybody asked what they have not been asked yet, behind whoever calls: after every change, and after a
    /// start, because a stop may have interrupted it.
    pub(super) fn begin_asking(&self) -> JoinHandle<()> {
        let Published { catalog, asking, .. } = self.published.clone();
        tokio::spawn(ask_everybody(catalog, asking, self.store.clone(), self.queue.clone()))
    }

    /// The same, and waits for it for a while.
    async fn ask_everybody(&self) {
        if tokio::time::timeout(ASKING_MAX, self.begin_asking()).await.is_err() {
            tracing::info!("there are many persons; they are asked behind the answer");
        }
    }

    /// Cuts customers into fifths anew where some condition asks for that, and it is time.
    pub(super) async fn cut_customers(&self, now: Timestamp) -> Result<(), StoreError> {
        let asks = self.published.catalog.load().book.asks_for_rfm();
        let cut_at = self.cut_at.load(std::sync::atomic::Ordering::Relaxed);
        if !asks || now < Timestamp::from_micros(cut_at).plus_seconds(CUT_EVERY_S) {
            return Ok(());
        }
        self.cut_at.store(now.as_micros(), std::sync::atomic::Ordering::Relaxed);
        let (mut customers, mut last) = (Vec::new(), Box::from(""));
        loop {
            let page = profiles::page(self.store.reader(), &last, PAGE).await?;
            let Some((person, _)) = page.last() else { break };
            last = person.clone();
            customers.extend(page.iter().filter_map(|(_, known)| RfmPoint::of(&known.profile, CURRENCY)));
        }
        let cuts = RfmCuts::of(&customers, CURRENCY);
        bookmark::put(self.store.writer(), CUTS, &serde_json::to_string(&cuts).unwrap_or_default()).await?;
        self.republish().await
    }
}

/// Has every person asked, a page at a time, so that nobody else waits for long. Whoever comes second waits for the
/// first, and asks what has become other since the first began.
async fn ask_everybody(catalog: Arc<ArcSwap<Catalog>>, asking: Arc<Mutex<()>>, store: Store, queue: Queue) {
    let all_asked = async {
        let _asking = asking.lock().await;
        // Persons are asked what is published by then, which is this or newer.
        let wanted = catalog.load().book.asked;
        let noted = bookmark::get(store.writer(), ASKED).await?.unwrap_or_default();
        let asked: Asked = serde_json::from_str(&noted).unwrap_or_default();
        if asked == wanted {
            return Ok(());
        }
        let anew = asked.leaf < wanted.leaf;
        let mut last: Option<Box<str>> = Some("".into());
        while let Some(after) = last {
            last = queue.renew(after, anew).await?;
        }
        bookmark::put(store.writer(), ASKED, &json!(wanted).to_string()).await?;
        Ok::<(), IngestError>(())
    };
    if let Err(error) = all_asked.await {
        tracing::error!(%error, "not everybody was asked; it goes on after the next change or start");
    }
}

/// Where the fifths of all customers met when they were cut last.
async fn cuts(db: &DatabaseConnection) -> Result<Option<RfmCuts>, StoreError> {
    let text = bookmark::get(db, CUTS).await?.unwrap_or_default();
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// What persons are asked between requests, as the database has it.
#[expect(clippy::mutable_key_type, reason = "a pattern has a cache inside, and is compared by its text")]
pub(crate) async fn standing_book(store: &Store) -> Result<Rulebook, StoreError> {
    let db = store.reader();
    let leaves = audiences::leaves(db).await?;
    let leaf_id = |leaf: &EventLeaf| leaves.get(leaf).copied();
    let set = audiences::all(db).await?.into_iter().map(|one| (one.id, one.key, one.condition));
    let set = Audiences::new(set, &leaf_id).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let rfm = cuts(db).await?.map(Arc::new);
    let watched = Arc::new(Watched::new(leaves.into_iter().map(|(leaf, id)| (id, leaf))));
    Ok(Rulebook { watched, audiences: Arc::new(set), rfm, ..Rulebook::default() })
}

/// An audience, an experiment that `is_meant`, or an experience of which a condition `asks`.
pub(super) fn asked_by(
    catalog: &Catalog,
    all: &[Audience],
    (asks, is_meant): (impl Fn(&Condition) -> bool, impl Fn(&Experiment) -> bool),
) -> Option<String> {
    let asks_written =
        |condition: &Value| Condition::parse(condition).is_ok_and(|condition| asks(&condition));
    let audience = all.iter().find(|other| asks(&other.condition));
    let experiment = || {
        let mut all = catalog.experiments().filter(|one| is_meant(one));
        all.find(|one| one.definition.when.as_ref().is_some_and(asks_written)).map(|one| one.key.to_string())
    };
    let experience = || {
        let mut all = catalog.placements().flat_map(Placement::experiences);
        let of = |rules: &[podium_core::experience::CompiledRule]| {
            rules.iter().any(|rule| rule.when.as_ref().is_some_and(asks_written))
        };
        all.find(|one| of(&one.rules)).map(|one| one.key.to_string())
    };
    audience.map(|other| other.key.to_string()).or_else(experiment).or_else(experience)
}

/// Whether audiences can be used together.
fn check_set<'a>(all: impl Iterator<Item = &'a Audience>) -> Result<(), AudienceError> {
    let set = all.map(|one| (one.id, one.key.clone(), one.condition.clone()));
    let checked = Audiences::new(set, &|_| Some(LeafId(0)));
    checked.map(drop).map_err(|bad| AudienceError::Invalid(bad.faults))
}
