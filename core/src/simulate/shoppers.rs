//! What the shoppers of one variant do.

use std::f64::consts::SQRT_2;

use rand::{Rng, RngExt};
use rand_distr::{Binomial, Distribution, StandardNormal};
use statrs::function::erf::erfc;

use crate::metric::{MetricKind, UnitValue, ValueOutOfRange, VariantSums};
use crate::probability::Probability;

/// The shoppers of one variant: independent of each other, and alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Shoppers {
    rate: Probability,
    amount: Amount,
    /// No order counts for more.
    cap: f64,
    per_order: bool,
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
        Self::of(rate, Amount::One)
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
            Ok(Self::of(rate, Amount::LogNormal { median, log_sd }))
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
        if amounts.is_empty() { Err(NotShoppers::NoAmounts) } else { Ok(Self::of(rate, Amount::Of(amounts))) }
    }

    /// The same shoppers, buying so many times as often, but all of them at most.
    #[must_use]
    pub fn buying(&self, times: f64) -> Self {
        Self { rate: Probability::rounded(times * self.rate.get()), ..self.clone() }
    }

    /// The true value of a metric that counts orders, adds their amounts, or divides amounts by orders.
    pub fn mean_of(&self, kind: MetricKind) -> f64 {
        match kind {
            MetricKind::Proportion => self.rate.get(),
            MetricKind::Mean => self.rate.get() * self.mean_order(),
            MetricKind::Ratio => self.mean_order(),
        }
    }

    fn of(rate: Probability, amount: Amount) -> Self {
        Self { rate, amount, cap: f64::INFINITY, per_order: false }
    }

    /// The same shoppers, of whom no order counts for more than `cap` minor units.
    #[must_use]
    pub fn capped(self, cap: u32) -> Self {
        Self { cap: f64::from(cap), ..self }
    }

    /// The same shoppers, of whom only those who order are in the population: their value is the amount over one
    /// order, that of the others 0 over 0.
    #[must_use]
    pub fn per_order(self) -> Self {
        Self { per_order: true, ..self }
    }

    /// The true mean value per unit, or per order (log-normal amounts: before rounding).
    pub fn mean(&self) -> f64 {
        if self.per_order { self.mean_order() } else { self.rate.get() * self.mean_order() }
    }

    fn mean_order(&self) -> f64 {
        match &self.amount {
            Amount::One => self.cap.min(1.0),
            Amount::LogNormal { median, log_sd } => capped_log_normal_mean(*median, *log_sd, self.cap),
            Amount::Of(amounts) => {
                amounts.iter().map(|&amount| self.cap.min(amount as f64)).sum::<f64>() / amounts.len() as f64
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
        let missing = if self.per_order { 0.0 } else { 1.0 };
        if bought { UnitValue::from_f64(self.order(rng), 1.0) } else { UnitValue::from_f64(0.0, missing) }
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
        let amount = match &self.amount {
            Amount::One => 1.0,
            Amount::LogNormal { median, log_sd } => {
                let z: f64 = StandardNormal.sample(rng);
                (median * (log_sd * z).exp()).round()
            }
            Amount::Of(amounts) => amounts[rng.random_range(0..amounts.len())] as f64,
        };
        self.cap.min(amount)
    }
}

/// E[min(X, c)] of a log-normal X: the mean of what lies below the cap, and the cap for the rest.
fn capped_log_normal_mean(median: f64, log_sd: f64, cap: f64) -> f64 {
    let mean = median * (0.5 * log_sd * log_sd).exp();
    if cap.is_infinite() || log_sd <= 0.0 {
        return cap.min(mean);
    }
    let z = (cap / median).ln() / log_sd;
    let below = |z: f64| 0.5 * erfc(-z / SQRT_2);
    mean * below(z - log_sd) + cap * below(-z)
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
            Shoppers::ordering(rate(0.6), 3000.0, 1.2).unwrap().capped(7000),
            Shoppers::ordering_from(rate(0.5), vec![100, 200, 900]).unwrap().capped(250),
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
    fn only_those_who_order_have_an_order_value() {
        let shoppers = Shoppers::ordering_from(rate(0.3), vec![100, 300]).unwrap().per_order();
        assert!((shoppers.mean() - 200.0).abs() < 1e-9);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let values: Vec<_> = (0..1000).map(|_| shoppers.value(&mut rng).unwrap()).collect();
        assert!(values.iter().all(|value| (value.denominator() == 0) == (value.numerator() == 0)));
        let orders: i64 = values.iter().map(|value| value.denominator()).sum();
        assert!((250..350).contains(&orders), "{orders}");
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
