//! All audiences of a project, made ready: references are resolved, and events know whom they touch.

use super::condition::Condition;
use super::leaf::EventLeaf;
use super::subject::{ORDER_EVENTS, Subject, Touch};
use crate::fault::Fault;
use crate::id::{AudienceId, AudienceKey, LeafId, SourceKey};
use crate::metric::extract::ORDER_COMPLETED;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The most conditions that are looked at for one answer, those of named audiences included.
const EXPANDED_MAX: usize = 2_000;

/// A condition whose events and audiences are known to the store.
pub(super) type Node = Condition<(EventLeaf, LeafId), (AudienceKey, AudienceId)>;

/// A condition made ready by [`Audiences::compile`].
#[derive(Clone, Debug)]
pub struct CompiledCondition {
    pub(super) root: Node,
    needs_context: bool,
    sources: BTreeSet<SourceKey>,
    n_nodes: usize,
}

impl CompiledCondition {
    /// Whether it, or an audience that it names, reads what only a request brings or has asked for.
    pub fn needs_context(&self) -> bool {
        self.needs_context
    }

    /// The sources of external data that it, or an audience that it names, reads.
    pub fn sources(&self) -> &BTreeSet<SourceKey> {
        &self.sources
    }

    /// Whether it asks itself how a customer compares with all others.
    pub fn asks_for_rfm(&self) -> bool {
        let mut asks = false;
        self.root.visit(&mut |node| asks |= matches!(node, Node::Is(subject, _) if subject.is_rfm()));
        asks
    }
}

/// The audiences of a project.
#[derive(Clone, Debug, Default)]
pub struct Audiences {
    ids: HashMap<AudienceKey, AudienceId>,
    compiled: HashMap<AudienceId, CompiledCondition>,
    touched: HashMap<Box<str>, Vec<AudienceId>>,
    touched_by_every: Vec<AudienceId>,
}

/// Audiences that cannot be made ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audience `{key}` cannot be used: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct BadAudience {
    /// The audience.
    pub key: AudienceKey,
    /// What is wrong with its condition.
    pub faults: Vec<Fault>,
}

impl Audiences {
    /// Makes audiences ready.
    ///
    /// - `leaf_ids`: under which id a condition on past events is watched.
    ///
    /// # Errors
    ///
    /// [`BadAudience`] for the first one that names an audience that is not there, or itself by whatever way, or a
    /// condition on past events that is not watched.
    pub fn new(
        audiences: impl IntoIterator<Item = (AudienceId, AudienceKey, Condition)>,
        leaf_ids: &dyn Fn(&EventLeaf) -> Option<LeafId>,
    ) -> Result<Self, BadAudience> {
        let mut waiting: BTreeMap<AudienceId, (AudienceKey, Condition)> =
            audiences.into_iter().map(|(id, key, condition)| (id, (key, condition))).collect();
        let ids = waiting.iter().map(|(id, (key, _))| (key.clone(), *id)).collect();
        let mut set = Self { ids, ..Self::default() };
        while !waiting.is_empty() {
            let mut is_stuck = true;
            // In the order of ids, each once all that it names are ready; what remains names itself.
            for id in waiting.keys().copied().collect::<Vec<_>>() {
                let is_ready = |condition: &Condition| {
                    condition
                        .audiences()
                        .into_iter()
                        .all(|key| set.find(key).is_none_or(|id| set.get(id).is_some()))
                };
                let Some((key, condition)) = waiting.get(&id).filter(|(_, condition)| is_ready(condition))
                else {
                    continue;
                };
                let compiled = set.compile(condition, leaf_ids);
                let compiled = compiled.map_err(|faults| BadAudience { key: key.clone(), faults })?;
                set.compiled.insert(id, compiled);
                waiting.remove(&id);
                is_stuck = false;
            }
            if is_stuck && let Some((_, (key, condition))) = waiting.pop_first() {
                let faults = set.cycles(&condition);
                return Err(BadAudience { key, faults });
            }
        }
        set.index();
        Ok(set)
    }

    /// Makes a condition ready that is nobody's audience: an experiment's or a rule's own.
    ///
    /// # Errors
    ///
    /// A [`Fault`] for each audience that is not there and each condition on past events that is not watched, and one if
    /// all that it leads to is too much.
    pub fn compile(
        &self,
        condition: &Condition,
        leaf_ids: &dyn Fn(&EventLeaf) -> Option<LeafId>,
    ) -> Result<CompiledCondition, Vec<Fault>> {
        let mut resolving = Resolving { set: self, leaf_ids, own: None, faults: Vec::new() };
        let root = resolving.resolve(condition, "");
        let Some(root) = root.filter(|_| resolving.faults.is_empty()) else { return Err(resolving.faults) };
        let (mut needs_context, mut sources, mut n_nodes) = (root.needs_context(), BTreeSet::new(), 0);
        root.visit(&mut |node| {
            n_nodes += 1;
            if let Node::Is(Subject::External { source, .. }, _) = node {
                sources.insert(source.clone());
            }
            if let Node::Audience((_, id)) = node
                && let Some(named) = self.compiled.get(id)
            {
                needs_context |= named.needs_context;
                sources.extend(named.sources.iter().cloned());
                n_nodes += named.n_nodes;
            }
        });
        if EXPANDED_MAX < n_nodes {
            let detail =
                format!("at most {EXPANDED_MAX} conditions with those of the audiences that are named");
            return Err(vec![Fault::new("", detail)]);
        }
        Ok(CompiledCondition { root, needs_context, sources, n_nodes })
    }

    /// What is wrong with what a condition names if it becomes that of the audience `key`, as far as its own text tells:
    /// audiences that are not there, and those that lead back to it.
    pub fn reference_faults(&self, key: &AudienceKey, condition: &Condition) -> Vec<Fault> {
        let leaf_ids = |_: &EventLeaf| Some(LeafId::default());
        let mut resolving = Resolving { set: self, leaf_ids: &leaf_ids, own: Some(key), faults: Vec::new() };
        resolving.resolve(condition, "");
        resolving.faults
    }

    /// Whether an audience is the one that `key` names, or names it by whatever way.
    fn leads_to(&self, id: AudienceId, key: &AudienceKey) -> bool {
        let mut leads = self.ids.get(key) == Some(&id);
        if let Some(named) = self.get(id).filter(|_| !leads) {
            named.root.visit(&mut |node| {
                leads |= matches!(node, Node::Audience((_, inner)) if self.leads_to(*inner, key));
            });
        }
        leads
    }

    /// Says which audiences that `condition` names lead back to where they began.
    fn cycles(&self, condition: &Condition) -> Vec<Fault> {
        let unready = |key: &&str| self.find(key).is_some_and(|id| self.get(id).is_none());
        let keys: BTreeSet<_> = condition.audiences().into_iter().filter(unready).collect();
        let detail =
            |key: &str| format!("no circle of audiences: `{key}` leads back to this one or to itself");
        keys.into_iter().map(|key| Fault::new("", detail(key))).collect()
    }

    fn index(&mut self) {
        let mut by_every = BTreeSet::new();
        let mut by_name: HashMap<Box<str>, BTreeSet<AudienceId>> = HashMap::new();
        for (id, compiled) in self.compiled.iter().filter(|(_, compiled)| !compiled.needs_context) {
            let mut names = HashSet::new();
            if self.touches(&compiled.root, &mut names) {
                by_every.insert(*id);
            }
            for name in names {
                by_name.entry(name.into()).or_default().insert(*id);
            }
        }
        self.touched_by_every = by_every.iter().copied().collect();
        let with_every = |ids: BTreeSet<_>| ids.union(&by_every).copied().collect();
        self.touched = by_name.into_iter().map(|(name, ids)| (name, with_every(ids))).collect();
    }

    /// Collects the names of events that can change the answer, and says whether any event can.
    fn touches<'a>(&'a self, root: &'a Node, names: &mut HashSet<&'a str>) -> bool {
        let mut by_every = false;
        root.visit(&mut |node| match node {
            Node::Is(subject, _) => match subject.touch() {
                Touch::Nothing => {}
                Touch::Every => by_every = true,
                Touch::Named(named) => names.extend(named),
            },
            Node::Event((leaf, _)) if *leaf.name == *ORDER_COMPLETED => names.extend(ORDER_EVENTS),
            Node::Event((leaf, _)) => drop(names.insert(&leaf.name)),
            Node::Audience((_, id)) => {
                by_every |= self.get(*id).is_some_and(|named| self.touches(&named.root, names));
            }
            Node::All(_) | Node::Any(_) | Node::Not(_) | Node::Time(_) => {}
        });
        by_every
    }

    /// The audience that `key` names.
    pub fn find(&self, key: &str) -> Option<AudienceId> {
        self.ids.get(&AudienceKey::new(key).ok()?).copied()
    }

    /// An audience's condition.
    pub fn get(&self, id: AudienceId) -> Option<&CompiledCondition> {
        self.compiled.get(&id)
    }

    /// All audiences.
    pub fn iter(&self) -> impl Iterator<Item = (AudienceId, &CompiledCondition)> {
        self.compiled.iter().map(|(id, compiled)| (*id, compiled))
    }

    /// The audiences whose answer an event with this name can change, those that need no context only. A join of two
    /// persons, new RFM cuts and time can change the others too.
    pub fn touched_by(&self, event_name: &str) -> &[AudienceId] {
        if event_name.starts_with('$') {
            return &[];
        }
        self.touched.get(event_name).map_or(&self.touched_by_every, Vec::as_slice)
    }
}

/// Looks up what a condition names, and remembers what is wrong.
struct Resolving<'a> {
    set: &'a Audiences,
    leaf_ids: &'a dyn Fn(&EventLeaf) -> Option<LeafId>,
    /// The audience whose condition it becomes, if it becomes one's.
    own: Option<&'a AudienceKey>,
    faults: Vec<Fault>,
}

impl Resolving<'_> {
    fn resolve(&mut self, condition: &Condition, pointer: &str) -> Option<Node> {
        match condition {
            Condition::All(conditions) => self.list(conditions, &format!("{pointer}/all")).map(Node::All),
            Condition::Any(conditions) => self.list(conditions, &format!("{pointer}/any")).map(Node::Any),
            Condition::Not(inner) => {
                let inner = self.resolve(inner, &format!("{pointer}/not"))?;
                Some(Node::Not(Box::new(inner)))
            }
            Condition::Is(subject, test) => Some(Node::Is(subject.clone(), test.clone())),
            Condition::Time(schedule) => Some(Node::Time(schedule.clone())),
            Condition::Event(leaf) => {
                let id = (self.leaf_ids)(leaf);
                if id.is_none() {
                    self.faults.push(Fault::new(format!("{pointer}/event"), "past events that are watched"));
                }
                Some(Node::Event((leaf.clone(), id?)))
            }
            Condition::Audience(key) => {
                let id = self.audience(key);
                let id =
                    id.map_err(|detail| self.faults.push(Fault::new(format!("{pointer}/audience"), detail)));
                Some(Node::Audience((key.clone(), id.ok()?)))
            }
        }
    }

    fn list(&mut self, conditions: &[Condition], pointer: &str) -> Option<Vec<Node>> {
        let each = conditions.iter().enumerate();
        let resolved: Vec<_> =
            each.filter_map(|(idx, inner)| self.resolve(inner, &format!("{pointer}/{idx}"))).collect();
        (resolved.len() == conditions.len()).then_some(resolved)
    }

    fn audience(&self, key: &AudienceKey) -> Result<AudienceId, String> {
        let circle = || format!("an audience that does not lead back to this one, as `{key}` does");
        if self.own == Some(key) {
            return Err(circle());
        }
        let id = self.set.ids.get(key).copied();
        let id = id.ok_or_else(|| format!("an audience that exists; there is no `{key}`"))?;
        if self.own.is_some_and(|own| self.set.leads_to(id, own)) { Err(circle()) } else { Ok(id) }
    }
}
