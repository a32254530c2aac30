//! One metric's variants against each other.

use super::estimate::{Estimate, Method, Range};
use super::figures::Interval;
use super::input::MetricFigures;
use crate::allocation::Allocator;
use crate::experiment::Definition;
use crate::metric::{Direction, MetricKind, VariantSums};
use crate::posterior::{NoPosteriors, Posterior, Posteriors};
use crate::probability::Probability;

/// Half of what an interval leaves out.
const TAIL: f64 = 0.5 * (1.0 - super::LEVEL);

/// What is computed for one metric, in variant order.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    pub(super) variants: Vec<ComparedVariant>,
    /// Whether the metric is loaded and its sums make sense.
    pub(super) usable: bool,
    /// Why the sums make no sense.
    pub(super) contradiction: Option<NoPosteriors>,
}

/// What is computed for one variant.
#[derive(Clone, Debug)]
pub(super) struct ComparedVariant {
    pub(super) observed: VariantSums,
    pub(super) matured: VariantSums,
    /// The matured sums with the largest values cut off: what all inference sees.
    pub(super) capped: VariantSums,
    /// Whether it may still be served, and so can be the best one.
    pub(super) competes: bool,
    pub(super) estimate: Option<Estimate>,
    pub(super) interval: Option<Range>,
    pub(super) chance_best: Option<Probability>,
    pub(super) expected_loss: Option<f64>,
    pub(super) chance_to_beat_control: Option<Probability>,
}

impl Compared {
    /// Computes everything that needs matured units.
    ///
    /// The chance to be best is one among the variants that may still be served and have a matured unit, as the
    /// allocator sees it; a removed variant has none, but keeps its interval and its chance to beat the control.
    pub(super) fn of(definition: &Definition, metric: &MetricFigures, capped: &[VariantSums]) -> Self {
        let fixed = matches!(definition.allocator.allocator, Allocator::Fixed(_));
        let variants = definition.variants.iter().enumerate().map(|(variant_idx, variant)| {
            let figures = metric.variants.get(variant_idx).copied().unwrap_or_default();
            let served = !fixed || 0.0 < variant.weight || 0 < figures.observed.n;
            ComparedVariant {
                observed: figures.observed,
                matured: figures.matured,
                capped: capped.get(variant_idx).copied().unwrap_or_default(),
                competes: variant.is_active() && served,
                estimate: Estimate::of(metric.kind, &capped.get(variant_idx).copied().unwrap_or_default()),
                interval: None,
                chance_best: None,
                expected_loss: None,
                chance_to_beat_control: None,
            }
        });
        let mut compared =
            Self { variants: variants.collect(), usable: metric.available, contradiction: None };
        compared.believe(definition.control_idx(), metric);
        compared
    }

    /// The variant most likely to be best; the first of equals.
    pub(super) fn front_idx(&self) -> Option<usize> {
        let chances = self.variants.iter().enumerate().filter_map(|(variant_idx, variant)| {
            variant.chance_best.map(|chance| (variant_idx, chance.get()))
        });
        chances.rev().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(variant_idx, _)| variant_idx)
    }

    /// Lets the posteriors speak of the variants that have matured units.
    fn believe(&mut self, control_idx: usize, metric: &MetricFigures) {
        let with_units: Vec<usize> = (0..self.variants.len())
            .filter(|&variant_idx| 0 < self.variants[variant_idx].matured.n)
            .collect();
        let competing: Vec<usize> =
            with_units.iter().copied().filter(|&variant_idx| self.variants[variant_idx].competes).collect();
        let all = match self.posteriors(metric, &with_units) {
            Ok(all) => all,
            Err(error) => {
                if let NoPosteriors::Contradiction { .. } = error {
                    self.usable = false;
                    self.contradiction = Some(error);
                }
                return;
            }
        };
        let mass = Probability::rounded(1.0 - 2.0 * TAIL);
        for (posterior, &variant_idx) in all.as_slice().iter().zip(&with_units) {
            self.variants[variant_idx].interval = credible(posterior, mass);
        }
        let control_at = with_units.iter().position(|&variant_idx| variant_idx == control_idx);
        let against_control = all.compare(control_at.unwrap_or(0));
        if control_at.is_some() {
            for (&beats, &variant_idx) in against_control.beats_reference().iter().zip(&with_units) {
                let compared = variant_idx != control_idx;
                self.variants[variant_idx].chance_to_beat_control = compared.then_some(beats);
            }
        }
        let among = if competing.len() == with_units.len() {
            Some(against_control)
        } else {
            // The prior is pooled over what is compared, so that these are the allocator's figures.
            self.posteriors(metric, &competing).ok().map(|posteriors| posteriors.compare(0))
        };
        if let Some(among) = among.filter(|_| 2 <= competing.len()) {
            for (at, &variant_idx) in competing.iter().enumerate() {
                self.variants[variant_idx].chance_best = Some(among.p_best()[at]);
                self.variants[variant_idx].expected_loss =
                    among.expected_loss()[at].filter(|loss| loss.is_finite());
            }
        }
    }

    fn posteriors(&self, metric: &MetricFigures, variant_idxs: &[usize]) -> Result<Posteriors, NoPosteriors> {
        let sums: Vec<_> =
            variant_idxs.iter().map(|&variant_idx| self.variants[variant_idx].capped).collect();
        Posteriors::from_sums(metric.kind, metric.direction, &sums)
    }
}

/// Where the true values of several groups are believed to be that nobody was assigned to by chance, each by itself.
///
/// - `sums`: of the units of each group whose window has passed. Nothing is cut off.
/// - returns: an interval for each group; none for a group without units, and for all if the sums make no sense.
pub fn intervals(kind: MetricKind, direction: Direction, sums: &[VariantSums]) -> Vec<Option<Interval>> {
    let with_units: Vec<VariantSums> = sums.iter().copied().filter(|sums| 0 < sums.n).collect();
    let posteriors = Posteriors::from_sums(kind, direction, &with_units).ok();
    let mut posteriors = posteriors.iter().flat_map(Posteriors::as_slice);
    let mass = Probability::rounded(1.0 - 2.0 * TAIL);
    let interval = |sums: &VariantSums| {
        let posterior = (0 < sums.n).then(|| posteriors.next()).flatten();
        posterior.and_then(|posterior| credible(posterior, mass)).map(Interval::from)
    };
    sums.iter().map(interval).collect()
}

fn credible(posterior: &Posterior, mass: Probability) -> Option<Range> {
    let method = match posterior {
        Posterior::Beta(_) => Method::CredibleBeta,
        Posterior::StudentT(_) => Method::CredibleStudentT,
        Posterior::Normal(_) => Method::CredibleNormal,
        Posterior::Point(_) => Method::Point,
    };
    let (low, high) = posterior.credible_interval(mass);
    (low.is_finite() && high.is_finite()).then_some(Range { low, high, method })
}
