//! What a metric says of itself.

use podium_plugin_abi::codes;

const DAY_S: i64 = 86_400;
const DEFAULT_WINDOW_S: i64 = 14 * DAY_S;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Direction {
    /// More is better.
    Increase = codes::DIRECTION_INCREASE,
    /// Less is better.
    Decrease = codes::DIRECTION_DECREASE,
}

/// What the numerator counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Unit {
    /// A plain number.
    Plain = codes::UNIT_PLAIN,
    /// Minor units of a currency: cents, yen.
    CurrencyMinor = codes::UNIT_CURRENCY_MINOR,
    /// Things counted.
    Count = codes::UNIT_COUNT,
    /// A share between 0 and 1.
    Proportion = codes::UNIT_PROPORTION,
    /// Milliseconds.
    Milliseconds = codes::UNIT_MILLISECONDS,
}

/// The family of distributions that fits the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Posterior {
    /// Normal; for ratios by the delta method.
    Normal = codes::POSTERIOR_NORMAL,
    /// Beta, for values that are 0 or 1.
    Beta = codes::POSTERIOR_BETA,
    /// A hurdle at zero and a lognormal above, for amounts with many zeros.
    LognormalHurdle = codes::POSTERIOR_LOGNORMAL_HURDLE,
    /// Gamma–Poisson, for counts.
    GammaPoisson = codes::POSTERIOR_GAMMA_POISSON,
}

/// What a metric says of itself: identity, kind and defaults that an experiment may override.
///
/// Unless said otherwise: more is better, 14 days, no cap, revision 1.
#[derive(Clone, Copy, Debug)]
pub struct MetricInfo {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) kind: u32,
    pub(crate) unit: Unit,
    pub(crate) direction: Direction,
    pub(crate) posterior: Posterior,
    pub(crate) window_s: i64,
    pub(crate) cap_quantile: f64,
    pub(crate) beside: &'static str,
    pub(crate) revision: u32,
}

impl MetricInfo {
    /// Describes a metric whose value is 0 or 1, over 1: the share of shoppers who did something.
    pub const fn proportion(id: &'static str, title: &'static str) -> Self {
        Self::new(id, title, codes::METRIC_PROPORTION).unit(Unit::Proportion).posterior(Posterior::Beta)
    }

    /// Describes a metric whose value is any whole number, over 1: an amount per shopper.
    pub const fn mean(id: &'static str, title: &'static str) -> Self {
        Self::new(id, title, codes::METRIC_MEAN)
    }

    /// Describes a metric whose value is a whole number over a whole number that is not negative.
    ///
    /// 0 over 0 means that the shopper is not in the population. A denominator that is not positive becomes
    /// 0 over 0 by itself.
    pub const fn ratio(id: &'static str, title: &'static str) -> Self {
        Self::new(id, title, codes::METRIC_RATIO)
    }

    /// Says in a sentence or two what is counted.
    #[must_use]
    pub const fn description(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    /// Says what the numerator counts in.
    #[must_use]
    pub const fn unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// Says which way is better.
    #[must_use]
    pub const fn direction(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    /// Says which family of distributions fits.
    #[must_use]
    pub const fn posterior(self, posterior: Posterior) -> Self {
        Self { posterior, ..self }
    }

    /// Says how many days after exposure a shopper's events count.
    #[must_use]
    pub const fn window_days(self, days: u32) -> Self {
        self.window_s(days as i64 * DAY_S)
    }

    /// Says how many seconds after exposure a shopper's events count.
    #[must_use]
    pub const fn window_s(self, window_s: i64) -> Self {
        Self { window_s, ..self }
    }

    /// Says at which quantile a shopper's sums are capped, above 0.5 and at most 1.
    #[must_use]
    pub const fn cap(self, quantile: f64) -> Self {
        Self { cap_quantile: quantile, ..self }
    }

    /// Names metrics, with a comma between them, that are shown beside this one where it decides, because it does not say
    /// by itself who is better. They get the same settings if they have such, and the same window.
    #[must_use]
    pub const fn beside(self, ids: &'static str) -> Self {
        Self { beside: ids, ..self }
    }

    /// Says which edition this is. Raise it when the same event gives other numbers: the server then adds
    /// everything up again from its log.
    #[must_use]
    pub const fn revision(self, revision: u32) -> Self {
        Self { revision, ..self }
    }

    const fn new(id: &'static str, title: &'static str, kind: u32) -> Self {
        Self {
            id,
            title,
            description: "",
            kind,
            unit: Unit::Plain,
            direction: Direction::Increase,
            posterior: Posterior::Normal,
            window_s: DEFAULT_WINDOW_S,
            cap_quantile: 0.0,
            beside: "",
            revision: 1,
        }
    }
}
