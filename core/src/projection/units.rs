//! The units in memory: found by id once a flush, by position from then on.

use super::unit::UnitState;
use std::collections::HashMap;
use std::sync::Arc;

/// Units kept in memory between flushes; the least recently used half goes when there are more.
const UNITS_MAX: usize = 200_000;

/// Position of a unit in memory. It holds until the unit is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct UnitIdx(u32);

#[derive(Debug, Default)]
pub(super) struct Units {
    by_id: HashMap<Arc<str>, UnitIdx>,
    states: Vec<UnitState>,
    free: Vec<UnitIdx>,
}

impl Units {
    pub(super) fn find(&self, id: &str) -> Option<UnitIdx> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, unit: UnitIdx) -> Option<&UnitState> {
        self.states.get(unit.0 as usize)
    }

    pub(super) fn get_mut(&mut self, unit: UnitIdx) -> Option<&mut UnitState> {
        self.states.get_mut(unit.0 as usize)
    }

    /// The unit, as one of which nothing is known if it is not in memory.
    pub(super) fn find_or_insert(&mut self, id: &str) -> UnitIdx {
        self.find(id).unwrap_or_else(|| self.insert(id))
    }

    fn insert(&mut self, id: &str) -> UnitIdx {
        let id: Arc<str> = id.into();
        let state = UnitState::new(Arc::clone(&id));
        let free = self.free.pop();
        let unit = free.unwrap_or(UnitIdx(self.states.len() as u32));
        match self.get_mut(unit) {
            Some(slot) => *slot = state,
            None => self.states.push(state),
        }
        self.by_id.insert(id, unit);
        unit
    }

    pub(super) fn remove(&mut self, unit: UnitIdx) {
        if let Some(slot) = self.get_mut(unit) {
            let removed = std::mem::take(slot);
            self.by_id.remove(&removed.id);
            self.free.push(unit);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Makes room if there are too many.
    pub(super) fn evict(&mut self) {
        if self.by_id.len() <= UNITS_MAX {
            return;
        }
        let used = |unit: &UnitIdx| self.get(*unit).map_or(0, |state| state.used);
        let mut ages: Vec<u64> = self.by_id.values().map(used).collect();
        let middle = ages.len() / 2;
        let median = *ages.select_nth_unstable(middle).1;
        let old: Vec<UnitIdx> = self.by_id.values().copied().filter(|unit| used(unit) <= median).collect();
        for unit in old {
            self.remove(unit);
        }
    }
}
