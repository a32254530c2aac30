//! Where units stand in experiments, and what that changes in the sums of variants.

use super::MetricEngine;
use super::metrics::{MetricIdx, Metrics};
use super::projector::Changes;
use super::tracked::Tracked;
use super::unit::{Accumulators, Placement, UnitMetric};
use super::units::{UnitIdx, Units};
use crate::id::ExperimentId;
use crate::metric::UnitValue;
use std::collections::HashMap;

/// The experiments whose figures are kept.
#[derive(Debug, Default)]
pub(super) struct Experiments(HashMap<ExperimentId, (Tracked, Vec<Option<MetricIdx>>)>);

/// Values that a metric is asked for.
#[derive(Default)]
struct Asked {
    sums: Vec<i64>,
    places: Vec<Place>,
}

/// Where a value belongs.
#[derive(Clone, Copy)]
struct Place {
    unit: UnitIdx,
    /// Position among the units that are touched.
    touched_idx: usize,
    placement_idx: usize,
    /// Position among the experiment's metrics.
    metric_idx: usize,
    span: Span,
}

/// Whether a value is of what came after a unit's first exposure or before it.
#[derive(Clone, Copy)]
enum Span {
    Window,
    History,
}

impl Asked {
    fn ask(&mut self, sums: &Accumulators, place: Place) {
        self.sums.extend_from_slice(sums.as_slice());
        self.places.push(place);
    }
}

impl Experiments {
    pub(super) fn track(&mut self, tracked: Tracked, metrics: &Metrics) {
        let positions = tracked.metrics.iter().map(|metric| metrics.position(metric.metric)).collect();
        self.0.insert(tracked.experiment, (tracked, positions));
    }

    /// Finds the metrics again, of which there is a new one.
    pub(super) fn find_metrics(&mut self, metrics: &Metrics) {
        for (tracked, positions) in self.0.values_mut() {
            *positions = tracked.metrics.iter().map(|metric| metrics.position(metric.metric)).collect();
        }
    }

    pub(super) fn get(&self, experiment: ExperimentId) -> Option<&Tracked> {
        self.0.get(&experiment).map(|(tracked, _)| tracked)
    }

    /// Computes the placements of units anew and returns those they had before.
    pub(super) fn place(
        &self,
        touched: &[UnitIdx],
        (metrics, units): (&Metrics, &mut Units),
        engine: &mut dyn MetricEngine,
    ) -> Vec<Vec<Placement>> {
        let mut before = Vec::with_capacity(touched.len());
        let mut asked: Vec<Asked> = std::iter::repeat_with(Asked::default).take(metrics.len()).collect();
        for (touched_idx, unit) in touched.iter().enumerate() {
            let Some(state) = units.get_mut(*unit) else {
                before.push(Vec::new());
                continue;
            };
            let mut placements = Vec::with_capacity(state.seen.len());
            for (experiment, seen) in &state.seen {
                let Some((tracked, positions)) = self.0.get(experiment) else { continue };
                let Some(mut placement) = tracked.place(&|idx| state.id_of(idx), seen) else { continue };
                if let Some(exposure) = placement.exposure {
                    placement.metrics.reserve_exact(positions.len());
                    for (metric, position) in tracked.metrics.iter().zip(positions) {
                        let mut sums = Accumulators::default();
                        if let Some(metric_idx) = *position
                            && let Some(asked) = asked.get_mut(metric_idx as usize)
                        {
                            let until = exposure.at.plus_seconds(metric.window_s);
                            let k = metrics.get(metric_idx).map_or(0, |(_, spec)| spec.k);
                            let counted = state.sums(metric_idx, exposure.at, until);
                            sums = counted.unwrap_or_else(|| Accumulators::zeros(k));
                            let place = Place {
                                unit: *unit,
                                touched_idx,
                                placement_idx: placements.len(),
                                metric_idx: placement.metrics.len(),
                                span: Span::Window,
                            };
                            asked.ask(&sums, place);
                            let from = exposure.at.plus_seconds(-metric.history_s);
                            if from < exposure.at
                                && let Some(before) = state.sums_of_some(metric_idx, from, exposure.at)
                            {
                                asked.ask(&before, Place { span: Span::History, ..place });
                            }
                        }
                        placement.metrics.push(UnitMetric { sums, value: None, history: None });
                    }
                }
                placements.push(placement);
            }
            before.push(std::mem::replace(&mut state.placements, placements));
        }
        evaluate(asked, (metrics, units), &before, engine);
        before
    }

    /// What differs between the placements before and now.
    pub(super) fn compare(
        &self,
        touched: Vec<UnitIdx>,
        before: Vec<Vec<Placement>>,
        units: &Units,
    ) -> Changes {
        let mut changes = Changes::default();
        for (unit, before) in touched.iter().zip(before) {
            let Some(state) = units.get(*unit) else { continue };
            let after = &state.placements;
            let gone = before.iter().filter(|old| !after.iter().any(|new| new.experiment == old.experiment));
            for old in gone {
                changes.gone.push((old.experiment, (*state.id).into()));
                changes.gone.extend(old.others.iter().map(|(id, _)| (old.experiment, id.clone())));
                if let Some(tracked) = self.get(old.experiment) {
                    tracked.recount(&state.id, Some(old), None, &mut changes);
                }
            }
            for (placement_idx, new) in after.iter().enumerate() {
                let old = before.iter().find(|old| old.experiment == new.experiment);
                if let Some(tracked) = self.get(new.experiment)
                    && old != Some(new)
                {
                    tracked.recount(&state.id, old, Some(new), &mut changes);
                    let is_there = |id: &str| new.others.iter().any(|(other, _)| **other == *id);
                    let no_more = old.into_iter().flat_map(|old| &old.others).filter(|(id, _)| !is_there(id));
                    changes.gone.extend(no_more.map(|(id, _)| (new.experiment, id.clone())));
                    changes.placed.push((*unit, placement_idx));
                }
            }
        }
        changes.sums.retain(|_, sums| !sums.is_empty());
        changes.touched = touched;
        changes
    }
}

/// Has the plugins turn sums into values. Of a metric that cannot be reached, units keep what they had.
fn evaluate(
    asked: Vec<Asked>,
    (metrics, units): (&Metrics, &mut Units),
    before: &[Vec<Placement>],
    engine: &mut dyn MetricEngine,
) {
    for (metric_idx, asked) in (0..).zip(asked) {
        let Some((metric, spec)) = metrics.get(metric_idx) else { continue };
        if asked.places.is_empty() {
            continue;
        }
        let values = engine.value(*metric, &asked.sums, spec.k);
        for (idx, place) in asked.places.into_iter().enumerate() {
            let state = units.get_mut(place.unit);
            let Some(placement) = state.and_then(|state| state.placements.get_mut(place.placement_idx))
            else {
                continue;
            };
            let experiment = placement.experiment;
            let Some(unit_metric) = placement.metrics.get_mut(place.metric_idx) else { continue };
            if let Some(values) = &values {
                let value = values.get(idx).copied().flatten();
                match place.span {
                    Span::Window => unit_metric.value = value,
                    Span::History => unit_metric.history = value.map(UnitValue::numerator),
                }
            } else {
                let old = before.get(place.touched_idx).into_iter().flatten();
                let mut old = old.filter(|old| old.experiment == experiment);
                let kept = old.find_map(|old| old.metrics.get(place.metric_idx));
                *unit_metric = kept.copied().unwrap_or_default();
            }
        }
    }
}
