//! Buffers that a plugin writes into, and the checks of what it wrote.
#![expect(clippy::float_cmp, reason = "whole numbers up to 2^53 are exact, and equal bits are the point")]

use crate::info::{MetricKind, Posterior};
use crate::instance::MetricFault;
use podium_plugin_abi::MAGNITUDE_MAX;

/// Doubles before and behind a buffer that nobody may touch.
const CANARY_LEN: usize = 8;
/// What stands there: no number that a metric would write.
const CANARY_BITS: u64 = 0x7ff4_c0de_ca4a_a417;
/// What stands in the buffer before the call: NaN that no arithmetic makes.
const UNWRITTEN_BITS: u64 = 0x7ff4_0000_dead_f00d;

/// A buffer of doubles between canaries.
pub(crate) struct Answer {
    doubles: Vec<f64>,
}

impl Answer {
    /// Makes a buffer of `len` doubles.
    pub(crate) fn new(len: usize) -> Self {
        let mut doubles = vec![f64::from_bits(UNWRITTEN_BITS); len + 2 * CANARY_LEN];
        doubles[..CANARY_LEN].fill(f64::from_bits(CANARY_BITS));
        doubles[CANARY_LEN + len..].fill(f64::from_bits(CANARY_BITS));
        Self { doubles }
    }

    /// Lends the buffer to the plugin; null if it has no room.
    pub(crate) fn as_mut_ptr(&mut self) -> *mut f64 {
        let (start, end) = (CANARY_LEN, self.doubles.len() - CANARY_LEN);
        if start == end { std::ptr::null_mut() } else { self.doubles[start..end].as_mut_ptr() }
    }

    /// Takes what was written, unless it went over the edge.
    pub(crate) fn written(&self) -> Result<&[f64], MetricFault> {
        let (before, rest) = self.doubles.split_at(CANARY_LEN);
        let (written, behind) = rest.split_at(rest.len() - CANARY_LEN);
        let is_alive = |double: &f64| double.to_bits() == CANARY_BITS;
        if before.iter().chain(behind).all(is_alive) { Ok(written) } else { Err(MetricFault::OutOfBounds) }
    }
}

/// Reads contributions as whole numbers.
pub(crate) fn contributions(written: &[f64], k: usize) -> Result<Vec<i64>, MetricFault> {
    // One pass without a branch; only if something is wrong, another one looks for it.
    let mut are_whole = true;
    let mut numbers = Vec::with_capacity(written.len());
    numbers.extend(written.iter().map(|&found| {
        let number = whole(found);
        are_whole &= number as f64 == found;
        number
    }));
    if are_whole {
        return Ok(numbers);
    }
    let is_wrong = |&(_, &found): &(usize, &f64)| whole(found) as f64 != found;
    written.iter().enumerate().find(is_wrong).map_or(Ok(numbers), |(idx, &found)| {
        let (row, accumulator) = (idx / k, idx % k);
        Err(if is_unwritten(found) {
            MetricFault::NotWritten { row }
        } else {
            MetricFault::BadContribution { row, accumulator, found }
        })
    })
}

/// The whole number that `found` is, or one that does not equal it.
fn whole(found: f64) -> i64 {
    // NaN is in no range. An `as` of any double would cost three more comparisons.
    if found.abs() <= MAGNITUDE_MAX as f64 {
        // SAFETY: finite, and far within the range of `i64`.
        unsafe { found.to_int_unchecked() }
    } else {
        0
    }
}

/// Checks values against the rules of their kind.
pub(crate) fn values(
    numerators: &[f64],
    denominators: &[f64],
    kind: MetricKind,
    posterior: Posterior,
) -> Result<Vec<(f64, f64)>, MetricFault> {
    let pairs = numerators.iter().zip(denominators).enumerate();
    pairs
        .map(|(row, (&numerator, &denominator))| {
            if is_unwritten(numerator) || is_unwritten(denominator) {
                return Err(MetricFault::NotWritten { row });
            }
            match broken_rule(numerator, denominator, kind, posterior) {
                Some(rule) => Err(MetricFault::BadValue { row, numerator, denominator, rule: rule.into() }),
                // Adding 0 turns −0 into 0, so that equal values have equal bits.
                None => Ok((numerator + 0.0, denominator + 0.0)),
            }
        })
        .collect()
}

fn broken_rule(
    numerator: f64,
    denominator: f64,
    kind: MetricKind,
    posterior: Posterior,
) -> Option<&'static str> {
    let is_whole = |number: f64| whole(number) as f64 == number;
    let is_bit = |number: f64| number == 0.0 || number == 1.0;
    if !is_whole(numerator) || !is_whole(denominator) {
        return Some("both must be whole numbers of at most 2^53");
    }
    if denominator < 0.0 {
        return Some("a denominator must not be negative");
    }
    if denominator == 0.0 && numerator != 0.0 {
        return Some("over 0 there must be 0");
    }
    match kind {
        MetricKind::Proportion if !is_bit(numerator) || denominator != 1.0 => {
            Some("a proportion must be 0 or 1, over 1")
        }
        MetricKind::Mean if denominator != 1.0 => Some("a mean must be over 1"),
        MetricKind::Ratio if posterior == Posterior::Beta && !(is_bit(numerator) && is_bit(denominator)) => {
            Some("a ratio with a beta posterior must be 0 or 1 over 0 or 1")
        }
        MetricKind::Proportion | MetricKind::Mean | MetricKind::Ratio => None,
    }
}

fn is_unwritten(double: f64) -> bool {
    double.to_bits() == UNWRITTEN_BITS
}

#[cfg(test)]
mod tests {
    use super::{Answer, CANARY_LEN, contributions, values};
    use crate::info::{MetricKind, Posterior};
    use crate::instance::MetricFault;

    const LARGEST: f64 = 9_007_199_254_740_992.0;

    #[test]
    fn whole_numbers_pass() {
        let found = contributions(&[0.0, -0.0, 1.0, -5.0, LARGEST, -LARGEST], 2).unwrap();
        assert_eq!(found, [0, 0, 1, -5, 1 << 53, -(1 << 53)]);
    }

    #[test]
    fn anything_else_names_its_row() {
        for wrong in [0.5, f64::INFINITY, f64::NEG_INFINITY, LARGEST + 2.0, -1e300, f64::MIN_POSITIVE] {
            let fault = contributions(&[1.0, 1.0, 1.0, wrong], 2).unwrap_err();
            assert_eq!(fault, MetricFault::BadContribution { row: 1, accumulator: 1, found: wrong });
        }
        let fault = contributions(&[f64::NAN], 1).unwrap_err();
        assert_eq!((fault.slug(), fault.row()), ("bad-contribution", Some(0)));
        let untouched = Answer::new(4);
        let fault = contributions(untouched.written().unwrap(), 2).unwrap_err();
        assert_eq!(fault, MetricFault::NotWritten { row: 0 });
    }

    #[test]
    fn writing_over_either_edge_is_noticed() {
        for idx in [0, CANARY_LEN - 1, CANARY_LEN + 4, 2 * CANARY_LEN + 3] {
            let mut answer = Answer::new(4);
            answer.doubles[idx] = 1.0;
            assert_eq!(answer.written().unwrap_err(), MetricFault::OutOfBounds);
        }
        let mut answer = Answer::new(4);
        answer.doubles[CANARY_LEN..CANARY_LEN + 4].fill(1.0);
        assert_eq!(answer.written().unwrap(), [1.0; 4]);
    }

    #[track_caller]
    fn check(kind: MetricKind, posterior: Posterior, value: (f64, f64), is_allowed: bool) {
        let found = values(&[value.0], &[value.1], kind, posterior);
        assert_eq!(found.is_ok(), is_allowed, "{kind:?} {value:?}: {found:?}");
    }

    #[test]
    fn values_fit_their_kind() {
        use MetricKind::{Mean, Proportion, Ratio};
        use Posterior::{Beta, Normal};
        for (value, proportion, mean, ratio, beta_ratio) in [
            ((0.0, 1.0), true, true, true, true),
            ((1.0, 1.0), true, true, true, true),
            ((2.0, 1.0), false, true, true, false),
            ((-7.0, 1.0), false, true, true, false),
            ((0.0, 0.0), false, false, true, true),
            ((1.0, 0.0), false, false, false, false),
            ((1.0, -1.0), false, false, false, false),
            ((5.0, 3.0), false, false, true, false),
            ((0.5, 1.0), false, false, false, false),
            ((f64::NAN, 1.0), false, false, false, false),
            ((1.0, f64::INFINITY), false, false, false, false),
            ((LARGEST, 1.0), false, true, true, false),
            ((LARGEST + 2.0, 1.0), false, false, false, false),
        ] {
            check(Proportion, Beta, value, proportion);
            check(Mean, Normal, value, mean);
            check(Ratio, Normal, value, ratio);
            check(Ratio, Beta, value, beta_ratio);
        }
    }
}
