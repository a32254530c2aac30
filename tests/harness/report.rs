//! The figures of a report.

use serde_json::Value;

/// A report, as JSON.
#[derive(Clone, Debug)]
pub(crate) struct Report(pub(crate) Value);

/// What a report says of one variant by one metric. Money is in minor units.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) units: u64,
    pub(crate) numerator: i64,
    pub(crate) denominator: i64,
    pub(crate) value: Option<f64>,
}

impl Report {
    /// The figure of `variant` by `metric`.
    #[track_caller]
    pub(crate) fn figure(&self, metric: &str, variant: &str) -> Figure {
        let metrics = self.0["metrics"].as_array().unwrap_or_else(|| panic!("no metrics in {}", self.0));
        let found = metrics.iter().find(|each| each["metric"] == metric);
        let variants = found.and_then(|metric| metric["variants"].as_array());
        let figure = variants.and_then(|variants| variants.iter().find(|each| each["key"] == variant));
        let figure = figure.unwrap_or_else(|| panic!("no {metric} of {variant} in {}", self.0));
        let whole = |name: &str| {
            whole(&figure[name])
                .unwrap_or_else(|| panic!("{metric} of {variant}: {name} is {}", figure[name]))
        };
        Figure {
            units: whole("units") as u64,
            numerator: whole("numerator"),
            denominator: whole("denominator"),
            value: figure["value"].as_f64(),
        }
    }

    /// How many units were exposed to `variant`.
    #[track_caller]
    pub(crate) fn units(&self, variant: &str) -> u64 {
        let metric =
            self.0["metrics"][0]["metric"].as_str().unwrap_or_else(|| panic!("no metrics in {}", self.0));
        self.figure(metric, variant).units
    }
}

/// A whole number, however it is written.
fn whole(json: &Value) -> Option<i64> {
    let float = || json.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64);
    let text = || json.as_str().and_then(|text| text.parse().ok());
    json.as_i64().or_else(float).or_else(text)
}
