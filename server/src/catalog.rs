//! What handlers read without asking the database: the snapshot to decide on, what is always on, and the experiments
//! by name.

use crate::app::Slots;
use crate::auth::Scope;
use crate::external::Source;
use crate::rulebook::Rulebook;
use podium_core::experience::{self, Compiled, Placement};
use podium_core::experiment::{Experiment, Status};
use podium_core::id::ExperimentId;
use podium_core::snapshot::{Flag, Snapshot, WeightsVersion};
use podium_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// What has to be known of who asks before flags are decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Whether what answers depends on what is known of them here.
    pub(crate) is_targeted: bool,
    /// The other systems that are asked about them.
    pub(crate) sources: Vec<Arc<Source>>,
}

/// The sources of external data that decisions on a flag ask.
#[derive(Clone, Debug)]
struct FlagSources {
    /// Those of what pages are told of.
    of_pages: Vec<Arc<Source>>,
    all: Vec<Arc<Source>>,
}

/// A condition behind a flag.
#[derive(Clone, Copy, Debug)]
struct Condition {
    /// What has it.
    id: ExperimentId,
    server_only: bool,
    /// Whether decisions ask it.
    is_on: bool,
}

/// Everything published at one moment; replaced whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    /// What decisions are made on.
    pub(crate) snapshot: Snapshot,
    /// What pages are given of each variant.
    pub(crate) slots: Slots,
    /// Every condition.
    pub(crate) book: Rulebook,
    placements: Arc<HashMap<Box<str>, Placement>>,
    /// The flags whose conditions read external data.
    sources: Arc<HashMap<Box<str>, FlagSources>>,
    /// The flag key of the global holdout.
    holdout: Option<Box<str>>,
    /// Experiments that another one answers for, each with the flag that it would answer to.
    waiting: HashMap<ExperimentId, (Box<str>, Arc<Flag>)>,
    by_key: HashMap<Box<str>, Arc<Experiment>>,
    by_id: HashMap<ExperimentId, Arc<Experiment>>,
}

impl Catalog {
    /// Builds what is published from every experiment in every version, oldest first, with its newest weights.
    ///
    /// A flag belongs to the newest version that is no draft; a draft has it only where nothing else does.
    ///
    /// - `placements`: experiences by the flag that they answer to.
    pub(crate) fn new(
        version: u64,
        experiments: Vec<(Experiment, WeightsVersion)>,
        placements: HashMap<Box<str>, Placement>,
        slots: Slots,
        book: Rulebook,
    ) -> Self {
        let mut flags: HashMap<Box<str>, (bool, Flag)> = HashMap::new();
        let mut catalog = Self { slots, book, placements: Arc::new(placements), ..Self::default() };
        for (experiment, weights) in experiments {
            let is_draft = experiment.status == Status::Draft;
            if let Some(flag) = Flag::new(&experiment, &weights) {
                let key: Box<str> = experiment.flag_key().into();
                let taken = flags.get(&key).is_some_and(|(other_is_draft, _)| is_draft && !other_is_draft);
                let not_shown = if taken {
                    Some(flag)
                } else {
                    flags.insert(key.clone(), (is_draft, flag)).map(|(_, other)| other)
                };
                let not_shown = not_shown.map(|flag| (flag.experiment, (key, Arc::new(flag))));
                catalog.waiting.extend(not_shown);
            }
            let experiment = Arc::new(experiment);
            let key: Box<str> = experiment.key.as_str().into();
            let shadowed =
                is_draft && catalog.by_key.get(&key).is_some_and(|other| other.status != Status::Archived);
            if !shadowed {
                catalog.by_key.insert(key, Arc::clone(&experiment));
            }
            catalog.by_id.insert(experiment.id, experiment);
        }
        let holdouts = flags.iter().filter(|(_, (_, flag))| flag.is_holdout);
        catalog.holdout =
            holdouts.min_by_key(|(_, (_, flag))| flag.experiment).map(|(flag_key, _)| flag_key.clone());
        catalog.snapshot =
            Snapshot::new(version, flags.into_iter().map(|(key, (_, flag))| (key, Arc::new(flag))));
        catalog.sources = Arc::new(catalog.sources_by_flag());
        catalog
    }

    fn sources_by_flag(&self) -> HashMap<Box<str>, FlagSources> {
        if self.book.sources.is_empty() {
            return HashMap::new();
        }
        let keys: BTreeSet<&str> = self
            .snapshot
            .flags()
            .map(|(key, _)| key)
            .chain(self.placements.keys().map(|key| &**key))
            .collect();
        let of_flag = |flag_key: &str| {
            let of_pages = self.sources_where(flag_key, |one| one.is_on && !one.server_only);
            let all = self.sources_where(flag_key, |one| one.is_on);
            (!all.is_empty()).then(|| (flag_key.into(), FlagSources { of_pages, all }))
        };
        keys.into_iter().filter_map(of_flag).collect()
    }

    /// The sources that conditions behind a flag read, in the order of their keys.
    fn sources_where(&self, flag_key: &str, is_meant: impl Fn(&Condition) -> bool) -> Vec<Arc<Source>> {
        let conditions = self.conditions(flag_key);
        let meant = conditions.iter().filter(|one| is_meant(one));
        let sources = meant.flat_map(|one| self.book.sources_of(one.id));
        let by_key: BTreeMap<_, _> = sources.map(|source| (&source.stored.key, source)).collect();
        by_key.into_values().map(Arc::clone).collect()
    }

    /// The conditions behind a flag, each once for each that has it.
    fn conditions(&self, flag_key: &str) -> Vec<Condition> {
        let of_experiment = |flag: &Flag, server_only, is_on| {
            let is_on = is_on && flag.is_running();
            Condition { id: flag.experiment, server_only: server_only || flag.server_only, is_on }
        };
        let mut all: Vec<_> =
            self.snapshot.flag(flag_key).map(|flag| of_experiment(flag, false, true)).into_iter().collect();
        for experience in self.placement(flag_key).map_or(&[][..], Placement::experiences) {
            let (server_only, is_on) =
                (experience.server_only, experience.status == experience::Status::Live);
            for rule in &experience.rules {
                all.push(Condition { id: rule.figures, server_only, is_on });
                let flag = rule.experiment.as_deref().and_then(|key| self.flag_of(key));
                all.extend(flag.map(|flag| of_experiment(flag, server_only, is_on)));
            }
        }
        all
    }

    /// What has to be known of who asks before flags are decided.
    ///
    /// - `targeted`: those of the flags whose answer depends on it.
    pub(crate) fn needs<'a>(&self, targeted: impl IntoIterator<Item = &'a str>, scope: Scope) -> Needs {
        let mut needs = Needs::default();
        for flag_key in targeted {
            needs.is_targeted = true;
            if self.sources.is_empty() {
                break;
            }
            let Some(sources) = self.sources.get(flag_key) else { continue };
            for source in if Scope::Server <= scope { &sources.all } else { &sources.of_pages } {
                if !needs.sources.iter().any(|other| Arc::ptr_eq(other, source)) {
                    needs.sources.push(Arc::clone(source));
                }
            }
        }
        needs
    }

    /// What has to be known of a unit before everything about these flags is shown, also what decisions do not ask yet.
    pub(crate) fn all_sources<'a>(&self, flag_keys: impl IntoIterator<Item = &'a str>) -> Vec<Arc<Source>> {
        let sources = flag_keys.into_iter().flat_map(|flag_key| self.sources_where(flag_key, |_| true));
        let by_key: BTreeMap<_, _> = sources.map(|source| (source.stored.key.clone(), source)).collect();
        by_key.into_values().collect()
    }

    /// The same with other states of experiments, oldest first.
    pub(crate) fn with_experiments(&self, experiments: Vec<(Experiment, WeightsVersion)>) -> Self {
        let placements = HashMap::clone(&self.placements);
        Self::new(self.snapshot.version, experiments, placements, self.slots.clone(), self.book.clone())
    }

    /// The same with new weights of one experiment.
    pub(crate) fn with_weights(&self, id: ExperimentId, weights: &WeightsVersion) -> Self {
        let mut next = self.clone();
        let experiment = self.by_id.get(&id);
        let renewed = |flag: &Arc<Flag>| {
            let flag = (flag.experiment == id).then(|| Flag::new(experiment?, weights)).flatten()?;
            Some(Arc::new(flag))
        };
        let flags = self.snapshot.flags().map(|(key, flag)| {
            let flag = renewed(flag).unwrap_or_else(|| Arc::clone(flag));
            (key.into(), flag)
        });
        next.snapshot = Snapshot::new(self.snapshot.version + 1, flags);
        next
    }

    /// Every flag that something answers to, in the order of the keys. Experiments of rules are asked for by the flag
    /// of their experience, and not apart.
    pub(crate) fn flag_keys(&self) -> BTreeSet<&str> {
        let inner: HashSet<&str> = self.placements().flat_map(Placement::experiments).collect();
        let of_experiments = self.snapshot.flags().filter(|(_, flag)| !inner.contains(&*flag.experiment_key));
        let of_experiments = of_experiments.map(|(key, _)| key);
        of_experiments.chain(self.placements.keys().map(|key| &**key)).collect()
    }

    /// Whether what answers on a flag depends on what is known of who asks.
    pub(crate) fn is_targeted(&self, flag_key: &str) -> bool {
        let flag = self.snapshot.flag(flag_key);
        let placement = self.placement(flag_key);
        let experiences = placement.map_or(&[][..], Placement::experiences);
        let of_rules = placement.into_iter().flat_map(Placement::experiments);
        let mut flags = flag.into_iter().chain(of_rules.filter_map(|key| self.flag_of(key)));
        flags.any(|flag| self.book.is_targeted(flag.experiment))
            || experiences.iter().any(Compiled::is_targeted)
    }

    /// An experiment that would answer to a flag, did not another one.
    pub(crate) fn waiting(&self, flag_key: &str, id: ExperimentId) -> Option<&Flag> {
        self.waiting.get(&id).filter(|(key, _)| **key == *flag_key).map(|(_, flag)| &**flag)
    }

    /// All those, in the order they were registered.
    pub(crate) fn all_waiting(&self, flag_key: &str) -> BTreeSet<ExperimentId> {
        let of_flag = self.waiting.iter().filter(|(_, (key, _))| **key == *flag_key);
        of_flag.map(|(id, _)| *id).collect()
    }

    /// The flag of the experiment of this key, unless it is put away.
    pub(crate) fn flag_of(&self, experiment_key: &str) -> Option<&Flag> {
        let experiment = self.by_key.get(experiment_key)?;
        self.snapshot.flag(experiment.flag_key()).filter(|flag| &*flag.experiment_key == experiment_key)
    }

    /// The global holdout that runs; of several, the one that was registered first.
    pub(crate) fn holdout(&self) -> Option<&Flag> {
        self.snapshot.flag(self.holdout.as_deref()?)
    }

    /// All experiences, by the flags they answer to.
    pub(crate) fn placements(&self) -> impl Iterator<Item = &Placement> {
        self.placements.values()
    }

    /// The experiences that answer to a flag, if there are any.
    pub(crate) fn placement(&self, flag_key: &str) -> Option<&Placement> {
        self.placements.get(flag_key)
    }

    /// The experiment that a key or a numeric id names; of several versions the one that clients meet.
    pub(crate) fn named(&self, name: &str) -> Option<&Experiment> {
        let by_key = self.by_key.get(name);
        by_key.or_else(|| self.by_id.get(&ExperimentId(name.parse().ok()?))).map(|experiment| &**experiment)
    }

    /// Every experiment in every version, in no order.
    pub(crate) fn experiments(&self) -> impl Iterator<Item = &Arc<Experiment>> {
        self.by_id.values()
    }
    /// The same on every node that answers alike by now: schedules of experiences begin and end by themselves.
    pub(crate) fn fingerprint(&self, now: Timestamp) -> u64 {
        let placements = self.placements.iter().map(|(key, placement)| (key, placement.fingerprint(now)));
        let placements: BTreeMap<_, _> = placements.collect();
        let all = (self.snapshot.fingerprint(), placements);
        XxHash3_64::oneshot(&serde_json::to_vec(&all).unwrap_or_default())
    }
}
