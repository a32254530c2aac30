//! What units did before their first exposure makes their values less noisy.
//!
//! A shopper who spent much before will spend much after, whichever variant is shown. What can be told from the past
//! is taken off, which moves no difference between variants and makes its error smaller. That is known as CUPED.

use super::moments::{Cell, around};
use super::strata::{HistorySums, MetricStratum, Stratum};
use crate::metric::VariantSums;

/// A past that takes off less of the variance than this is not worth mentioning.
const WORTH: f64 = 0.01;
/// Below so many units with a history the coefficients are noise.
const UNITS_MIN: i128 = 100;
/// Covariates that leave less than this of each other's spread unexplained say the same.
const SAME: f64 = 1e-9;
/// Squares whose sum is a smaller part than this of what they were taken from are rounding noise.
const ROUNDING: f64 = 1e-14;

/// Strata with adjusted values.
#[derive(Clone, Debug, PartialEq)]
pub struct Adjusted {
    /// The strata in the order they came in. Those without a history are as they were.
    pub strata: Vec<Stratum>,
    /// θ: by how much a unit's expected value rises with its x.
    pub slope: f64,
    /// By how much the expected value of a unit with a history of x̄ exceeds that of a unit without one; 0 where all
    /// units have one.
    pub step: f64,
    /// The part of the variance within variants and strata that was taken off.
    pub removed: f64,
}

impl Adjusted {
    /// Whether the past took off enough to speak of it.
    pub fn is_worth_mentioning(&self) -> bool {
        WORTH <= self.removed
    }
}

/// Takes off what the past tells: y' = y − θ(x − x̄) − δ(h − h̄), where h is 1 for a unit with a history and 0 for one
/// without, whose x counts as the x̄ of the others.
///
/// θ and δ are the least-squares coefficients over all variants and strata, around the means of each stratum. x̄ and h̄
/// are those of the stratum, over all variants: so its overall mean stays what it is, and differences between variants
/// within it keep their expectation. Use the values for such differences; a variant's own figure stays unadjusted.
///
/// Proportions and means only: the numerators are adjusted. Sums are combined in integers, so that amounts of any size
/// lose nothing. A stratum whose history is empty or contradicts its sums stays as it is. Values may be capped first
/// ([`super::cap`]), which lowers the y of both together.
///
/// - returns: none below 100 units with a history, and where neither x nor h varies.
///
/// # Source
///
/// Deng, Xu, Kohavi & Walker (2013), *Improving the sensitivity of online controlled experiments by utilizing
/// pre-experiment data*, WSDM. <https://doi.org/10.1145/2433396.2433413>. There every unit has an x; the indicator is
/// for those that have none.
pub fn adjust(strata: &[MetricStratum]) -> Option<Adjusted> {
    let (center, beyond) = center(strata)?;
    let units: Vec<Vec<Units>> = strata.iter().map(|stratum| units_of(stratum, center)).collect();
    let of_strata: Vec<Units> = units.iter().map(|variants| Units::together(variants)).collect();
    let mut products = Products::default();
    for stratum in &of_strata {
        products.add(&stratum.products());
    }
    let (slope, step) = products.coefficients()?;
    let mut adjusted: Vec<Stratum> = strata.iter().map(MetricStratum::numerators).collect();
    let squares = |strata: &[Stratum]| -> f64 {
        strata.iter().flat_map(|stratum| &stratum.cells).map(|cell| cell.squares).sum()
    };
    let before = squares(&adjusted);
    for ((stratum, variants), all) in adjusted.iter_mut().zip(&units).zip(&of_strata) {
        for (cell, own) in stratum.cells.iter_mut().zip(variants) {
            own.adjust(cell, all, (slope, step));
        }
    }
    let removed = if 0.0 < before { 1.0 - squares(&adjusted) / before } else { 0.0 };
    let step_at_mean = if of_strata.iter().all(Units::is_alike) { 0.0 } else { step + slope * beyond };
    Some(Adjusted { strata: adjusted, slope, step: step_at_mean, removed })
}

/// The whole number below x̄ over all units with a history, and the rest; none if they are too few.
fn center(strata: &[MetricStratum]) -> Option<(i128, f64)> {
    let histories = || strata.iter().flat_map(|stratum| &stratum.history);
    let n: i128 = histories().map(|history| i128::from(history.n)).sum();
    let x = histories().fold(0_i128, |sum, history| sum.wrapping_add(history.x));
    (UNITS_MIN <= n).then(|| (x.div_euclid(n), x.rem_euclid(n) as f64 / n as f64))
}

/// The units of each variant; empty where there is no history, or one that contradicts the sums.
fn units_of(stratum: &MetricStratum, center: i128) -> Vec<Units> {
    let together = || stratum.sums.iter().zip(&stratum.history);
    let fits = together().all(|(sums, history)| (0..=sums.n).contains(&history.n));
    if stratum.history.len() != stratum.sums.len() || !fits {
        return Vec::new();
    }
    together().map(|(sums, history)| Units::of(sums, history, center)).collect()
}

/// Exact sums over units, of y, h and c = h (x − center).
#[derive(Clone, Copy, Default)]
struct Units {
    n: i128,
    y: i128,
    h: i128,
    c: i128,
    hy: i128,
    cy: i128,
    cc: i128,
}

/// Sums of products around the means.
#[derive(Clone, Copy, Default)]
struct Products {
    hh: f64,
    hc: f64,
    cc: f64,
    hy: f64,
    cy: f64,
}

impl Units {
    fn of(sums: &VariantSums, history: &HistorySums, center: i128) -> Self {
        let h = i128::from(history.n);
        let moved = |sum: i128, of_what: i128| sum.wrapping_sub(center.wrapping_mul(of_what));
        let c = moved(history.x, h);
        Self {
            n: i128::from(sums.n),
            y: sums.y,
            h,
            c,
            hy: history.y,
            cy: moved(history.xy, history.y),
            cc: moved(moved(history.xx, history.x), c),
        }
    }

    fn together(all: &[Self]) -> Self {
        all.iter().fold(Self::default(), |a, b| Self {
            n: a.n + b.n,
            y: a.y.wrapping_add(b.y),
            h: a.h + b.h,
            c: a.c.wrapping_add(b.c),
            hy: a.hy.wrapping_add(b.hy),
            cy: a.cy.wrapping_add(b.cy),
            cc: a.cc.wrapping_add(b.cc),
        })
    }

    /// Whether all of them have a history, or none.
    fn is_alike(&self) -> bool {
        self.h == 0 || self.h == self.n
    }

    fn products(&self) -> Products {
        let Self { n, y, h, c, hy, cy, cc } = *self;
        if n <= 0 {
            return Products::default();
        }
        Products {
            hh: around(n, (h, h), h),
            hc: around(n, (h, c), c),
            cc: around(n, (c, c), cc),
            hy: around(n, (h, y), hy),
            cy: around(n, (c, y), cy),
        }
    }

    /// Changes the cell of these units to that of their adjusted values.
    fn adjust(&self, cell: &mut Cell, all: &Self, (slope, step): (f64, f64)) {
        if self.n <= 0 {
            return;
        }
        let Products { hh, hc, cc, hy, cy } = self.products();
        let explained = slope * slope * cc + 2.0 * slope * step * hc + step * step * hh;
        let squares = cell.squares - 2.0 * (slope * cy + step * hy) + explained;
        let of_what = cell.squares + explained;
        cell.squares = if squares <= ROUNDING * of_what { 0.0 } else { squares };
        let above = |own: i128, alls: i128| own as f64 / self.n as f64 - alls as f64 / all.n as f64;
        cell.mean -= slope * above(self.c, all.c) + step * above(self.h, all.h);
    }
}

impl Products {
    fn add(&mut self, other: &Self) {
        self.hh += other.hh;
        self.hc += other.hc;
        self.cc += other.cc;
        self.hy += other.hy;
        self.cy += other.cy;
    }

    /// θ and δ.
    fn coefficients(&self) -> Option<(f64, f64)> {
        let Self { hh, hc, cc, hy, cy } = *self;
        let determinant = cc * hh - hc * hc;
        if SAME * cc * hh < determinant {
            Some(((cy * hh - hy * hc) / determinant, (hy * cc - cy * hc) / determinant))
        } else if 0.0 < cc {
            Some((cy / cc, 0.0))
        } else {
            (0.0 < hh).then(|| (0.0, hy / hh))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::UnitValue;
    use proptest::prelude::*;

    /// A unit: its x where it has a history, and its y.
    type Unit = (Option<i64>, i64);

    fn stratum(variants: &[Vec<Unit>]) -> MetricStratum {
        let mut stratum = MetricStratum::default();
        for units in variants {
            let (mut sums, mut history) = (VariantSums::default(), HistorySums::default());
            for &(x, y) in units {
                sums.add(UnitValue::from_f64(y as f64, 1.0).unwrap());
                if let Some(x) = x {
                    let (x, y) = (i128::from(x), i128::from(y));
                    history.n += 1;
                    history.x += x;
                    history.y += y;
                    history.xx += x * x;
                    history.xy += x * y;
                    history.yy += y * y;
                }
            }
            stratum.sums.push(sums);
            stratum.history.push(history);
        }
        stratum
    }

    fn variant() -> impl Strategy<Value = Vec<Unit>> {
        let unit = (prop::option::weighted(0.7, 0_i64..500), 0_i64..500)
            .prop_map(|(x, noise)| (x, noise + 2 * x.unwrap_or(100)));
        prop::collection::vec(unit, 80..200)
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn adjusting_moves_units_between_variants_of_a_stratum_only(
            variants in prop::collection::vec(variant(), 2..4),
            factor in prop::sample::select(vec![1_i64, 100, 150]),
        ) {
            let scaled: Vec<Vec<Unit>> = variants
                .iter()
                .map(|units| units.iter().map(|(x, y)| (x.map(|x| factor * x), factor * y)).collect())
                .collect();
            let plain = [stratum(&scaled)];
            let found = adjust(&plain).unwrap();
            let of_all = |stratum: &Stratum| {
                stratum.cells.iter().fold(Cell::default(), |all, cell| all.merged(cell)).mean
            };
            prop_assert!(near(of_all(&found.strata[0]), of_all(&plain[0].numerators())));
            prop_assert!(0.2 < found.removed, "{}", found.removed);
            let once = adjust(&[stratum(&variants)]).unwrap();
            prop_assert!(near(once.slope, found.slope) && near(factor as f64 * once.step, found.step));
            prop_assert!(near(once.removed, found.removed));
        }
    }

    #[test]
    fn a_past_that_tells_nothing_takes_nothing_off() {
        let units = |shift: i64| (0..150).map(|i| (Some(i % 2), shift + i / 2 % 2)).collect::<Vec<Unit>>();
        let found = adjust(&[stratum(&[units(0), units(3)])]).unwrap();
        assert!(found.removed.abs() < 1e-3 && !found.is_worth_mentioning(), "{found:?}");
    }

    #[test]
    fn being_known_at_all_can_be_what_tells() {
        let units: Vec<Unit> =
            (0..300).map(|i| if i % 2 == 0 { (Some(5), 40 + i % 3) } else { (None, i % 3) }).collect();
        let found = adjust(&[stratum(&[units.clone(), units])]).unwrap();
        assert!(found.slope.abs() < 1e-12 && (found.step - 40.0).abs() < 0.1, "{found:?}");
        assert!(0.99 < found.removed, "{found:?}");
    }

    #[test]
    fn strata_without_a_history_stay_as_they_are() {
        let units: Vec<Unit> = (0..150).map(|i| (Some(i), 2 * i)).collect();
        let with = stratum(&[units.clone(), units]);
        let without = MetricStratum { history: Vec::new(), ..with.clone() };
        let mut contradictory = with.clone();
        contradictory.history[0].n = 151;
        let found = adjust(&[without.clone(), with, contradictory.clone()]).unwrap();
        assert_eq!(found.strata[0], without.numerators());
        assert_eq!(found.strata[2], contradictory.numerators());
        assert!(found.strata[1].cells.iter().all(|cell| cell.squares <= 1e-9), "{found:?}");
        assert_eq!(adjust(&[without]), None);
    }

    #[test]
    fn a_past_of_few_units_is_noise() {
        let units = |n: i64| (0..n).map(|i| (Some(i), i)).collect::<Vec<Unit>>();
        assert_eq!(adjust(&[stratum(&[units(49), units(50)])]), None);
        assert!(adjust(&[stratum(&[units(50), units(50)])]).is_some());
        let constant = vec![(Some(1), 1); 200];
        assert_eq!(adjust(&[stratum(&[constant])]), None);
    }
}
