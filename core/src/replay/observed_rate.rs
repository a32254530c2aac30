//! Shares of rows that were rewarded.

use crate::posterior::{Beta, Posterior};
use crate::probability::Probability;

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
    use super::*;

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
