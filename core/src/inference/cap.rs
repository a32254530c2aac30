//! A few huge orders, pulled back to a value that others reach too.
//!
//! One order a hundred times the usual decides a comparison of means by itself. So the numerator of a unit counts as
//! at most the **cap**: a high quantile of the numerators that are not zero, over all variants. Numerators and
//! denominators still come from the same units. A refund changes a unit's value, and so may change the cap.

use super::strata::{HistorySums, MetricStratum, Past, TailUnit};
use crate::metric::VariantSums;

/// What capping did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// The largest numerator that counts, in the metric's unit, `> 0`.
    pub value: i64,
    /// Matured units whose numerator was lowered to it.
    pub n_capped: u64,
}

/// Why nothing was capped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapError {
    /// Too few of the largest values.
    #[error("{given} of the largest values were given, {needed} are needed to know the cap")]
    TooFew {
        /// How many were given.
        given: usize,
        /// How many [`n_tail`] asks for.
        needed: usize,
    },
    /// A matured unit that is in no cell.
    #[error("there is no variant {variant_idx} in a stratum {stratum_idx}")]
    NoSuchCell {
        /// The stratum it names.
        stratum_idx: usize,
        /// The variant it names.
        variant_idx: usize,
    },
}

/// How many of the largest numerators tell the cap: it is the last of them. None where nothing is capped.
///
/// The cap is the order statistic at ⌊q (N − 1)⌋, counted from 0, of the N numerators that are not zero (the lower
/// one of the two nearest to the quantile). With q < 1 it is never the largest: however few the orders, the single
/// largest counts as much as the second.
pub fn n_tail(n_nonzero: u64, quantile: f64) -> usize {
    if n_nonzero == 0 || !(0.0..1.0).contains(&quantile) {
        return 0;
    }
    let position = (quantile * (n_nonzero - 1) as f64) as u64;
    usize::try_from(n_nonzero - position).unwrap_or(usize::MAX)
}

/// The largest numerator that counts; none where nothing is capped, also because it would not be positive.
///
/// - `largest`: the largest numerators, in any order; at least [`n_tail`] of them.
///
/// # Errors
///
/// [`CapError::TooFew`] if they are too few.
pub fn cap_value(mut largest: Vec<i64>, n_nonzero: u64, quantile: f64) -> Result<Option<i64>, CapError> {
    let needed = n_tail(n_nonzero, quantile);
    largest.sort_unstable_by(|a, b| b.cmp(a));
    let Some(last) = needed.checked_sub(1) else { return Ok(None) };
    let value = *largest.get(last).ok_or(CapError::TooFew { given: largest.len(), needed })?;
    Ok(Some(value).filter(|value| 0 < *value))
}

/// Lets one unit in the sums count as if its numerator were `value`.
pub fn lower(sums: &mut VariantSums, (numerator, denominator): (i64, i64), value: i64) {
    let (y, d, cap) = (i128::from(numerator), i128::from(denominator), i128::from(value));
    sums.y = sums.y.wrapping_sub(y - cap);
    sums.yy = sums.yy.wrapping_sub(y * y - cap * cap);
    sums.yd = sums.yd.wrapping_sub((y - cap) * d);
}

/// Caps the numerators: changes the sums to what they would be if each unit's numerator were at most the cap.
///
/// Exact in integers, so 100 times the data has 100 times the cap and the same verdict. The histories of capped units
/// follow; in a stratum where the past of one is [`Past::Unknown`] there is none afterwards, so that no variance is
/// computed from an x and a y that do not belong together.
///
/// - `tail`: the units with the largest numerators of all units of the experiment, matured or not, in any order; at
///   least [`n_tail`] of them.
/// - `n_nonzero`: units of the experiment whose numerator is not zero, matured or not.
/// - `quantile`: `0 <= q < 1`; anything else caps nothing.
/// - returns: none where nothing is capped, also because the cap would not be positive.
///
/// # Errors
///
/// [`CapError`] if `tail` is too short or does not fit the strata; `strata` are as they were then.
pub fn cap(
    strata: &mut [MetricStratum],
    tail: &[TailUnit],
    n_nonzero: u64,
    quantile: f64,
) -> Result<Option<Cap>, CapError> {
    let numerators = tail.iter().map(|unit| unit.numerator).collect();
    let Some(value) = cap_value(numerators, n_nonzero, quantile)? else { return Ok(None) };
    let matured = tail.iter().filter_map(|unit| unit.stratum_idx.map(|stratum_idx| (stratum_idx, unit)));
    let capped: Vec<_> = matured.filter(|(_, unit)| value < unit.numerator).collect();
    for &(stratum_idx, &TailUnit { variant_idx, .. }) in &capped {
        if strata.get(stratum_idx).is_none_or(|stratum| stratum.sums.len() <= variant_idx) {
            return Err(CapError::NoSuchCell { stratum_idx, variant_idx });
        }
    }
    for &(stratum_idx, unit) in &capped {
        if let Some(stratum) = strata.get_mut(stratum_idx) {
            lower_unit(stratum, unit, value);
        }
    }
    let n_capped = capped.len() as u64;
    Ok(Some(Cap { value, n_capped }))
}

/// Lowers one unit's numerator to `value`.
fn lower_unit(stratum: &mut MetricStratum, unit: &TailUnit, value: i64) {
    let (y, cap) = (i128::from(unit.numerator), i128::from(value));
    if let Some(sums) = stratum.sums.get_mut(unit.variant_idx) {
        lower(sums, (unit.numerator, unit.denominator), value);
    }
    match unit.past {
        Past::Unknown => stratum.history.clear(),
        Past::Empty => {}
        Past::Was(x) => {
            if let Some(history) = stratum.history.get_mut(unit.variant_idx) {
                let HistorySums { y: sum, xy, yy, .. } = history;
                *sum = sum.wrapping_sub(y - cap);
                *xy = xy.wrapping_sub(i128::from(x) * (y - cap));
                *yy = yy.wrapping_sub(y * y - cap * cap);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::UnitValue;
    use proptest::prelude::*;

    const N_STRATA: usize = 3;
    const N_VARIANTS: usize = 2;

    /// Stratum, variant, numerator, denominator, x where there is a history, matured.
    type Unit = (usize, usize, i64, i64, Option<i64>, bool);

    fn units() -> impl Strategy<Value = Vec<Unit>> {
        let amount = prop_oneof![3 => Just(0_i64), 5 => 1_i64..500, 1 => 500_i64..100_000, 1 => -300_i64..0];
        let unit = (
            0..N_STRATA,
            0..N_VARIANTS,
            amount,
            1_i64..4,
            prop::option::of(0_i64..1000),
            prop::bool::weighted(0.8),
        );
        prop::collection::vec(unit, 0..60)
    }

    fn strata(units: &[Unit]) -> Vec<MetricStratum> {
        let empty = MetricStratum {
            sums: vec![VariantSums::default(); N_VARIANTS],
            history: vec![HistorySums::default(); N_VARIANTS],
            ..MetricStratum::default()
        };
        let mut strata = vec![empty; N_STRATA];
        for &(stratum_idx, variant_idx, y, d, x, matured) in units {
            if !matured {
                continue;
            }
            strata[stratum_idx].sums[variant_idx].add(UnitValue::from_f64(y as f64, d as f64).unwrap());
            if let Some(x) = x {
                let (x, y) = (i128::from(x), i128::from(y));
                let history = &mut strata[stratum_idx].history[variant_idx];
                history.n += 1;
                history.x += x;
                history.y += y;
                history.xx += x * x;
                history.xy += x * y;
                history.yy += y * y;
            }
        }
        strata
    }

    fn tail(units: &[Unit], quantile: f64) -> (Vec<TailUnit>, u64) {
        let mut nonzero: Vec<Unit> = units.iter().copied().filter(|unit| unit.2 != 0).collect();
        nonzero.sort_by_key(|unit| std::cmp::Reverse(unit.2));
        let n_nonzero = nonzero.len() as u64;
        nonzero.truncate(n_tail(n_nonzero, quantile));
        let as_tail = |&unit: &Unit| TailUnit {
            stratum_idx: unit.5.then_some(unit.0),
            variant_idx: unit.1,
            numerator: unit.2,
            denominator: unit.3,
            past: unit.4.map_or(Past::Empty, Past::Was),
        };
        (nonzero.iter().map(as_tail).collect(), n_nonzero)
    }

    fn capped(units: &[Unit], quantile: f64) -> (Vec<MetricStratum>, Option<Cap>) {
        let mut strata = strata(units);
        let (tail, n_nonzero) = tail(units, quantile);
        let cap = cap(&mut strata, &tail, n_nonzero, quantile).unwrap();
        (strata, cap)
    }

    fn scaled(units: &[Unit], factor: i64) -> Vec<Unit> {
        let mut units = units.to_vec();
        for unit in &mut units {
            unit.2 *= factor;
        }
        units
    }

    proptest! {
        #[test]
        fn sums_are_those_of_units_that_were_capped_first(units in units(), quantile in 0.5_f64..1.0) {
            let mut nonzero: Vec<i64> = units.iter().map(|unit| unit.2).filter(|y| *y != 0).collect();
            nonzero.sort_unstable();
            let position = (quantile * nonzero.len().saturating_sub(1) as f64).floor() as usize;
            let expected = nonzero.get(position).copied().filter(|cap| 0 < *cap);
            let (found, cap) = capped(&units, quantile);
            prop_assert_eq!(cap.map(|cap| cap.value), expected);
            let mut lowered = units;
            for unit in &mut lowered {
                unit.2 = expected.map_or(unit.2, |cap| unit.2.min(cap));
            }
            prop_assert_eq!(found, strata(&lowered));
        }

        #[test]
        fn money_in_cents_or_yen_is_capped_alike(units in units(), quantile in 0.5_f64..1.0) {
            let (_, cap) = capped(&units, quantile);
            for factor in [100, 150] {
                let (_, times) = capped(&scaled(&units, factor), quantile);
                prop_assert_eq!(times.map(|cap| cap.value), cap.map(|cap| factor * cap.value));
                prop_assert_eq!(times.map(|cap| cap.n_capped), cap.map(|cap| cap.n_capped));
            }
        }

        #[test]
        fn an_outlier_a_hundred_times_the_largest_changes_nothing(units in units(), quantile in 0.5_f64..0.999) {
            let largest = units.iter().enumerate().max_by_key(|(_, unit)| unit.2).map(|(idx, _)| idx);
            let others = units.iter().filter(|unit| unit.2 != 0).count().saturating_sub(1);
            let (_, cap) = capped(&units, quantile);
            if let (Some(largest_idx), Some(_), true) = (largest, cap, 0 < others) {
                let mut with_outlier = units.clone();
                with_outlier[largest_idx].2 *= 100;
                prop_assert_eq!(capped(&with_outlier, quantile).0, capped(&units, quantile).0);
            }
        }
    }

    #[test]
    fn the_number_of_large_values_that_is_needed_is_small() {
        let expected = [(0, 0), (1, 1), (2, 2), (1001, 2), (1002, 3), (10_000, 11), (1_000_000, 1001)];
        for (n_nonzero, needed) in expected {
            assert_eq!(n_tail(n_nonzero, 0.999), needed, "of {n_nonzero}");
        }
        assert_eq!(n_tail(1000, 1.0), 0);
        assert_eq!(n_tail(1000, f64::NAN), 0);
    }

    #[test]
    fn one_order_is_left_as_it_is() {
        let (_, cap) = capped(&[(0, 0, 700, 1, None, true)], 0.999);
        assert_eq!(cap, Some(Cap { value: 700, n_capped: 0 }));
    }

    #[test]
    fn losses_are_not_capped() {
        let units = [(0, 0, 700, 1, None, true), (0, 1, -5, 1, None, true), (1, 1, -9, 1, None, true)];
        assert_eq!(capped(&units, 0.5), (strata(&units), None));
    }

    #[test]
    fn a_past_that_is_not_known_leaves_no_history_behind() {
        let units = [(0, 0, 700, 1, Some(3), true), (0, 1, 5, 1, Some(4), true), (1, 1, 5, 1, Some(5), true)];
        let mut strata = strata(&units);
        let (mut tail, n_nonzero) = tail(&units, 0.9);
        for unit in &mut tail {
            unit.past = Past::Unknown;
        }
        cap(&mut strata, &tail, n_nonzero, 0.9).unwrap();
        assert_eq!(strata.iter().map(|stratum| stratum.history.len()).collect::<Vec<_>>(), [0, 2, 2]);
    }

    #[test]
    fn a_tail_that_does_not_fit_is_refused_and_changes_nothing() {
        let units = [(0, 0, 700, 1, None, true), (0, 1, 5, 1, None, true), (1, 1, 6, 1, None, true)];
        let (mut tail, n_nonzero) = tail(&units, 0.9);
        let mut found = strata(&units);
        let too_few = cap(&mut found, &tail[..1], n_nonzero, 0.9);
        assert_eq!(too_few, Err(CapError::TooFew { given: 1, needed: 2 }));
        tail[0].variant_idx = N_VARIANTS;
        let nowhere = cap(&mut found, &tail, n_nonzero, 0.9);
        assert_eq!(nowhere, Err(CapError::NoSuchCell { stratum_idx: 0, variant_idx: N_VARIANTS }));
        assert_eq!(found, strata(&units));
    }
}
