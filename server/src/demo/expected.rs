//! What a report must say, computed apart from all our code, and whether it says so.

use super::shop::{DemoError, list, text};
use serde_json::Value;

/// Made by `examples/real-data/reference.py` from the raw files, with pandas and the public `xxhash` package.
const VECTORS: &str = include_str!("../../../tests/vectors/real_data.json");

/// One figure of one variant, as whole numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) metric: &'static str,
    pub(super) variant: String,
    pub(super) units: i64,
    pub(super) numerator: i64,
    pub(super) denominator: i64,
}

/// The figures of the order log, split by the salt `cdnow`.
pub(super) fn cdnow() -> Result<Vec<Figure>, DemoError> {
    let vectors = vectors()?;
    let mut figures = Vec::new();
    for variant in list(&vectors, "/cdnow/splits/0/variants") {
        let of = |name: &str| number(variant, name);
        let (customers, orders, revenue) = (of("customers")?, of("orders")?, of("revenue_cents")?);
        for (metric, numerator, denominator) in [
            ("revenue_per_visitor", revenue, customers),
            ("aov", revenue, orders),
            ("conversion", of("buyers")?, customers),
            ("units_per_order", of("units")?, orders),
            ("repeat_purchase", of("repeat_customers")?, customers),
        ] {
            let variant = text(variant, "/key").to_owned();
            figures.push(Figure { metric, variant, units: customers, numerator, denominator });
        }
    }
    Ok(figures)
}

/// The figures of an impression log: impressions and clicks of each item.
///
/// - `policy`: `random` or `bts`.
pub(super) fn open_bandit(policy: &str) -> Result<Vec<Figure>, DemoError> {
    let vectors = vectors()?;
    let items = list(&vectors, &format!("/open_bandit/{policy}/items")).iter();
    items
        .map(|item| {
            let impressions = number(item, "impressions")?;
            Ok(Figure {
                metric: "click_through",
                variant: format!("item-{:02}", number(item, "item")?),
                units: impressions,
                numerator: number(item, "clicks")?,
                denominator: impressions,
            })
        })
        .collect()
}

/// Compares a report with what it must say, to the last unit; the values to 1e-12.
///
/// # Errors
///
/// [`DemoError::Unexpected`] with every figure that is another.
pub(super) fn check(report: &Value, expected: &[Figure]) -> Result<(), DemoError> {
    let mut faults: Vec<_> = expected.iter().filter_map(|figure| figure.fault(report)).collect();
    if expected.is_empty() {
        faults.push("there is nothing to compare with".to_owned());
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(DemoError::Unexpected(format!(
        "the report of `{}` differs from the log: {}",
        text(report, "/experiment"),
        faults.join("; ")
    )))
}

impl Figure {
    fn fault(&self, report: &Value) -> Option<String> {
        let metric = list(report, "/metrics").iter().find(|metric| text(metric, "/metric") == self.metric);
        let variants = metric.map(|metric| list(metric, "/variants")).unwrap_or_default();
        let found = variants.iter().find(|variant| text(variant, "/key") == self.variant);
        let Some(found) = found else { return Some(format!("no {} of {}", self.metric, self.variant)) };
        let whole = |name: &str| found.get(name).and_then(Value::as_i64);
        let value = found.get("value").and_then(Value::as_f64);
        let expected = self.numerator as f64 / self.denominator as f64;
        let equal = whole("units") == Some(self.units)
            && whole("numerator") == Some(self.numerator)
            && whole("denominator") == Some(self.denominator)
            && match value {
                Some(value) => (value - expected).abs() <= 1e-12 * expected.abs(),
                None => self.denominator == 0,
            };
        let Self { metric, variant, units, numerator, denominator } = self;
        (!equal).then(|| {
            format!("{metric} of {variant} is not {numerator}/{denominator} over {units} units: {found}")
        })
    }
}

fn vectors() -> Result<Value, DemoError> {
    serde_json::from_str(VECTORS).map_err(|error| DemoError::Unexpected(format!("real_data.json: {error}")))
}

fn number(value: &Value, name: &str) -> Result<i64, DemoError> {
    let number = value.get(name).and_then(Value::as_i64);
    number.ok_or_else(|| DemoError::Unexpected(format!("real_data.json: no number `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(numerator: i64, value: f64) -> Value {
        json!({ "experiment": "x", "metrics": [
            { "metric": "aov", "variants": [
                { "key": "a", "units": 10, "numerator": numerator, "denominator": 4, "value": value },
                { "key": "b", "units": 3, "numerator": 0, "denominator": 0, "value": null },
            ] },
        ] })
    }

    fn figures() -> Vec<Figure> {
        let a = Figure { metric: "aov", variant: "a".into(), units: 10, numerator: 401, denominator: 4 };
        let b = Figure { variant: "b".into(), units: 3, numerator: 0, denominator: 0, ..a.clone() };
        vec![a, b]
    }

    #[test]
    fn a_cent_more_is_a_fault() {
        check(&report(401, 100.25), &figures()).unwrap();
        for wrong in [report(402, 100.25), report(401, 100.250_000_1), json!({})] {
            check(&wrong, &figures()).unwrap_err();
        }
        let mut none = figures();
        none[1].variant = "c".into();
        check(&report(401, 100.25), &none).unwrap_err();
        check(&report(401, 100.25), &[]).unwrap_err();
    }

    #[test]
    fn the_vectors_have_every_figure() {
        let cdnow = cdnow().unwrap();
        assert_eq!(cdnow.len(), 10);
        let revenue: i64 =
            cdnow.iter().filter(|figure| figure.metric == "aov").map(|figure| figure.numerator).sum();
        assert_eq!(revenue, 250_031_563);
        for policy in ["random", "bts"] {
            let items = open_bandit(policy).unwrap();
            assert_eq!(items.len(), 46);
            assert_eq!(items.iter().map(|item| item.units).sum::<i64>(), 10_000);
            assert_eq!(items.iter().map(|item| item.numerator).sum::<i64>(), 46);
        }
    }
}
