//! What a policy would have brought, from rows that another one chose.

use rand::{Rng, RngExt};
use serde::Serialize;

use crate::posterior::standard_quantile;
use crate::probability::Probability;

/// Below so many effective rows there are no numbers.
pub const EFFECTIVE_MIN: f64 = 100.0;
/// Where one row has more than this share of the weight there are none either.
pub const WEIGHT_SHARE_MAX: f64 = 0.01;

/// One row of a log, as a policy looks at it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// w = π(a|x) / p(a|x), how much likelier the policy shows the row's variant than the log did.
    pub weight: f64,
    /// r, what it brought.
    pub reward: f64,
    /// q̂(x, a), what was expected of it.
    pub expected: f64,
    /// Σ π(a'|x)·q̂(x, a'), what was expected of the policy.
    pub expected_by_policy: f64,
}

/// How often rows are drawn anew for an interval, and how much it is to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// How often; 1,000 is usual.
    pub n: u32,
    /// The share of repetitions in which intervals hold the truth.
    pub level: Probability,
}

/// What a log says of a policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// How many rows there are.
    pub n_rows: u64,
    /// (Σw)² / Σw², as many rows of the policy's own as the log is worth.
    pub n_effective: f64,
    /// The share of the weight that the heaviest row has.
    pub largest_share: f64,
    /// Mean rewards per row; none where they would rest on few rows.
    pub estimates: Option<Estimates>,
}

/// Why there are no numbers.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TooLittle {
    /// Few rows' worth.
    #[error("the log is worth {n_effective:.1} rows of this policy, and needs to be worth {EFFECTIVE_MIN}")]
    Rows {
        /// How many.
        n_effective: f64,
    },
    /// One row outweighs others.
    #[error("one row has {:.1} % of the weight, and may have {:.0} %", 100.0 * share, 100.0 * WEIGHT_SHARE_MAX)]
    Share {
        /// How much of the weight.
        share: f64,
    },
}

/// The mean reward of a policy per row, in the reward's unit, estimated in three ways.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimates {
    /// Σwr / n: inverse propensity scores. Without bias.
    pub ips: Estimate,
    /// Σwr / Σw: the same, self-normalized. With a bias that vanishes, and less noise.
    pub snips: Estimate,
    /// Σ(Σπq̂ + w(r − q̂)) / n: doubly robust. Without bias, and with less noise the better rewards are foreseen.
    pub dr: Estimate,
}

/// An estimate with two intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error (SNIPS: by the delta method).
    pub standard_error: f64,
    /// By normal approximation.
    pub normal: (f64, f64),
    /// The middle of what rows drawn anew give.
    pub bootstrap: (f64, f64),
}

impl Evaluation {
    /// Judges by rows that are independent of each other.
    ///
    /// - `rng`: draws rows anew.
    /// - `on_resample`: is called after each of the `resampling.n` times.
    ///
    /// # Source
    ///
    /// IPS: Horvitz & Thompson (1952), *A generalization of sampling without replacement from a finite universe*,
    /// JASA 47(260), 663–685. <https://doi.org/10.1080/01621459.1952.10483446>; SNIPS: Swaminathan & Joachims (2015),
    /// *The self-normalized estimator for counterfactual learning*, Advances in Neural Information Processing
    /// Systems 28; DR: Dudík, Langford & Li (2011), *Doubly robust policy evaluation and learning*, ICML; effective
    /// size: Kish (1965), *Survey Sampling*.
    pub fn of(
        rows: &[Judged],
        resampling: Resampling,
        rng: &mut impl Rng,
        on_resample: impl FnMut(),
    ) -> Self {
        let weight: f64 = rows.iter().map(|row| row.weight).sum();
        let squares: f64 = rows.iter().map(|row| row.weight * row.weight).sum();
        let largest = rows.iter().map(|row| row.weight).fold(0.0, f64::max);
        let part = |of: f64, whole: f64| if 0.0 < whole { of / whole } else { 0.0 };
        let mut evaluation = Self {
            n_rows: rows.len() as u64,
            n_effective: part(weight * weight, squares),
            largest_share: part(largest, weight),
            estimates: None,
        };
        if evaluation.too_little().is_none() {
            evaluation.estimates = Some(Estimates::of(rows, resampling, rng, on_resample));
        }
        evaluation
    }

    /// Why there are no numbers, where there are none.
    pub fn too_little(&self) -> Option<TooLittle> {
        let Self { n_effective, largest_share: share, .. } = *self;
        if n_effective < EFFECTIVE_MIN {
            Some(TooLittle::Rows { n_effective })
        } else {
            (WEIGHT_SHARE_MAX < share).then_some(TooLittle::Share { share })
        }
    }
}

/// What is added up over rows for the three estimates: wr, w, and the doubly robust value.
type Terms = [f64; 3];

impl Judged {
    fn terms(&self) -> Terms {
        let robust = self.expected_by_policy + self.weight * (self.reward - self.expected);
        [self.weight * self.reward, self.weight, robust]
    }
}

/// IPS, SNIPS and DR from sums over n rows.
fn values([rewards, weights, robust]: Terms, n: f64) -> [f64; 3] {
    [rewards / n, if 0.0 < weights { rewards / weights } else { 0.0 }, robust / n]
}

impl Estimates {
    fn of(rows: &[Judged], resampling: Resampling, rng: &mut impl Rng, on_resample: impl FnMut()) -> Self {
        let terms: Vec<Terms> = rows.iter().map(Judged::terms).collect();
        let n = rows.len() as f64;
        let sums = terms.iter().fold([0.0; 3], |sums, terms| added(sums, *terms));
        let [ips, snips, dr] = values(sums, n);
        let spread = |deviation: &dyn Fn(&Terms) -> f64| {
            let squares: f64 = terms.iter().map(|terms| deviation(terms).powi(2)).sum();
            (squares * n / (n - 1.0)).sqrt()
        };
        let standard_errors = [
            spread(&|terms| terms[0] - ips) / n,
            spread(&|terms| terms[0] - snips * terms[1]) / sums[1],
            spread(&|terms| terms[2] - dr) / n,
        ];
        let mut drawn = resampled(&terms, resampling.n, rng, on_resample);
        let mut estimate = |idx: usize, value: f64| {
            let standard_error = standard_errors[idx];
            let tail = 0.5 * resampling.level.complement().get();
            let radius = -standard_quantile(tail) * standard_error;
            Estimate {
                value,
                standard_error,
                normal: (value - radius, value + radius),
                bootstrap: middle(&mut drawn[idx], tail).unwrap_or((value, value)),
            }
        };
        Self { ips: estimate(0, ips), snips: estimate(1, snips), dr: estimate(2, dr) }
    }
}

fn added(mut sums: Terms, terms: Terms) -> Terms {
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += term;
    }
    sums
}

/// The three estimates from as many rows drawn with replacement, `n_times`.
fn resampled(
    terms: &[Terms],
    n_times: u32,
    rng: &mut impl Rng,
    mut on_resample: impl FnMut(),
) -> [Vec<f64>; 3] {
    let mut drawn = [(); 3].map(|()| Vec::with_capacity(n_times as usize));
    for _ in 0..n_times {
        let any = (0..terms.len()).map(|_| terms[rng.random_range(0..terms.len())]);
        let sums = any.fold([0.0; 3], added);
        for (drawn, value) in drawn.iter_mut().zip(values(sums, terms.len() as f64)) {
            drawn.push(value);
        }
        on_resample();
    }
    drawn
}

/// The values with a share of `tail` below and above, between neighbors in proportion; none of none.
fn middle(values: &mut [f64], tail: f64) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let below = place.floor() as usize;
        let (low, high) = (values[below], values[(below + 1).min(last)]);
        low + (place - place.floor()) * (high - low)
    };
    Some((at(tail), at(1.0 - tail)))
}

#[cfg(test)]
mod tests;
