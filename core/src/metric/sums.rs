//! The exact sums of one variant, from which every figure is computed.

use serde::{Deserialize, Serialize};

/// The largest magnitude of a numerator or denominator: 2^53, up to which `f64` holds every whole number.
const MAGNITUDE_MAX: i64 = 1 << 53;

/// What a metric says of one unit: a numerator over a denominator, both whole numbers.
///
/// - `numerator`: `|y| <= 2^53`, in the metric's unit (minor units for money).
/// - `denominator`: `0 <= d <= 2^53`; 1 for proportions and means, units of the denominator for ratios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UnitValue {
    numerator: i64,
    denominator: i64,
}

/// A numerator or denominator that no metric may yield.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "value {numerator} over {denominator} is out of range: both must be whole, at most 2^53 in magnitude, the denominator not negative, and 0 over 0 where the denominator is 0"
)]
pub struct ValueOutOfRange {
    /// The numerator as it was given.
    pub numerator: f64,
    /// The denominator as it was given.
    pub denominator: f64,
}

impl UnitValue {
    /// One thing counted.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// Checks what a metric answered for one unit.
    ///
    /// # Errors
    ///
    /// [`ValueOutOfRange`] unless both are whole, at most 2^53 in magnitude, `denominator >= 0`, and the
    /// numerator is 0 where the denominator is.
    pub fn from_f64(numerator: f64, denominator: f64) -> Result<Self, ValueOutOfRange> {
        let whole = |x: f64| x.fract() == 0.0 && x.abs() <= MAGNITUDE_MAX as f64;
        let in_population = denominator > 0.0 || numerator == 0.0;
        if whole(numerator) && whole(denominator) && denominator >= 0.0 && in_population {
            Ok(Self { numerator: numerator as i64, denominator: denominator as i64 })
        } else {
            Err(ValueOutOfRange { numerator, denominator })
        }
    }

    /// The numerator, in the metric's unit.
    pub fn numerator(self) -> i64 {
        self.numerator
    }

    /// The denominator.
    pub fn denominator(self) -> i64 {
        self.denominator
    }
}

/// The sums over the units of one variant (and one stratum): all that inference needs.
///
/// Sums are exact integers, so adding units in any order, and taking some back, gives equal bits.
/// They wrap around 2^127, which keeps taking back exact; no sum of real money comes near.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VariantSums {
    /// Units, including those whose value is zero.
    pub n: i64,
    /// Units whose numerator is not zero.
    pub n_nonzero: i64,
    /// Σ y.
    pub y: i128,
    /// Σ d.
    pub d: i128,
    /// Σ y².
    pub yy: i128,
    /// Σ y·d.
    pub yd: i128,
    /// Σ d².
    pub dd: i128,
}

impl VariantSums {
    /// Adds one unit.
    pub fn add(&mut self, value: UnitValue) {
        self.count((value.numerator, value.denominator), 1);
    }

    /// Takes one unit back that was added before.
    pub fn remove(&mut self, value: UnitValue) {
        self.count((value.numerator, value.denominator), -1);
    }

    /// Adds the units of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.n_nonzero += other.n_nonzero;
        self.y = self.y.wrapping_add(other.y);
        self.d = self.d.wrapping_add(other.d);
        self.yy = self.yy.wrapping_add(other.yy);
        self.yd = self.yd.wrapping_add(other.yd);
        self.dd = self.dd.wrapping_add(other.dd);
    }

    /// Whether there is no unit in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds (`sign` 1) or takes back (`sign` −1) a unit with two numbers, whatever they stand for.
    pub(crate) fn count(&mut self, (y, d): (i64, i64), sign: i64) {
        let (y, d) = (i128::from(y), i128::from(d));
        let signed = i128::from(sign);
        self.n += sign;
        self.n_nonzero += if y == 0 { 0 } else { sign };
        self.y = self.y.wrapping_add(signed * y);
        self.d = self.d.wrapping_add(signed * d);
        self.yy = self.yy.wrapping_add(signed * y * y);
        self.yd = self.yd.wrapping_add(signed * y * d);
        self.dd = self.dd.wrapping_add(signed * d * d);
    }
}
