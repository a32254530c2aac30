//! Recency, frequency and monetary value: customers in fifths, and the groups that marketers name.
//!
//! A score is 1 to 5 and 5 is best: the latest, most frequent, highest paying fifth. Cuts are the 20th, 40th, 60th and
//! 80th percentiles of all customers, interpolated linearly, and a fifth includes its upper cut, so that equal customers
//! have equal scores. Customers are people with at least one order that counts.

use crate::money::Currency;
use crate::profile::Profile;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Cuts are kept in fifths of a unit, in which interpolation between whole numbers is exact.
const FIFTHS: i128 = 5;

/// What a customer is scored by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RfmPoint {
    /// When the last order was.
    pub last_order: Timestamp,
    /// How many orders there were.
    pub orders: u64,
    /// What they brought, less refunds, in minor units.
    pub revenue_minor: i128,
}

/// Where the fifths of all customers meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RfmCuts {
    currency: Currency,
    recency: [i128; 4],
    frequency: [i128; 4],
    monetary: [i128; 4],
}

/// The three scores of one customer, 1 to 5 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RfmScores {
    /// How lately.
    pub recency: u8,
    /// How often.
    pub frequency: u8,
    /// How much.
    pub monetary: u8,
}

/// What marketers call customers by how lately and how often they bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each says itself; the table below says what they are")]
pub enum RfmGroup {
    Champions,
    Loyal,
    PotentialLoyalists,
    New,
    Promising,
    NeedAttention,
    AboutToSleep,
    AtRisk,
    CannotLose,
    Hibernating,
}

/// The group by recency (rows, 1 to 5) and frequency (columns, 1 to 5).
///
/// # Source
///
/// The grid of ten named groups that the trade draws over recency and frequency, of which every cell belongs to one
/// group. What customers pay is in the score, not in the grid.
const GROUPS: [[RfmGroup; 5]; 5] = {
    use RfmGroup::{
        AboutToSleep, AtRisk, CannotLose, Champions, Hibernating, Loyal, NeedAttention, New,
        PotentialLoyalists, Promising,
    };
    [
        [Hibernating, Hibernating, AtRisk, AtRisk, CannotLose],
        [Hibernating, Hibernating, AtRisk, AtRisk, CannotLose],
        [AboutToSleep, AboutToSleep, NeedAttention, Loyal, Loyal],
        [Promising, PotentialLoyalists, PotentialLoyalists, Loyal, Loyal],
        [New, PotentialLoyalists, PotentialLoyalists, Champions, Champions],
    ]
};

impl RfmPoint {
    /// What a person is scored by; `None` without an order.
    pub fn of(profile: &Profile, currency: Currency) -> Option<Self> {
        let revenue_minor = profile.revenue.get(currency.code()).copied().unwrap_or(0);
        Some(Self { last_order: profile.last_order?, orders: profile.orders, revenue_minor })
    }
}

impl RfmCuts {
    /// Cuts all customers into fifths; `None` if there are none.
    ///
    /// - `currency`: what `revenue_minor` is in.
    pub fn of(customers: &[RfmPoint], currency: Currency) -> Option<Self> {
        let cuts = |of: fn(&RfmPoint) -> i128| {
            let mut values: Vec<i128> = customers.iter().map(of).collect();
            values.sort_unstable();
            quintiles(&values)
        };
        Some(Self {
            currency,
            recency: cuts(|customer| customer.last_order.as_micros().into())?,
            frequency: cuts(|customer| customer.orders.into())?,
            monetary: cuts(|customer| customer.revenue_minor)?,
        })
    }

    /// What `revenue_minor` is in.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Scores a customer, one of those that were cut or another.
    pub fn scores(&self, customer: &RfmPoint) -> RfmScores {
        let score = |cuts: &[i128; 4], value: i128| {
            1 + cuts.iter().filter(|cut| **cut < value.saturating_mul(FIFTHS)).count() as u8
        };
        RfmScores {
            recency: score(&self.recency, customer.last_order.as_micros().into()),
            frequency: score(&self.frequency, customer.orders.into()),
            monetary: score(&self.monetary, customer.revenue_minor),
        }
    }
}

impl RfmScores {
    /// The three digits: 555 is the best.
    pub fn number(self) -> u16 {
        u16::from(self.recency) * 100 + u16::from(self.frequency) * 10 + u16::from(self.monetary)
    }

    /// What marketers call such customers.
    pub fn group(self) -> RfmGroup {
        let row = GROUPS.get(usize::from(self.recency).saturating_sub(1));
        let cell = row.and_then(|row| row.get(usize::from(self.frequency).saturating_sub(1)));
        cell.copied().unwrap_or(RfmGroup::Hibernating)
    }
}

impl RfmGroup {
    /// All of them, the best first.
    pub const ALL: [Self; 10] = [
        Self::Champions,
        Self::Loyal,
        Self::PotentialLoyalists,
        Self::New,
        Self::Promising,
        Self::NeedAttention,
        Self::AboutToSleep,
        Self::AtRisk,
        Self::CannotLose,
        Self::Hibernating,
    ];

    /// Their names, in the same order.
    pub(crate) const NAMES: [&str; 10] = {
        let (mut names, mut idx) = ([""; 10], 0);
        while idx < names.len() {
            names[idx] = Self::ALL[idx].as_str();
            idx += 1;
        }
        names
    };

    /// The name that conditions use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Champions => "champions",
            Self::Loyal => "loyal",
            Self::PotentialLoyalists => "potential_loyalists",
            Self::New => "new",
            Self::Promising => "promising",
            Self::NeedAttention => "need_attention",
            Self::AboutToSleep => "about_to_sleep",
            Self::AtRisk => "at_risk",
            Self::CannotLose => "cannot_lose",
            Self::Hibernating => "hibernating",
        }
    }
}

/// The four inner quintiles of ascending values, in fifths of a unit: at `k/5·(n − 1)`, counted from 0.
fn quintiles(sorted: &[i128]) -> Option<[i128; 4]> {
    let last = sorted.len().checked_sub(1)?;
    let cut = |k: usize| {
        let (below, rest) = (k * last / 5, k * last % 5);
        let low = *sorted.get(below)?;
        let high = sorted.get(below + 1).copied().unwrap_or(low);
        Some(FIFTHS * low + rest as i128 * (high - low))
    };
    Some([cut(1)?, cut(2)?, cut(3)?, cut(4)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        populations: Vec<Vec<Customer>>,
    }

    #[derive(Deserialize)]
    struct Customer {
        last_order_s: i64,
        orders: u64,
        revenue_minor: i64,
        recency: u8,
        frequency: u8,
        monetary: u8,
    }

    #[test]
    fn scores_equal_those_of_pandas() {
        let text = include_str!("../../../tests/vectors/rfm.json");
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        assert!(vectors.populations.len() >= 8);
        for population in vectors.populations {
            let points: Vec<_> = population
                .iter()
                .map(|customer| RfmPoint {
                    last_order: Timestamp::default().plus_seconds(customer.last_order_s),
                    orders: customer.orders,
                    revenue_minor: customer.revenue_minor.into(),
                })
                .collect();
            let cuts = RfmCuts::of(&points, Currency::USD).unwrap();
            for (customer, point) in population.iter().zip(&points) {
                let Customer { recency, frequency, monetary, .. } = *customer;
                assert_eq!(cuts.scores(point), RfmScores { recency, frequency, monetary }, "{point:?}");
            }
        }
    }

    #[test]
    fn a_group_is_a_field_of_the_grid() {
        let group = |recency, frequency| RfmScores { recency, frequency, monetary: 3 }.group();
        for (recency, frequency, expected) in [
            (5, 5, "champions"),
            (4, 4, "loyal"),
            (5, 1, "new"),
            (4, 1, "promising"),
            (4, 3, "potential_loyalists"),
            (3, 3, "need_attention"),
            (3, 1, "about_to_sleep"),
            (1, 5, "cannot_lose"),
            (2, 4, "at_risk"),
            (1, 1, "hibernating"),
        ] {
            assert_eq!(group(recency, frequency).as_str(), expected, "{recency}{frequency}");
        }
    }

    #[test]
    fn one_customer_is_in_the_lowest_fifth_and_nobody_makes_no_cuts() {
        let point = RfmPoint { last_order: Timestamp::default(), orders: 1, revenue_minor: 100 };
        let scores = RfmCuts::of(&[point], Currency::USD).unwrap().scores(&point);
        assert_eq!(scores.number(), 111);
        assert_eq!(RfmCuts::of(&[], Currency::USD), None);
    }
}
