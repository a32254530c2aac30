//! What the data says to those who planned when to look, and look once: the textbook tests, by their names.
//!
//! These intervals do not hold if one looks again and again and stops when one likes what one sees.

use super::estimate::{Estimate, Interval, holding};
use super::moments::{Cell, Moments};
use crate::posterior::{Normal, Posterior, StudentT};
use serde::{Deserialize, Serialize};

/// Which test it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Test {
    /// Welch's t test of two means with variances of their own.
    WelchT,
    /// The z test of two proportions with the pooled variance; Newcombe's interval.
    PooledZ,
    /// The z test of two ratios, by the delta method.
    DeltaZ,
}

impl Test {
    /// The test as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WelchT => "welch_t",
            Self::PooledZ => "pooled_z",
            Self::DeltaZ => "delta_z",
        }
    }
}

/// What a test says of the difference between a variant and the control.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Which test it is.
    pub test: Test,
    /// The difference, and the standard error that the test divides it by.
    pub difference: Estimate,
    /// The interval of the difference.
    pub interval: Interval,
    /// The probability of a difference this far from 0, either way, if there is none.
    pub p_value: f64,
    /// Degrees of freedom, for Welch's test.
    pub degrees: Option<f64>,
}

/// Compares two means.
///
/// - `alpha`: what the interval leaves out.
/// - returns: none where one has fewer than two units, or neither varies.
///
/// # Source
///
/// Welch (1947), *The generalization of 'Student's' problem when several different population variances are
/// involved*, Biometrika 34(1/2), 28–35. <https://doi.org/10.1093/biomet/34.1-2.28>
pub fn welch(variant: &Cell, control: &Cell, alpha: f64) -> Option<Reading> {
    let (v_1, v_0) = (variant.variance()? / variant.n, control.variance()? / control.n);
    let difference = Estimate { value: variant.mean - control.mean, standard_error: (v_1 + v_0).sqrt() };
    let degrees = (v_1 + v_0).powi(2) / (v_1 * v_1 / (variant.n - 1.0) + v_0 * v_0 / (control.n - 1.0));
    let around = |center| {
        StudentT::new(degrees.max(1.0), center, difference.standard_error).ok().map(Posterior::StudentT)
    };
    Some(Reading {
        test: Test::WelchT,
        difference,
        interval: holding(&around(difference.value)?, alpha),
        p_value: two_sided(&around(difference.value.abs())?),
        degrees: Some(degrees),
    })
}

/// Compares two proportions, the means of values that are 0 or 1.
///
/// The p-value is that of the pooled z test. The interval is Newcombe's method 10, which holds at any count.
///
/// - returns: none where one has no unit, or nobody or everybody converted in both.
///
/// # Source
///
/// Newcombe (1998), *Interval estimation for the difference between independent proportions: comparison of eleven
/// methods*, Statistics in Medicine 17(8), 873–890.
pub fn pooled_z(variant: &Cell, control: &Cell, alpha: f64) -> Option<Reading> {
    if variant.n <= 0.0 || control.n <= 0.0 {
        return None;
    }
    let rate = variant.merged(control).mean;
    let standard_error = (rate * (1.0 - rate) * (1.0 / variant.n + 1.0 / control.n)).sqrt();
    let difference = Estimate { value: variant.mean - control.mean, standard_error };
    let p_value = two_sided(&normal(difference.value.abs(), standard_error)?);
    let (score_1, score_0) = (wilson(variant, alpha)?, wilson(control, alpha)?);
    let below = (variant.mean - score_1.low).hypot(score_0.high - control.mean);
    let above = (score_1.high - variant.mean).hypot(control.mean - score_0.low);
    let interval = Interval { low: difference.value - below, high: difference.value + above };
    Some(Reading { test: Test::PooledZ, difference, interval, p_value, degrees: None })
}

/// Compares two ratios Σy/Σd.
///
/// - returns: none where one has fewer than two units or nothing in its denominator, or neither varies.
///
/// # Source
///
/// Deng, Knoblich & Lu (2018), *Applying the delta method in metric analytics*, KDD.
/// <https://doi.org/10.1145/3219819.3219919>
pub fn delta_z(variant: &Moments, control: &Moments, alpha: f64) -> Option<Reading> {
    let difference = ratio(variant)?.minus(&ratio(control)?);
    let p_value = two_sided(&normal(difference.value.abs(), difference.standard_error)?);
    let interval = difference.interval(alpha);
    Some(Reading { test: Test::DeltaZ, difference, interval, p_value, degrees: None })
}

/// Σy/Σd with its standard error.
fn ratio(moments: &Moments) -> Option<Estimate> {
    if moments.d <= 0.0 {
        return None;
    }
    let value = moments.y / moments.d;
    let variance = moments.linearized(value, moments.d).variance()?;
    Some(Estimate { value, standard_error: (variance / moments.n).sqrt() })
}

/// Wilson's score interval of a proportion.
fn wilson(cell: &Cell, alpha: f64) -> Option<Interval> {
    let (n, p) = (cell.n, cell.mean);
    let z = holding(&normal(0.0, 1.0)?, alpha).high;
    let shrink = 1.0 + z * z / n;
    let radius = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).max(0.0).sqrt() / shrink;
    Some(Interval::around((p + z * z / (2.0 * n)) / shrink, radius))
}

fn normal(mean: f64, sd: f64) -> Option<Posterior> {
    Normal::new(mean, sd).ok().map(Posterior::Normal)
}

/// Twice the part of a distribution, symmetric around something not negative, that lies below 0.
fn two_sided(distribution: &Posterior) -> f64 {
    2.0 * distribution.cdf(0.0).get()
}
