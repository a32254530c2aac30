//! A figure with its standard error.

use crate::posterior::{Normal, Posterior};
use crate::probability::Probability;

/// The two ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A figure, and the standard deviation that it would have if the experiment were repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Its standard error, never negative.
    pub standard_error: f64,
}

impl Interval {
    /// Whether 0 lies below it.
    pub fn is_above_zero(&self) -> bool {
        0.0 < self.low
    }

    /// Whether 0 lies above it.
    pub fn is_below_zero(&self) -> bool {
        self.high < 0.0
    }

    /// The same interval with the opposite sign.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self { low: -self.high, high: -self.low }
    }

    /// The interval that reaches `radius` from `center` both ways.
    pub fn around(center: f64, radius: f64) -> Self {
        Self { low: center - radius, high: center + radius }
    }

    /// Whether a value lies in it.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

impl Estimate {
    /// The interval that misses the truth with probability `alpha` if one looks once: value ± z · standard error.
    pub fn interval(&self, alpha: f64) -> Interval {
        match Normal::new(self.value, self.standard_error) {
            Ok(normal) => holding(&Posterior::Normal(normal), alpha),
            Err(_) => Interval::around(self.value, self.standard_error),
        }
    }

    /// The difference of two independent figures.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let standard_error = self.standard_error.hypot(other.standard_error);
        Self { value: self.value - other.value, standard_error }
    }
}

/// The interval with equal tails that leaves out `alpha` of a distribution.
pub(super) fn holding(distribution: &Posterior, alpha: f64) -> Interval {
    let (low, high) = distribution.credible_interval(Probability::rounded(1.0 - alpha));
    Interval { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_without_error_is_a_point() {
        let exact = Estimate { value: 3.0, standard_error: 0.0 };
        assert_eq!(exact.interval(0.05), Interval { low: 3.0, high: 3.0 });
        assert!(exact.interval(0.05).contains(3.0));
    }

    #[test]
    fn errors_of_independent_figures_add_in_squares() {
        let [a, b] =
            [(5.0, 3.0), (1.0, 4.0)].map(|(value, standard_error)| Estimate { value, standard_error });
        assert_eq!(a.minus(&b), Estimate { value: 4.0, standard_error: 5.0 });
    }
}
