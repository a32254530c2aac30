//! How traffic was divided, over time.

use super::moment;
use podium_core::report::Report;
use podium_core::report::wording;
use podium_core::time::Timestamp;
use std::fmt::Write;

/// The weights that were in force from a time on.
#[derive(Clone, Debug)]
pub(crate) struct SharesAt {
    /// From when on.
    pub(crate) at: Timestamp,
    /// The probability of each variant, in the order of the definition.
    pub(crate) shares: Vec<f64>,
}

/// As many variants get a color of their own; the smallest of the others share one.
const BANDS_MAX: usize = 7;

/// As many steps are drawn; of more, evenly chosen ones.
const STEPS_MAX: usize = 400;

/// The drawing's own units, stretched to the chart's size.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// What the template draws.
pub(super) struct SharesChart {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) bands: Vec<Band>,
    pub(super) begin: String,
    pub(super) end: String,
}

/// One variant, or all that have no color of their own.
pub(super) struct Band {
    pub(super) class: String,
    pub(super) name: String,
    pub(super) share_now: String,
    pub(super) path: String,
}

impl SharesChart {
    /// Lays out the chart from weights in ascending order of time; none for fewer than two, which never moved.
    pub(super) fn of(report: &Report, steps: &[SharesAt]) -> Option<Self> {
        let (first, last) = (steps.first()?, steps.last()?);
        // The last weights hold until the data ends.
        let end = report.as_of.map_or(last.at, |as_of| as_of.max(last.at));
        let length_us = end.as_micros() - first.at.as_micros();
        if steps.len() < 2 || length_us <= 0 {
            return None;
        }
        let stride = steps.len().div_ceil(STEPS_MAX);
        let drawn: Vec<&SharesAt> = steps.iter().step_by(stride).chain([last]).collect();
        let x = |at: Timestamp| WIDTH * (at.as_micros() - first.at.as_micros()) as f64 / length_us as f64;
        let corners: Vec<f64> = drawn.iter().map(|step| x(step.at)).chain([WIDTH]).collect();
        let mut below = vec![0.0; drawn.len()];
        let bands = groups(report, last).into_iter().enumerate().map(|(band_idx, group)| {
            let heights = drawn.iter().map(|step| group.share(step) * HEIGHT);
            let above: Vec<f64> = heights.zip(&below).map(|(height, below)| below + height).collect();
            let path = path(&corners, &below, &above);
            below = above;
            Band {
                class: format!("band c{band_idx}"),
                name: group.name,
                share_now: wording::percent(group.members.iter().map(|&idx| share(last, idx)).sum()),
                path,
            }
        });
        Some(Self {
            id: "shares".to_owned(),
            description: format!(
                "From {} to {}, {} sets of weights. The height of a color is the share of new units.",
                moment::minute(first.at),
                moment::minute(end),
                wording::count(steps.len() as i128),
            ),
            bands: bands.collect(),
            begin: moment::day(first.at),
            end: moment::day(end),
        })
    }
}

struct Group {
    name: String,
    members: Vec<usize>,
}

impl Group {
    fn share(&self, step: &SharesAt) -> f64 {
        self.members.iter().map(|&idx| share(step, idx)).sum()
    }
}

fn share(step: &SharesAt, variant_idx: usize) -> f64 {
    step.shares.get(variant_idx).copied().unwrap_or(0.0).clamp(0.0, 1.0)
}

/// The variants in their order, the smallest in one group at the end if they are many.
fn groups(report: &Report, last: &SharesAt) -> Vec<Group> {
    let mut by_share: Vec<usize> = (0..report.variants.len()).collect();
    by_share.sort_by(|&a, &b| share(last, b).total_cmp(&share(last, a)));
    let kept = if by_share.len() <= BANDS_MAX + 1 { by_share.len() } else { BANDS_MAX };
    let mut named = by_share[..kept].to_vec();
    named.sort_unstable();
    let group = |idx: usize| Group { name: report.variants[idx].name.clone(), members: vec![idx] };
    let mut groups: Vec<_> = named.into_iter().map(group).collect();
    if kept < by_share.len() {
        let others = by_share[kept..].to_vec();
        groups.push(Group { name: format!("{} others", others.len()), members: others });
    }
    groups
}

/// The outline of a band of steps: along its upper edge, and back along the lower one.
fn path(corners: &[f64], below: &[f64], above: &[f64]) -> String {
    let mut path = String::with_capacity(32 * below.len());
    let mut go = |x: f64, y: f64| {
        let letter = if path.is_empty() { 'M' } else { 'L' };
        // Writing to a string cannot fail.
        let _ = write!(path, "{letter}{x:.1} {:.2}", HEIGHT - y);
    };
    for (step_idx, &y) in above.iter().enumerate() {
        go(corners[step_idx], y);
        go(corners[step_idx + 1], y);
    }
    for (step_idx, &y) in below.iter().enumerate().rev() {
        go(corners[step_idx + 1], y);
        go(corners[step_idx], y);
    }
    path.push('Z');
    path
}
