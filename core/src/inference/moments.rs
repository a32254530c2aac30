//! Means and squares around them, from exact sums.

use crate::metric::VariantSums;
use crate::quotient::quotient;

/// Squares whose sum is a smaller part than this of what they were taken from are rounding noise.
const ROUNDING: f64 = 1e-14;

/// Units with one value each: how many, their mean, and Σ (z − z̄)².
///
/// `n` and `n_nonzero` are counts, but need not be whole once a stratum was discounted by its age.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// Units.
    pub n: f64,
    /// Units whose numerator is not zero.
    pub n_nonzero: f64,
    /// The mean value.
    pub mean: f64,
    /// Σ (z − z̄)², never negative.
    pub squares: f64,
}

/// Units with a numerator y and a denominator d each: how many, the means, and the sums of squares and products
/// around the means.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// Units.
    pub n: f64,
    /// Units whose numerator is not zero.
    pub n_nonzero: f64,
    /// ȳ.
    pub y: f64,
    /// d̄; 1 for proportions and means.
    pub d: f64,
    /// Σ (y − ȳ)².
    pub yy: f64,
    /// Σ (y − ȳ)(d − d̄).
    pub yd: f64,
    /// Σ (d − d̄)².
    pub dd: f64,
}

impl Cell {
    /// Puts the units of two cells together.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let n = self.n + other.n;
        if n <= 0.0 {
            return Self::default();
        }
        let apart = other.mean - self.mean;
        Self {
            n,
            n_nonzero: self.n_nonzero + other.n_nonzero,
            mean: (self.n * self.mean + other.n * other.mean) / n,
            squares: self.squares + other.squares + apart * apart * self.n * other.n / n,
        }
    }

    /// The same units, each counting as `weight` of one.
    #[must_use]
    pub fn weighted(&self, weight: f64) -> Self {
        Self {
            n: weight * self.n,
            n_nonzero: weight * self.n_nonzero,
            mean: self.mean,
            squares: weight * self.squares,
        }
    }

    /// The same units, each with so many times its value.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self { mean: factor * self.mean, squares: factor * factor * self.squares, ..*self }
    }

    /// The variance of one unit's value, over n − 1; none below two units.
    pub fn variance(&self) -> Option<f64> {
        (1.0 < self.n).then(|| self.squares / (self.n - 1.0))
    }
}

impl Moments {
    /// The moments of exact sums: each is rounded once or twice, however large the amounts.
    pub fn of(sums: &VariantSums) -> Self {
        let n = i128::from(sums.n);
        if n <= 0 {
            return Self::default();
        }
        let y = quotient(sums.y, n).unwrap_or(0.0);
        let d = quotient(sums.d, n).unwrap_or(0.0);
        Self {
            n: sums.n as f64,
            n_nonzero: sums.n_nonzero as f64,
            y,
            d,
            yy: around(n, (sums.y, sums.y), sums.yy).max(0.0),
            yd: around(n, (sums.y, sums.d), sums.yd),
            dd: around(n, (sums.d, sums.d), sums.dd).max(0.0),
        }
    }

    /// Puts the units of two together.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let n = self.n + other.n;
        if n <= 0.0 {
            return Self::default();
        }
        let (y, d) = (other.y - self.y, other.d - self.d);
        let between = self.n * other.n / n;
        let mean = |own: f64, others: f64| (self.n * own + other.n * others) / n;
        Self {
            n,
            n_nonzero: self.n_nonzero + other.n_nonzero,
            y: mean(self.y, other.y),
            d: mean(self.d, other.d),
            yy: self.yy + other.yy + y * y * between,
            yd: self.yd + other.yd + y * d * between,
            dd: self.dd + other.dd + d * d * between,
        }
    }

    /// The numerators alone.
    pub fn numerators(&self) -> Cell {
        Cell { n: self.n, n_nonzero: self.n_nonzero, mean: self.y, squares: self.yy }
    }

    /// The denominators alone.
    pub fn denominators(&self) -> Cell {
        Cell { n: self.n, n_nonzero: self.n_nonzero, mean: self.d, squares: self.dd }
    }

    /// The values (y − R d) / D, whose mean over all units is how far a ratio is from R, by the delta method.
    ///
    /// - `ratio`: R, the ratio that others are compared with.
    /// - `denominator`: D, the mean denominator over all units; `> 0`.
    ///
    /// # Source
    ///
    /// Deng, Knoblich & Lu (2018), *Applying the delta method in metric analytics*, KDD.
    /// <https://doi.org/10.1145/3219819.3219919>; Budylin, Drutsa, Katsev & Tsoy (2018), *Consistent transformation of
    /// ratio metrics for efficient online controlled experiments*, WSDM. <https://doi.org/10.1145/3159652.3159699>
    pub fn linearized(&self, ratio: f64, denominator: f64) -> Cell {
        let squares = self.yy - 2.0 * ratio * self.yd + ratio * ratio * self.dd;
        let of_what = self.yy + ratio * ratio * self.dd;
        Cell {
            n: self.n,
            n_nonzero: self.n_nonzero,
            mean: (self.y - ratio * self.d) / denominator,
            squares: if squares <= ROUNDING * of_what { 0.0 } else { squares / (denominator * denominator) },
        }
    }
}

/// Σ (a − ā)(b − b̄) from Σ a, Σ b and Σ ab over n units, without the cancellation of Σab − ΣaΣb/n.
pub(super) fn around(n: i128, (a, b): (i128, i128), ab: i128) -> f64 {
    let (near_a, rest_a) = (a.div_euclid(n), a.rem_euclid(n));
    let (near_b, rest_b) = (b.div_euclid(n), b.rem_euclid(n));
    // Around the whole numbers next to the means: exact, since the result fits even if a term wraps.
    let moved = ab
        .wrapping_sub(near_a.wrapping_mul(b))
        .wrapping_sub(near_b.wrapping_mul(a))
        .wrapping_add(near_a.wrapping_mul(near_b).wrapping_mul(n));
    match (moved.checked_mul(n), rest_a.checked_mul(rest_b)) {
        (Some(scaled), Some(rest)) => (scaled - rest) as f64 / n as f64,
        _ => moved as f64 - rest_a as f64 * rest_b as f64 / n as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::UnitValue;
    use proptest::prelude::*;

    fn sums(values: &[(i64, i64)]) -> VariantSums {
        let mut sums = VariantSums::default();
        for (y, d) in values {
            sums.add(UnitValue::from_f64(*y as f64, *d as f64).unwrap());
        }
        sums
    }

    fn close(a: f64, b: f64, scale: f64) -> bool {
        (a - b).abs() <= 1e-12 * scale.max(1e-300)
    }

    proptest! {
        #[test]
        fn merging_is_as_good_as_counting_together(
            a in prop::collection::vec((-1000_i64..1000, 1_i64..5), 0..30),
            b in prop::collection::vec((-1000_i64..1000, 1_i64..5), 0..30),
        ) {
            let mut both = sums(&a);
            both.merge(&sums(&b));
            let together = Moments::of(&both);
            let merged = Moments::of(&sums(&a)).merged(&Moments::of(&sums(&b)));
            for (x, y) in [
                (together.n, merged.n), (together.y, merged.y), (together.d, merged.d),
                (together.yy, merged.yy), (together.yd, merged.yd), (together.dd, merged.dd),
            ] {
                prop_assert!(close(x, y, 1e6 * 60.0), "{x} {y}");
            }
            let (x, y) = (together.linearized(3.0, 2.0), merged.linearized(3.0, 2.0));
            prop_assert!(close(x.mean, y.mean, 1e3) && close(x.squares, y.squares, 1e8));
        }

        #[test]
        fn amounts_of_any_size_keep_their_spread(
            values in prop::collection::vec(0_i64..100, 2..30),
            level in -(1_i64 << 52)..1_i64 << 52,
        ) {
            let at = |level: i64| {
                let moved: Vec<_> = values.iter().map(|value| (value + level, 1)).collect();
                Moments::of(&sums(&moved)).yy
            };
            prop_assert_eq!(at(0).to_bits(), at(level).to_bits());
        }
    }
}
