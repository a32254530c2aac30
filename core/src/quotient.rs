//! Whole numbers divided exactly.

/// Divides two whole numbers and rounds once, to the nearest `f64`, half to even.
///
/// Both sides are exact to 2^127; casting them first would round three times. None where the denominator is 0.
pub fn quotient(numerator: i128, denominator: i128) -> Option<f64> {
    let divisor = denominator.unsigned_abs();
    if divisor == 0 {
        return None;
    }
    let mut bits = numerator.unsigned_abs() / divisor;
    let mut rest = numerator.unsigned_abs() % divisor;
    let mut exponent = 0;
    // Long division until 64 significant bits stand there, 11 more than a result holds. The smallest quotient is
    // 2^-127, so this ends; `rest < divisor <= 2^127`, so doubling it fits.
    while rest != 0 && bits < 1 << 63 {
        rest *= 2;
        let bit = u128::from(divisor <= rest);
        rest -= bit * divisor;
        bits = bits << 1 | bit;
        exponent -= 1;
    }
    // What is left only breaks ties, and the lowest of so many bits does that too.
    bits |= u128::from(rest != 0);
    let magnitude = bits as f64 * 2_f64.powi(exponent);
    Some(if (numerator < 0) == (denominator < 0) { magnitude } else { -magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn division_rounds_once() {
        assert_eq!(quotient(1, 0), None);
        assert_eq!(quotient(0, 7).map(f64::to_bits), Some(0.0_f64.to_bits()));
        assert_eq!(quotient(250_031_563, 69_659), Some(3_589.364_805_696_320_7));
        assert_eq!(quotient(-1, 3), Some(-1.0 / 3.0));
        assert_eq!(quotient(i128::MAX, 1), Some(2_f64.powi(127)));
        assert_eq!(quotient(1, i128::MAX), Some(2_f64.powi(-127)));
        // 2^53 + 1 over 1 is a tie and goes to even; a little more is none.
        let tie = (1_i128 << 53) + 1;
        assert_eq!(quotient(tie, 1), Some(2_f64.powi(53)));
        assert_eq!(quotient((tie << 60) + 1, 1 << 60), Some(2_f64.powi(53) + 2.0));
    }

    proptest! {
        #[test]
        fn small_numbers_divide_like_floats(
            numerator in -(1_i64 << 53)..=1 << 53,
            denominator in 1_i64..=1 << 53,
        ) {
            let expected = numerator as f64 / denominator as f64;
            prop_assert_eq!(quotient(i128::from(numerator), i128::from(denominator)), Some(expected));
        }

        #[test]
        fn a_common_factor_changes_nothing(
            numerator in -(1_i64 << 53)..=1 << 53,
            denominator in 1_i64..=1 << 53,
            factor in 1_i64..1 << 40,
        ) {
            let (y, d, factor) = (i128::from(numerator), i128::from(denominator), i128::from(factor));
            prop_assert_eq!(quotient(y * factor, d * factor), quotient(y, d));
        }
    }
}
