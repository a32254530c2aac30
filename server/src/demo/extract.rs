//! The committed extracts of the two public logs; `examples/real-data/README.md` describes their formats.

use super::shop::DemoError;
use jiff::civil::Date;
use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

const CDNOW: &str = include_str!("../../../examples/real-data/cdnow.txt");
const OBD_RANDOM: &str = include_str!("../../../examples/real-data/obd-women-random.txt");
const OBD_BTS: &str = include_str!("../../../examples/real-data/obd-women-bts.txt");

pub(super) const DAY_MS: i64 = 86_400_000;
const NOON_MS: i64 = DAY_MS / 2;
const SECOND_MS: i64 = 1_000;

/// A customer with every order, in the order of the log.
pub(super) struct Customer {
    pub(super) unit: String,
    pub(super) orders: Vec<Order>,
}

/// One order.
pub(super) struct Order {
    pub(super) id: String,
    /// The log knows the day alone: the n-th order of a customer stands n seconds after noon.
    pub(super) at_ms: i64,
    pub(super) cents: i64,
    pub(super) n_items: u32,
}

impl Order {
    /// The beginning of the day.
    pub(super) fn day_ms(&self) -> i64 {
        self.at_ms - self.at_ms.rem_euclid(DAY_MS)
    }
}

/// Which policy chose the items of an impression log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// Every item as often.
    Random,
    /// Bernoulli Thompson sampling, as the shop ran it.
    Bts,
}

impl Policy {
    /// The name of its log.
    pub(super) fn log_name(self) -> &'static str {
        match self {
            Self::Random => "obd-women-random",
            Self::Bts => "obd-women-bts",
        }
    }
}

/// The impressions under one policy, in time order.
pub(super) struct ImpressionLog {
    pub(super) n_items: usize,
    pub(super) impressions: Vec<Impression>,
}

/// An item that was shown.
#[derive(Debug, PartialEq)]
pub(super) struct Impression {
    pub(super) unit: String,
    pub(super) at_ms: i64,
    pub(super) item: usize,
    pub(super) position: u32,
    pub(super) clicked: bool,
    pub(super) propensity: f64,
}

/// Reads the CDNOW order log and checks it against the totals it states.
pub(super) fn customers() -> Result<Vec<Customer>, DemoError> {
    let extract = Extract::read("cdnow.txt", CDNOW)?;
    let base: Date = extract.field("base_date")?;
    let base = jiff::tz::TimeZone::UTC.to_timestamp(base.at(0, 0, 0, 0));
    let base_ms = base.map_err(|error| extract.fault(error))?.as_millisecond();
    let lines = extract.lines.iter().enumerate();
    let customers: Result<Vec<_>, _> =
        lines.map(|(line_idx, line)| extract.customer(base_ms, line_idx + 1, line)).collect();
    let customers = customers?;
    let orders = || customers.iter().flat_map(|customer| &customer.orders);
    extract.check_total("customers", customers.len())?;
    extract.check_total("orders", orders().count())?;
    extract.check_total("units", orders().map(|order| u64::from(order.n_items)).sum::<u64>())?;
    extract.check_total("cents", orders().map(|order| order.cents).sum::<i64>())?;
    Ok(customers)
}

/// Reads the impressions under one policy and checks them against the totals the log states.
pub(super) fn impressions(policy: Policy) -> Result<ImpressionLog, DemoError> {
    let text = if policy == Policy::Random { OBD_RANDOM } else { OBD_BTS };
    let extract = Extract::read(policy.log_name(), text)?;
    let base: jiff::Timestamp = extract.field("base_time")?;
    let mut at_ms = base.as_millisecond();
    let mut impressions = Vec::with_capacity(extract.lines.len());
    for (line_idx, line) in extract.lines.iter().enumerate() {
        let unit = format!("{}-{:05}", policy.log_name(), line_idx + 1);
        let impression = extract.impression((unit, at_ms), line)?;
        at_ms = impression.at_ms;
        impressions.push(impression);
    }
    extract.check_total("rows", impressions.len())?;
    extract.check_total("clicks", impressions.iter().filter(|impression| impression.clicked).count())?;
    Ok(ImpressionLog { n_items: extract.field("items")?, impressions })
}

/// A file in parts.
struct Extract<'a> {
    name: &'a str,
    fields: HashMap<&'a str, &'a str>,
    lines: Vec<&'a str>,
}

impl<'a> Extract<'a> {
    fn read(name: &'a str, text: &'a str) -> Result<Self, DemoError> {
        let mut extract = Self { name, fields: HashMap::new(), lines: Vec::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.strip_prefix('@') {
                None => extract.lines.push(line),
                Some(field) => {
                    let Some((field, value)) = field.split_once(' ') else {
                        return Err(extract.fault(format!("`{line}` is no field")));
                    };
                    extract.fields.insert(field, value);
                }
            }
        }
        Ok(extract)
    }

    fn fault(&self, detail: impl Display) -> DemoError {
        DemoError::Unexpected(format!("{}: {detail}", self.name))
    }

    fn parse<T: FromStr>(&self, text: &str) -> Result<T, DemoError> {
        text.parse().map_err(|_| self.fault(format!("`{text}` is not what it should be")))
    }

    fn field<T: FromStr>(&self, name: &str) -> Result<T, DemoError> {
        let Some(value) = self.fields.get(name) else {
            return Err(self.fault(format!("there is no field `{name}`")));
        };
        self.parse(value)
    }

    fn check_total<T: Copy + FromStr + PartialEq + Display>(
        &self,
        name: &str,
        found: T,
    ) -> Result<(), DemoError> {
        let stated: T = self.field(name)?;
        if stated == found {
            return Ok(());
        }
        Err(self.fault(format!("it states {stated} {name}, but has {found}")))
    }

    fn customer(&self, base_ms: i64, number: usize, line: &str) -> Result<Customer, DemoError> {
        let unit = format!("cdnow-{number:05}");
        let mut day_ms = base_ms;
        let mut orders = Vec::new();
        for (n, token) in (1..).zip(line.split(' ')) {
            let mut parts = token.split(':');
            let mut next = || parts.next();
            let (days, cents, n_items) = (next(), next(), next());
            day_ms += self.parse::<i64>(days.unwrap_or_default())? * DAY_MS;
            orders.push(Order {
                id: format!("{unit}-{n}"),
                at_ms: day_ms + NOON_MS + n * SECOND_MS,
                cents: self.parse(cents.unwrap_or_default())?,
                n_items: n_items.map_or(Ok(1), |n_items| self.parse(n_items))?,
            });
        }
        Ok(Customer { unit, orders })
    }

    fn impression(&self, (unit, before_ms): (String, i64), line: &str) -> Result<Impression, DemoError> {
        let parts: Vec<_> = line.split(' ').collect();
        let (&[ms, item, position, click], rest) =
            parts.split_first_chunk().ok_or_else(|| self.fault(line))?;
        Ok(Impression {
            unit,
            at_ms: before_ms + self.parse::<i64>(ms)?,
            item: self.parse(item)?,
            position: self.parse(position)?,
            clicked: self.parse::<u8>(click)? == 1,
            propensity: rest.first().map_or_else(|| self.field("propensity"), |text| self.parse(text))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/vectors/real_data.json")).unwrap()
    }

    #[test]
    fn the_order_log_is_all_there() {
        let (customers, vectors) = (customers().unwrap(), vectors());
        let orders: Vec<_> = customers.iter().flat_map(|customer| &customer.orders).collect();
        let total =
            |name: &str| vectors.pointer(&format!("/cdnow/total/{name}")).and_then(Value::as_i64).unwrap();
        assert_eq!(i64::try_from(customers.len()).unwrap(), total("customers"));
        assert_eq!(i64::try_from(orders.len()).unwrap(), total("orders"));
        assert_eq!(orders.iter().map(|order| order.cents).sum::<i64>(), total("revenue_cents"));
        let day =
            |at_ms: i64| jiff::Timestamp::from_millisecond(at_ms).unwrap().strftime("%Y%m%d").to_string();
        let first = orders.iter().map(|order| order.day_ms()).min().unwrap();
        let last = orders.iter().map(|order| order.day_ms()).max().unwrap();
        assert_eq!(vectors["cdnow"]["facts"]["first_day"], day(first));
        assert_eq!(vectors["cdnow"]["facts"]["last_day"], day(last));
        assert_eq!(customers[1].orders[1].id, "cdnow-00002-2");
    }

    #[test]
    fn the_impression_logs_are_all_there() {
        let vectors = vectors();
        for (policy, name) in [(Policy::Random, "random"), (Policy::Bts, "bts")] {
            let log = impressions(policy).unwrap();
            let expected = &vectors["open_bandit"][name];
            let smallest = log.impressions.iter().map(|shown| shown.propensity).fold(1.0, f64::min);
            let largest = log.impressions.iter().map(|shown| shown.propensity).fold(0.0, f64::max);
            assert_eq!(Some(smallest), expected["smallest_propensity"].as_f64());
            assert_eq!(Some(largest), expected["largest_propensity"].as_f64());
            let last = log.impressions.last().unwrap().at_ms;
            let text = expected["last_timestamp"].as_str().unwrap();
            let stated: jiff::Timestamp = text.replace(' ', "T").parse().unwrap();
            assert_eq!(last, stated.as_millisecond());
            assert_eq!(log.impressions.last().unwrap().unit, format!("obd-women-{name}-10000"));
        }
    }
}
