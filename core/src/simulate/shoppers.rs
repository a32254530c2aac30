//! What the shoppers of one variant do.

use rand::{Rng, RngExt};
use rand_distr::{Binomial, Distribution, StandardNormal};

use crate::metric::{MetricKind, UnitValue, ValueOutOfRange, VariantSums};
use crate::probability::Probability;

/// The shoppers of one variant: independent of each other, and alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Shoppers {
    rate: Probability,
    amount: Amount,
}

#[derive(Clone, Debug, PartialEq)]
enum Amount {
    One,
    LogNormal { median: f64, log_sd: f64 },
    Of(Vec<i64>),
}

/// Parameters that describe no shoppers.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotShoppers {
    /// Order amounts that are too wide, or no numbers.
    #[error("a median order of {median} with a log standard deviation of {log_sd} is not possible")]
    Orders {
        /// The median as it was given.
        median: f64,
        /// The spread as it was given.
        log_sd: f64,
    },
    /// No amounts to draw from.
    #[error("there is no order amount to draw from")]
    NoAmounts,
}

impl Shoppers {
    /// Shoppers of whom a share `rate` converts: their value is 1, of the others 0.
    pub fn converting(rate: Probability) -> Self {
        Self { rate, amount: Amount::One }
    }

    /// Shoppers of whom a share `rate` orders for a log-normal amount, rounded to whole minor units.
    ///
    /// - `median`: of the orders, in minor units, `> 0`.
    /// - `log_sd`: standard deviation of the log of an order, `0 <= log_sd <= 4`.
    ///
    /// # Errors
    ///
    /// [`NotShoppers::Orders`] if one of them is out of range.
    pub fn ordering(rate: Probability, median: f64, log_sd: f64) -> Result<Self, NotShoppers> {
        if 0.0 < median && median <= 1e12 && (0.0..=4.0).contains(&log_sd) {
            Ok(Self { rate, amount: Amount::LogNormal { median, log_sd } })
        } else {
            Err(NotShoppers::Orders { median, log_sd })
        }
    }

    /// Shoppers of whom a share `rate` orders for one of these amounts, in minor units.
    ///
    /// # Errors
    ///
    /// [`NotShoppers::NoAmounts`] if there is none.
    pub fn ordering_from(rate: Probability, amounts: Vec<i64>) -> Result<Self, NotShoppers> {
        if amounts.is_empty() {
            Err(NotShoppers::NoAmounts)
        } else {
            Ok(Self { rate, amount: Amount::Of(amounts) })
        }
    }

    /// The same shoppers, buying so many times as often, but all of them at most.
    #[must_use]
    pub fn buying(&self, times: f64) -> Self {
        Self { rate: Probability::rounded(times * self.rate.get()), amount: self.amount.clone() }
    }

    /// The true mean value per unit (log-normal amounts: before rounding).
    pub fn mean(&self) -> f64 {
        self.rate.get() * self.mean_order()
    }

    /// The true value of a metric that counts orders, adds their amounts, or divides amounts by orders.
    pub fn mean_of(&self, kind: MetricKind) -> f64 {
        match kind {
            MetricKind::Proportion => self.rate.get(),
            MetricKind::Mean => self.mean(),
            MetricKind::Ratio => self.mean_order(),
        }
    }

    fn mean_order(&self) -> f64 {
        match &self.amount {
            Amount::One => 1.0,
            Amount::LogNormal { median, log_sd } => median * (0.5 * log_sd * log_sd).exp(),
            Amount::Of(amounts) => {
                amounts.iter().map(|&amount| amount as f64).sum::<f64>() / amounts.len() as f64
            }
        }
    }

    /// Draws the value of one unit.
    ///
    /// # Errors
    ///
    /// [`ValueOutOfRange`] for an amount above 2^53.
    pub fn value(&self, rng: &mut impl Rng) -> Result<UnitValue, ValueOutOfRange> {
        let bought = rng.random::<f64>() < self.rate.get();
        UnitValue::from_f64(if bought { self.order(rng) } else { 0.0 }, 1.0)
    }

    /// Draws the sums of `n` units for a metric that counts orders, adds their amounts, or divides amounts by orders.
    ///
    /// # Errors
    ///
    /// [`ValueOutOfRange`] for an amount above 2^53.
    pub fn sums(&self, kind: MetricKind, n: u64, rng: &mut impl Rng) -> Result<VariantSums, ValueOutOfRange> {
        // A rate is a probability, so that there is such a distribution.
        let bought = Binomial::new(n, self.rate.get()).map_or(0, |binomial| binomial.sample(rng));
        let (n, n_orders) = (n.cast_signed(), bought.cast_signed());
        let units = if kind == MetricKind::Ratio { n_orders } else { n };
        let mut sums = VariantSums { n, d: units.into(), dd: units.into(), ..VariantSums::default() };
        if kind == MetricKind::Proportion {
            let orders = n_orders.into();
            return Ok(VariantSums { n_nonzero: n_orders, y: orders, yy: orders, yd: orders, ..sums });
        }
        for _ in 0..bought {
            let amount = UnitValue::from_f64(self.order(rng), 1.0)?.numerator();
            sums.n_nonzero += i64::from(amount != 0);
            sums.y += i128::from(amount);
            sums.yy += i128::from(amount) * i128::from(amount);
        }
        sums.yd = sums.y;
        Ok(sums)
    }

    /// Draws the amount of an order.
    fn order(&self, rng: &mut impl Rng) -> f64 {
        match &self.amount {
            Amount::One => 1.0,
            Amount::LogNormal { median, log_sd } => {
                let z: f64 = StandardNormal.sample(rng);
                (median * (log_sd * z).exp()).round()
            }
            Amount::Of(amounts) => amounts[rng.random_range(0..amounts.len())] as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    fn rate(rate: f64) -> Probability {
        Probability::rounded(rate)
    }

    #[test]
    fn shoppers_spend_their_mean() {
        let all = [
            Shoppers::converting(rate(0.1)),
            Shoppers::ordering(rate(0.2), 3000.0, 0.5).unwrap(),
            Shoppers::ordering_from(rate(0.5), vec![100, 200, 900]).unwrap(),
        ];
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        for shoppers in all {
            let (mut sum, mut squares) = (0.0, 0.0);
            let n = 50_000;
            for _ in 0..n {
                let value = shoppers.value(&mut rng).unwrap();
                assert_eq!(value.denominator(), 1);
                sum += value.numerator() as f64;
                squares += (value.numerator() as f64).powi(2);
            }
            let mean = sum / f64::from(n);
            let standard_error = ((squares / f64::from(n) - mean * mean) / f64::from(n)).sqrt();
            assert!((mean - shoppers.mean()).abs() < 4.0 * standard_error, "{mean} for {}", shoppers.mean());
        }
    }

    #[test]
    fn impossible_shoppers_are_refused() {
        assert!(Shoppers::ordering(rate(0.1), 0.0, 0.5).is_err());
        assert!(Shoppers::ordering(rate(0.1), f64::NAN, 0.5).is_err());
        assert!(Shoppers::ordering(rate(0.1), 3000.0, 4.5).is_err());
        assert_eq!(Shoppers::ordering_from(rate(0.1), vec![]), Err(NotShoppers::NoAmounts));
        let huge = Shoppers::ordering_from(Probability::ONE, vec![i64::MAX]).unwrap();
        assert!(huge.value(&mut Xoshiro256PlusPlus::seed_from_u64(5)).is_err());
    }
}
