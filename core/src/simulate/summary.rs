//! What many runs of a trial say together.

use serde::Serialize;

use super::Outcome;
use crate::replay::ObservedRate;

/// The normal quantile of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Runs of one trial, summed up; every interval holds the truth in 95 % of repetitions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// How many runs there were.
    pub n_runs: u64,
    /// What was lost against serving the best variant of each day to everyone, per run.
    pub regret: Figure,
    /// The share of units that got the best variant.
    pub share_of_best: Figure,
    /// The share of runs that announced a winner.
    pub winner: Figure,
    /// The share of runs whose winner is none.
    pub false_winner: Figure,
    /// The day at which half of all runs had announced a winner, with the ends of its interval; none where that is
    /// beyond the last day.
    pub days_to_winner: MedianDay,
    /// How often each variant was announced, in variant order.
    pub n_wins: Vec<u64>,
}

/// A figure with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The estimate.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A median of days, of which some are beyond the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MedianDay {
    /// The estimate.
    pub value: Option<u32>,
    /// The lower end.
    pub low: Option<u32>,
    /// The upper end.
    pub high: Option<u32>,
}

impl Summary {
    /// Sums up the runs of a trial with so many variants; none of none.
    pub fn of(outcomes: &[Outcome], n_variants: usize) -> Option<Self> {
        let figure = |of: fn(&Outcome) -> f64| Figure::mean(outcomes.iter().map(of));
        let share = |of: fn(&Outcome) -> bool| {
            let rewarded = outcomes.iter().filter(|outcome| of(outcome)).count() as u64;
            Figure::rate(ObservedRate { rewarded, n: outcomes.len() as u64 })
        };
        let wins = |variant_idx: usize| {
            let won = |outcome: &&Outcome| outcome.winner.is_some_and(|(_, idx)| idx == variant_idx);
            outcomes.iter().filter(won).count() as u64
        };
        Some(Self {
            n_runs: outcomes.len() as u64,
            regret: figure(|outcome| outcome.regret)?,
            share_of_best: figure(|outcome| outcome.share_of_best)?,
            winner: share(|outcome| outcome.winner.is_some())?,
            false_winner: share(|outcome| outcome.is_false)?,
            days_to_winner: MedianDay::of(outcomes.iter().map(|outcome| outcome.winner.map(|(day, _)| day))),
            n_wins: (0..n_variants).map(wins).collect(),
        })
    }
}

impl Figure {
    /// A mean with the normal interval of its standard error; of a single value, that value.
    fn mean(values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let n = values.clone().count() as f64;
        let value = values.clone().sum::<f64>() / n;
        let squares: f64 = values.map(|each| (each - value).powi(2)).sum();
        let radius = if 1.0 < n { Z * (squares / (n - 1.0) / n).sqrt() } else { 0.0 };
        (0.0 < n).then_some(Self { value, low: value - radius, high: value + radius })
    }

    /// A rate with its exact interval.
    fn rate(rate: ObservedRate) -> Option<Self> {
        let (low, high) = rate.interval();
        Some(Self { value: rate.value()?, low, high })
    }
}

impl MedianDay {
    /// The median with the interval that order statistics give, by the normal approximation of their ranks.
    ///
    /// # Source
    ///
    /// Conover (1999), *Practical Nonparametric Statistics*, 3rd ed., 3.2.
    fn of(days: impl Iterator<Item = Option<u32>>) -> Self {
        let mut days: Vec<u32> = days.map(|day| day.unwrap_or(u32::MAX)).collect();
        days.sort_unstable();
        let n = days.len() as f64;
        // Ranks from 1; what is beyond the last run is not known.
        let at = |rank: f64| {
            let day = days.get((rank.max(1.0) as usize) - 1).copied();
            day.filter(|&day| day < u32::MAX)
        };
        let radius = 0.5 * Z * n.sqrt();
        Self {
            value: at((0.5 * n).ceil()),
            low: at((0.5 * n - radius).floor()),
            high: at((1.0 + 0.5 * n + radius).ceil()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(day: Option<u32>) -> Outcome {
        let winner = day.map(|day| (day, 1));
        Outcome { regret: 2.0, winner, is_false: day == Some(1), share_of_best: 0.25 }
    }

    #[test]
    fn runs_are_counted() {
        let outcomes: Vec<_> = (1..=100).map(|run| outcome((run <= 80).then_some(run))).collect();
        let summary = Summary::of(&outcomes, 3).unwrap();
        assert_eq!((summary.n_runs, summary.n_wins), (100, vec![0, 80, 0]));
        assert_eq!(summary.regret, Figure { value: 2.0, low: 2.0, high: 2.0 });
        let close = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        // scipy.stats.binomtest(1, 100).proportion_ci(0.95, "exact"), and of 80.
        let Figure { value, low, high } = summary.false_winner;
        assert!(close(value, 0.01) && close(low, 0.000_253_146_032_681_892_83), "{low}");
        assert!(close(high, 0.054_459_385_392_080_666), "{high}");
        assert!(close(summary.winner.value, 0.8));
        // Ranks 40 and 61 of 100 hold the median in 96 % of repetitions.
        assert_eq!(summary.days_to_winner, MedianDay { value: Some(50), low: Some(40), high: Some(61) });
    }

    #[test]
    fn a_median_beyond_the_last_day_is_not_known() {
        let outcomes: Vec<_> = (1..=100).map(|run| outcome((run <= 45).then_some(run))).collect();
        let days = Summary::of(&outcomes, 2).unwrap().days_to_winner;
        assert_eq!(days, MedianDay { value: None, low: Some(40), high: None });
        assert_eq!(Summary::of(&[], 2), None);
        let one = Summary::of(&[outcome(Some(3))], 2).unwrap();
        assert_eq!(one.days_to_winner, MedianDay { value: Some(3), low: Some(3), high: None });
    }
}
