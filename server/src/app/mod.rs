//! What handlers share, and the use cases they call. Nothing in here knows HTTP.

mod answer;
mod answered;
mod asker;
mod audiences;
mod brought;
mod choose;
mod conclude;
mod decide;
mod edit;
mod evaluate;
mod experiences;
mod explain;
mod forced;
pub(crate) mod history;
mod intake;
mod logged;
mod notices;
mod plan;
mod plugins;
mod preview;
mod profiles;
mod register;
mod report;
mod reweigh;
mod schedule;
mod shadow;
mod slots;
mod sources;
mod sticky;
pub(crate) mod track;
mod undo;
mod watch;

pub(crate) use audiences::{AudienceError, Preview, standing_book};
pub(crate) use conclude::Wish;
#[cfg(test)]
pub(crate) use conclude::check_reason;
pub(crate) use decide::{DecideRequest, Decided, DecisionBody, FLAGS_MAX};
pub(crate) use edit::{Change, EditError, Undo};
pub(crate) use evaluate::Evaluation;
pub(crate) use experiences::{ExperienceError, Nested, Promotion, RulesReport, as_experiment};
pub(crate) use forced::{LinkAsked, NoLink};
pub(crate) use intake::{IntakeError, Taken};
pub(crate) use notices::{Notice, Notices};
pub(crate) use plan::{Plan, PlanRequest, three_days};
pub(crate) use plugins::NotDone;
pub(crate) use preview::PreviewAsked;
pub(crate) use profiles::Person;
pub(crate) use register::RegisterError;
pub(crate) use report::ReportError;
pub(crate) use slots::Slots;
pub(crate) use sources::SourceError;
pub(crate) use track::tracked_metrics;

use crate::auth::{KeyRing, Refused, Scope};
use crate::catalog::Catalog;
use crate::clock;
use crate::delivery::tokens::Links;
use crate::delivery::{Channels, Sender};
use crate::engine;
use crate::external::Caller;
use crate::ingest::allocate::Primary;
use crate::ingest::queue::{IngestError, Queue};
use crate::ingest::touched::Touched;
use crate::ingest::writer::Writer;
use crate::limits::Limits;
use crate::outgoing::Allowed;
use crate::secrets::Secrets;
use crate::shoppers::Shoppers;
use crate::store::{Store, StoreError, experiments, identity, keys, stats, weights};
use crate::webhooks;
use arc_swap::ArcSwap;
use history::Actor;
use podium_core::experiment::{Experiment, MetricChoice, Status, Stickiness};
use podium_core::id::ExperimentId;
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;
use podium_plugin_host::{MetricInfo, Registry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// After how many seconds contents are rendered again that a plugin did not answer for.
const RENDER_AGAIN_S: i64 = 5;
/// The longest that a stop waits for messages on their way.
const SENDER_STOP: Duration = Duration::from_secs(20);

/// What is published to every thread, and what it was made with.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    /// The snapshot and the experiments.
    pub(crate) catalog: Arc<ArcSwap<Catalog>>,
    /// The plugins.
    pub(crate) registry: Arc<Registry>,
    /// Whose sums have changed.
    pub(crate) touched: Arc<Touched>,
    /// What is known of shoppers.
    pub(crate) shoppers: Arc<Shoppers>,
    /// Held while everybody is asked: once at a time.
    pub(crate) asking: Arc<tokio::sync::Mutex<()>>,
}

impl Published {
    /// How the primary metric of an experiment is to be read; `None` if its plugin is not loaded or in quarantine.
    pub(crate) fn primary(&self, experiment: &Experiment) -> Option<Primary> {
        let choice = &experiment.definition.primary_metric;
        let info = self.registry.find(&choice.metric).filter(|info| self.registry.is_up(&info.id))?;
        let direction = choice.direction.unwrap_or_else(|| engine::direction(info));
        Some(Primary {
            kind: engine::kind(info),
            direction,
            window_s: window_s(choice, Some(info)),
            cap_quantile: track::cap_quantile(choice, Some(info)),
        })
    }
}

/// The attribution window of a metric in an experiment: its own, else the metric's, else 72 hours.
pub(crate) fn window_s(choice: &MetricChoice, info: Option<&MetricInfo>) -> i64 {
    let own = info.map(|info| info.window_s).filter(|window_s| 0 < *window_s);
    choice.window_s.or(own).unwrap_or_else(three_days)
}

/// Everything a request may need.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) published: Published,
    pub(crate) keys: ArcSwap<KeyRing>,
    /// How much each client may send.
    pub(crate) limits: Limits,
    /// One edit at a time, so that what is published is what was written last.
    edits: tokio::sync::Mutex<()>,
    /// Where people reach the server, and what links are signed with.
    pub(crate) links: Links,
    /// The channels that are set up.
    pub(crate) channels: Arc<Channels>,
    sender: Arc<Sender>,
    /// What tells webhooks.
    pub(crate) webhooks: Arc<webhooks::Sender>,
    /// What asks other systems.
    pub(crate) external: Caller,
    /// When contents are to be rendered again that a plugin did not answer for, in microseconds.
    render_again_at: AtomicI64,
    /// What pages are told that have asked before.
    pub(crate) notices: Notices,
    /// When customers were cut into fifths, in microseconds.
    cut_at: AtomicI64,
    draining: AtomicBool,
}

impl App {
    /// Loads everything from the database and starts the writer.
    pub(crate) async fn start(
        store: Store,
        registry: Registry,
        links: Links,
        (secrets, allowed): (Secrets, Allowed),
        limits: Limits,
    ) -> Result<Arc<Self>, StoreError> {
        let registry = Arc::new(registry);
        track::renew_stale(&store, &registry).await?;
        let (queue, jobs) = Queue::new();
        let published = Published {
            catalog: Arc::default(),
            registry,
            touched: Arc::default(),
            shoppers: Arc::default(),
            asking: Arc::default(),
        };
        let writer = Writer::new(store.clone(), jobs, published.clone()).await?;
        tokio::spawn(writer.run());
        let webhooks = webhooks::Sender::new(store.clone(), secrets.clone(), allowed.webhooks);
        let external = Caller::new(secrets.clone(), allowed.external);
        let channels = Channels::load(store.clone(), Arc::clone(&published.registry), secrets).await?;
        let channels = Arc::new(channels);
        let sender = Sender::new(store.clone(), queue.clone(), Arc::clone(&channels), links.clone());
        let app = Arc::new(Self {
            store,
            queue,
            published,
            keys: ArcSwap::default(),
            limits,
            edits: tokio::sync::Mutex::new(()),
            links,
            channels,
            sender: Arc::clone(&sender),
            webhooks: Arc::clone(&webhooks),
            external,
            render_again_at: AtomicI64::new(i64::MAX),
            notices: Notices::default(),
            cut_at: AtomicI64::new(0),
            draining: AtomicBool::new(false),
        });
        app.reload_keys().await?;
        let shoppers = &app.published.shoppers;
        identity::all(app.store.reader(), |(id, person)| shoppers.join(&id, person)).await?;
        for experiment in experiments::all(app.store.reader()).await? {
            app.load_assignments(&experiment).await?;
            if let Err(error) = app.track(&experiment).await {
                tracing::error!(experiment.key = %experiment.key, %error, "no figures are kept for now");
            }
        }
        app.track_all_rules().await?;
        app.publish().await?;
        tokio::spawn(sender.run());
        tokio::spawn(webhooks.run());
        Ok(app)
    }

    /// Whether requests should go elsewhere.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Has requests go elsewhere from now on.
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Finishes what was accepted.
    pub(crate) async fn drain(&self) {
        self.begin_drain();
        self.webhooks.drain();
        self.external.drain();
        self.sender.drain(SENDER_STOP).await;
        let _ = self.queue.barrier().await;
    }

    /// Says that there may be something to send.
    pub(crate) fn wake_sender(&self) {
        self.sender.ring();
    }

    /// Reads the keys again.
    pub(crate) async fn reload_keys(&self) -> Result<(), StoreError> {
        let records = keys::all(self.store.reader()).await?;
        self.keys.store(Arc::new(KeyRing::new(&records)));
        Ok(())
    }

    /// What `key` may do, for a page of this origin if it is one.
    pub(crate) fn scope(&self, key: &str, origin: Option<&[u8]>) -> Result<Scope, Refused> {
        self.keys.load().scope(key, origin)
    }

    /// Who has `key`.
    pub(crate) fn actor(&self, key: &str) -> Option<Actor> {
        self.keys.load().actor(key)
    }

    /// Reads every experiment again and publishes what decisions are made on.
    async fn publish(&self) -> Result<(), StoreError> {
        let mut all = Vec::new();
        for experiment in experiments::all(self.store.writer()).await? {
            let newest = weights::newest(self.store.writer(), experiment.id).await?;
            let newest =
                newest.ok_or_else(|| StoreError::Corrupt(format!("no weights of `{}`", experiment.key)))?;
            all.push((experiment, newest.weights));
        }
        let live: Vec<&Experiment> = all
            .iter()
            .map(|(experiment, _)| experiment)
            .filter(|experiment| experiment.status != Status::Archived)
            .collect();
        let always_on = self.experiences_shown().await?;
        let (slots, all_answered) = self.rendered(&live, &always_on).await;
        let again_at = if all_answered { i64::MAX } else { now().plus_seconds(RENDER_AGAIN_S).as_micros() };
        self.render_again_at.store(again_at, Ordering::Relaxed);
        let version = self.published.catalog.load().snapshot.version + 1;
        let placements = self.placements(&always_on).await?;
        let book = self.rulebook(&all, &placements).await?;
        let catalog = Arc::new(Catalog::new(version, all, placements, slots, book));
        self.published.catalog.store(Arc::clone(&catalog));
        self.notices.announce(&catalog, now());
        self.begin_asking();
        Ok(())
    }

    /// The same while nobody edits.
    pub(crate) async fn republish(&self) -> Result<(), StoreError> {
        let _editing = self.edits.lock().await;
        self.publish().await
    }

    async fn load_assignments(&self, experiment: &Experiment) -> Result<(), StoreError> {
        let is_live = matches!(experiment.status, Status::Running | Status::Paused);
        if is_live && experiment.definition.stickiness == Stickiness::Sticky {
            let shoppers = &self.published.shoppers;
            stats::assignments(self.store.reader(), experiment.id, |unit, assignment| {
                shoppers.assign(experiment.id, unit, assignment);
            })
            .await?;
        }
        Ok(())
    }

    /// Has figures kept of an experiment, as far as its metrics are loaded.
    pub(crate) async fn track(&self, experiment: &Experiment) -> Result<(), TrackError> {
        let (tracked, metrics) = track::tracked(&self.store, &self.published.registry, experiment).await?;
        Ok(self.queue.track(tracked, metrics).await?)
    }

    /// The weights that an experiment is at.
    pub(crate) async fn weights(&self, id: ExperimentId) -> Result<weights::StoredWeights, StoreError> {
        let newest = weights::newest(self.store.reader(), id).await?;
        newest.ok_or_else(|| StoreError::Corrupt(format!("no weights of experiment {}", id.0)))
    }

    /// Runs what is due by time: schedules, then weights.
    pub(crate) async fn tick(&self, now: Timestamp) {
        self.run_schedule(now).await;
        if self.render_again_at.load(Ordering::Relaxed) <= now.as_micros()
            && let Err(error) = self.republish().await
        {
            tracing::error!(%error, "contents were not rendered again");
        }
        if let Err(error) = self.queue.due(now).await {
            tracing::error!(%error, "audiences were not looked at");
        }
        if let Err(error) = self.cut_customers(now).await {
            tracing::error!(%error, "customers were not cut into fifths");
        }
        if let Err(error) = self.queue.allocate(now).await {
            tracing::error!(%error, "weights were not looked at");
        }
        self.notices.announce(&self.published.catalog.load(), now);
    }
}

/// Why no figures are kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrackError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writer.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// The weights that an experiment starts with: the registered shares, even ones where weights move.
fn first_weights(experiment: &Experiment, version: u32) -> WeightsVersion {
    let definition = &experiment.definition;
    let is_adaptive = definition.is_adaptive();
    let share = |variant: &podium_core::experiment::Variant| match (variant.is_active(), is_adaptive) {
        (false, _) => 0.0,
        (true, true) => 1.0,
        (true, false) => variant.weight,
    };
    let sum: f64 = definition.variants.iter().map(share).sum();
    let slot = definition.exclusion_group.as_ref().map(|group| podium_core::snapshot::Slot {
        group: group.key.to_string(),
        start: group.start.unwrap_or(0.0),
        end: group.start.unwrap_or(0.0) + group.share,
    });
    WeightsVersion {
        version,
        salt: experiment.salt(),
        traffic: definition.traffic,
        slot,
        weights: definition.variants.iter().map(|v| (v.key.to_string(), share(v) / sum)).collect(),
    }
}

/// Now, for records.
fn now() -> Timestamp {
    clock::now()
}
