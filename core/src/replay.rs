//! Judging a policy on a log that another policy wrote: replay by rejection.
//!
//! A log in which the variant was drawn evenly, whatever else was known, can stand in for live traffic. The policy
//! is asked for each row in turn; where it draws the variant that the log shows, the row counts and the policy
//! learns from it, and where not, the row is as if it had never been. What counts then has the distribution that
//! the policy would have seen live, so its mean reward is unbiased for as many live units as rows counted. The
//! price is that of K rows about one counts.
//!
//! # Source
//!
//! Li, Chu, Langford & Wang (2011), *Unbiased offline evaluation of contextual-bandit-based news article
//! recommendation algorithms*, WSDM, 297–306. <https://doi.org/10.1145/1935826.1935878>

use rand::Rng;

use crate::allocation::{
    AllocationError, AllocationInput, AllocatorConfig, ArmState, ArmStratum, Weights, WeightsVersionDraft,
    next_weights,
};
use crate::metric::{Direction, MetricKind, UnitValue, ValueOutOfRange, VariantSums};
use crate::posterior::{Beta, Posterior};
use crate::probability::Probability;
use crate::simulate::{Arrival, draw};

/// One row of a log whose variants were drawn evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedRow {
    /// Which variant was shown, counted from 0.
    pub variant_idx: usize,
    /// Whether it was rewarded: clicked, bought.
    pub rewarded: bool,
}

/// A row that counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accepted {
    /// The weights version it was drawn under, from 1.
    pub version: u32,
    /// The probability at which the policy drew the variant.
    pub propensity: f64,
}

/// An allocator that is replayed on a log, one weights version after the other.
#[derive(Clone, Debug)]
pub struct Replay {
    config: AllocatorConfig,
    version_rows: u32,
    variant_idxs: Vec<usize>,
    arms: Vec<ArmState>,
    /// Rows that counted under earlier versions, with what they brought.
    learned: Vec<ArmStratum>,
    /// Rows that counted under the present version; learned from when it ends.
    pending: Vec<VariantSums>,
    n_pending: u32,
    draft: WeightsVersionDraft,
    version: u32,
    n_offered: u64,
}

/// Why a replay stops.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There are no next weights.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// A reward that no metric may yield.
    #[error(transparent)]
    Value(#[from] ValueOutOfRange),
    /// The log shows a variant that the replay does not know.
    #[error("row {row} of the log shows variant {variant_idx} of {n_variants}")]
    Variant {
        /// Which row, from 1.
        row: u64,
        /// The variant it shows.
        variant_idx: usize,
        /// How many variants there are.
        n_variants: usize,
    },
}

impl Replay {
    /// Starts an allocator that knows nothing, with no control among the variants.
    ///
    /// - `version_rows`: how many rows count under one weights version, at least 1.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Allocation`] if so many variants have no weights.
    pub fn new(config: AllocatorConfig, n_variants: usize, version_rows: u32) -> Result<Self, ReplayError> {
        let arms = vec![ArmState { strata: 0, share: 1.0 }; n_variants];
        let pending = vec![VariantSums::default(); n_variants];
        let draft = next(&config, &arms, &[])?;
        Ok(Self {
            config,
            version_rows: version_rows.max(1),
            variant_idxs: (0..n_variants).collect(),
            arms,
            learned: Vec::new(),
            pending,
            n_pending: 0,
            draft,
            version: 1,
            n_offered: 0,
        })
    }

    /// Offers one row: draws a variant and, if the row shows the same one, lets it count.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if the row shows an unknown variant, or there are no next weights.
    pub fn offer(&mut self, row: LoggedRow, rng: &mut impl Rng) -> Result<Option<Accepted>, ReplayError> {
        self.n_offered += 1;
        let LoggedRow { variant_idx, rewarded } = row;
        let n_variants = self.arms.len();
        let unknown = ReplayError::Variant { row: self.n_offered, variant_idx, n_variants };
        let sums = self.pending.get_mut(variant_idx).ok_or(unknown)?;
        let weights = &self.draft.weights;
        let arrival = Arrival { unit_idx: self.n_offered - 1, variant_idxs: &self.variant_idxs, weights };
        if draw(&arrival, rng) != variant_idx {
            return Ok(None);
        }
        let accepted = Accepted { version: self.version, propensity: weights.get(variant_idx) };
        sums.add(UnitValue::from_f64(f64::from(u8::from(rewarded)), 1.0)?);
        self.n_pending += 1;
        if self.n_pending == self.version_rows {
            self.publish()?;
        }
        Ok(Some(accepted))
    }

    /// Ends the weights version: learns from its rows and makes the next weights.
    fn publish(&mut self) -> Result<(), ReplayError> {
        let sums = self.pending.iter_mut().map(std::mem::take).collect();
        self.learned.push(ArmStratum { age_days: 0.0, sums });
        self.arms.iter_mut().for_each(|arm| arm.strata += 1);
        self.draft = next(&self.config, &self.arms, &self.learned)?;
        self.n_pending = 0;
        self.version += 1;
        Ok(())
    }

    /// The weights that the next row is drawn with.
    pub fn weights(&self) -> &Weights {
        &self.draft.weights
    }

    /// How many rows were offered.
    pub fn n_offered(&self) -> u64 {
        self.n_offered
    }

    /// The rows that counted, with what they brought.
    pub fn rate(&self) -> ObservedRate {
        let learned = self.learned.iter().flat_map(|stratum| &stratum.sums);
        learned.chain(&self.pending).fold(ObservedRate::default(), |rate, sums| ObservedRate {
            rewarded: rate.rewarded + sums.n_nonzero.unsigned_abs(),
            n: rate.n + sums.n.unsigned_abs(),
        })
    }
}

fn next(
    config: &AllocatorConfig,
    arms: &[ArmState],
    strata: &[ArmStratum],
) -> Result<WeightsVersionDraft, AllocationError> {
    let (kind, direction) = (MetricKind::Proportion, Direction::Increase);
    next_weights(config, &AllocationInput { kind, direction, control_idx: None, arms, strata })
}

/// So many of so many, with an interval that holds for few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObservedRate {
    /// How many were rewarded, `<= n`.
    pub rewarded: u64,
    /// How many there were.
    pub n: u64,
}

impl ObservedRate {
    /// The rate; none of none.
    pub fn value(self) -> Option<f64> {
        (0 < self.n).then(|| self.rewarded as f64 / self.n as f64)
    }

    /// The exact 95 % interval, as (low, high); (0, 1) of none.
    ///
    /// It holds the true rate in at least 95 % of repetitions, however few there are.
    ///
    /// # Source
    ///
    /// Clopper & Pearson (1934), *The use of confidence or fiducial limits illustrated in the case of the
    /// binomial*, Biometrika 26(4), 404–413. <https://doi.org/10.1093/biomet/26.4.404>
    pub fn interval(self) -> (f64, f64) {
        const LEVEL: Probability = match Probability::new(0.95) {
            Ok(level) => level,
            Err(_) => Probability::ONE,
        };
        let (hits, misses) = (self.rewarded as f64, self.n.saturating_sub(self.rewarded) as f64);
        let tails = |alpha: f64, beta: f64| {
            Beta::new(alpha, beta).map(|beta| Posterior::Beta(beta).credible_interval(LEVEL)).ok()
        };
        // At 0 of n and n of n the end is 0 or 1, and the beta distribution has no such parameters.
        let low = tails(hits, misses + 1.0).map_or(0.0, |(low, _)| low);
        let high = tails(hits + 1.0, misses).map_or(1.0, |(_, high)| high);
        (low, high)
    }

    /// Whether the intervals of the two have no rate in common.
    pub fn differs_from(self, other: Self) -> bool {
        let ((low, high), (other_low, other_high)) = (self.interval(), other.interval());
        high < other_low || other_high < low
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use crate::allocation::{Allocator, ExplorationMinimum, Thompson};
    use crate::simulate::{Shoppers, Simulation};

    use super::*;

    const RATES: [f64; 4] = [0.1, 0.15, 0.2, 0.4];
    const VERSION_ROWS: u32 = 20;
    const ROWS: u64 = 200;

    /// Thompson sampling that prefers from the first version on.
    fn eager() -> AllocatorConfig {
        let exploration = ExplorationMinimum { units: 0, nonzero: 0, strata: 0 };
        AllocatorConfig { exploration, ..AllocatorConfig::new(Allocator::Thompson(Thompson)) }
    }

    fn seeded(seed: u64) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(seed)
    }

    fn even_row(rng: &mut Xoshiro256PlusPlus) -> LoggedRow {
        let variant_idx = rng.random_range(0..RATES.len());
        LoggedRow { variant_idx, rewarded: rng.random::<f64>() < RATES[variant_idx] }
    }

    /// Replays an endless even log until `ROWS` rows count.
    fn replayed(seed: u64) -> Replay {
        let (mut log, mut policy) = (seeded(seed), seeded(seed + 1_000_000));
        let mut replay = Replay::new(eager(), RATES.len(), VERSION_ROWS).unwrap();
        while replay.rate().n < ROWS {
            let row = even_row(&mut log);
            replay.offer(row, &mut policy).unwrap();
        }
        replay
    }

    /// The same allocator on live shoppers: what the replay has to foretell.
    fn live(seed: u64) -> f64 {
        let shoppers = RATES.map(|rate| Shoppers::converting(Probability::new(rate).unwrap()));
        let mut simulation = Simulation::new(eager(), MetricKind::Proportion, shoppers.to_vec());
        simulation = simulation.with_control(None);
        simulation.run(ROWS, VERSION_ROWS, &mut seeded(seed + 2_000_000), draw).unwrap();
        simulation.total() as f64 / ROWS as f64
    }

    fn mean_and_error(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, (squares / (n - 1.0) / n).sqrt())
    }

    /// Two means of 1,000 runs each: a replay without bias fails here in 1 of 16,000 choices of seeds. The runs
    /// resolve 0.005; an even policy is 0.08 away.
    #[test]
    fn a_replay_foretells_what_the_policy_earns_live() {
        let rate = |seed| replayed(seed).rate().value().unwrap();
        let (replayed, replayed_error) = mean_and_error(&(0..1_000).map(rate).collect::<Vec<_>>());
        let (live, live_error) = mean_and_error(&(0..1_000).map(live).collect::<Vec<_>>());
        let error = replayed_error.hypot(live_error);
        assert!(error < 0.002_5, "the runs resolve too little: {error}");
        assert!((replayed - live).abs() < 4.0 * error, "{replayed} replayed, {live} live, error {error}");
        let even = RATES.iter().sum::<f64>() / 4.0;
        assert!(even + 0.05 < live, "the policy learns, so that the test can fail: {live}");
    }

    /// 4,000 rows with a chance of one in four: 5 standard deviations are 137 rows.
    #[test]
    fn about_one_row_in_as_many_as_there_are_variants_counts() {
        let mut rng = seeded(3);
        let mut replay = Replay::new(eager(), RATES.len(), VERSION_ROWS).unwrap();
        for _ in 0..4_000 {
            let row = even_row(&mut rng);
            replay.offer(row, &mut rng).unwrap();
        }
        assert_eq!(replay.n_offered(), 4_000);
        assert!(replay.rate().n.abs_diff(1_000) < 137, "{:?}", replay.rate());
    }

    #[test]
    fn a_row_that_does_not_count_teaches_nothing() {
        let outcome = |flip_refused: bool| {
            let (mut log, mut policy) = (seeded(5), seeded(6));
            let mut replay = Replay::new(eager(), RATES.len(), VERSION_ROWS).unwrap();
            for _ in 0..2_000 {
                let row = even_row(&mut log);
                let mut probe = (replay.clone(), policy.clone());
                let counts = probe.0.offer(row, &mut probe.1).unwrap().is_some();
                let rewarded = row.rewarded ^ (flip_refused && !counts);
                replay.offer(LoggedRow { rewarded, ..row }, &mut policy).unwrap();
            }
            (replay.rate(), replay.weights().as_slice().to_vec())
        };
        assert_eq!(outcome(false), outcome(true));
    }

    #[test]
    fn weights_move_between_versions_only() {
        let (mut log, mut policy) = (seeded(7), seeded(8));
        let mut replay = Replay::new(eager(), RATES.len(), VERSION_ROWS).unwrap();
        let mut n_moves = 0;
        for _ in 0..2_000 {
            let (before, n) = (replay.weights().clone(), replay.rate().n);
            let row = even_row(&mut log);
            let accepted = replay.offer(row, &mut policy).unwrap();
            if let Some(accepted) = accepted {
                assert_eq!(u64::from(accepted.version), n / u64::from(VERSION_ROWS) + 1);
                assert_eq!(accepted.propensity.to_bits(), before.get(row.variant_idx).to_bits());
            }
            let ended = accepted.is_some() && (n + 1).is_multiple_of(u64::from(VERSION_ROWS));
            assert!(ended || *replay.weights() == before);
            n_moves += u32::from(*replay.weights() != before);
        }
        assert!(10 < n_moves, "{n_moves}");
        let best = replay.weights().get(3);
        assert!(0.5 < best, "it found the best one: {best}");
    }

    #[test]
    fn a_row_of_an_unknown_variant_is_an_error() {
        let mut replay = Replay::new(eager(), 4, 10).unwrap();
        let row = LoggedRow { variant_idx: 4, rewarded: false };
        let error = replay.offer(row, &mut seeded(1)).unwrap_err();
        assert_eq!(error, ReplayError::Variant { row: 1, variant_idx: 4, n_variants: 4 });
        assert!(Replay::new(eager(), 0, 10).is_err());
    }

    /// Values of `scipy.stats.binomtest(k, n).proportion_ci(0.95, "exact")`, `SciPy` 1.17.1.
    #[test]
    fn intervals_are_exact_for_few() {
        for (rewarded, n, low, high) in [
            (0, 10, 0.0, 0.308_497_107_818_762_94),
            (1, 10, 0.002_528_578_544_462_572_8, 0.445_016_117_028_195_43),
            (5, 10, 0.187_086_028_447_404_5, 0.812_913_971_552_595_5),
            (10, 10, 0.691_502_892_181_237_1, 1.0),
            (1, 1, 0.025_000_000_000_000_022, 1.0),
            (0, 217, 0.0, 0.016_855_769_217_811_51),
            (2, 217, 0.001_118_127_208_293_084, 0.032_895_089_468_536_58),
            (46, 10_000, 0.003_369_687_674_692_374, 0.006_131_041_082_618_633),
        ] {
            let (found_low, found_high) = ObservedRate { rewarded, n }.interval();
            assert!((found_low - low).abs() < 1e-9, "{rewarded} of {n}: {found_low}, expected {low}");
            assert!((found_high - high).abs() < 1e-9, "{rewarded} of {n}: {found_high}, expected {high}");
        }
        assert_eq!(ObservedRate::default().interval(), (0.0, 1.0));
        assert_eq!(ObservedRate::default().value(), None);
    }

    #[test]
    fn few_do_not_differ_and_many_do() {
        let log = ObservedRate { rewarded: 46, n: 10_000 };
        assert!(!ObservedRate { rewarded: 3, n: 217 }.differs_from(log));
        assert!(ObservedRate { rewarded: 0, n: 1_000_000 }.differs_from(log));
        assert!(log.differs_from(ObservedRate { rewarded: 300, n: 10_000 }));
    }
}
