//! Which metric an experiment looks at, and how.

use crate::fault::{Fault, Faults};
use crate::metric::Direction;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// A metric by its id, with what this experiment wants of it. A bare text is the id alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricChoice {
    /// The id a plugin gave it, such as `conversion`.
    pub metric: String,
    /// Its settings, by the metric's own schema.
    pub config: Map<String, Value>,
    /// Which way is better; the metric's own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// How long after its first exposure a unit's events count, in seconds; the metric's own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_s: Option<i64>,
    /// The relative difference that matters, `0 < margin < 1`. A guardrail may not be worse than the control's by
    /// more; of the primary metric, a difference that lies within it either way is none worth having.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// The quantile of the values that are not zero above which a unit's value counts as the one at it,
    /// `0.5 <= cap <= 1`; 1 caps nothing. The metric's own if absent. Proportions are never capped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<f64>,
    /// How far back before its first exposure a unit's own past makes its value less noisy, in seconds; 0 for not at
    /// all, 14 days if absent. Ratios are never adjusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_s: Option<i64>,
}

/// The longest attribution window: ten years, in seconds.
pub(super) const WINDOW_S_MAX: i64 = 10 * 366 * 86_400;
/// The longest past of a unit that counts: 90 days, in seconds.
const HISTORY_S_MAX: i64 = 90 * 86_400;
/// How far back the past of a unit counts, where nothing is said: 14 days, in seconds.
const HISTORY_S: i64 = 14 * 86_400;

impl MetricChoice {
    /// The metric with this id, as it is by itself.
    pub fn of(metric: impl Into<String>) -> Self {
        Self {
            metric: metric.into(),
            config: Map::new(),
            direction: None,
            window_s: None,
            margin: None,
            cap: None,
            history_s: None,
        }
    }

    /// The quantile above which values are capped; 1 where nothing is.
    ///
    /// - `own`: what the metric's author recommends.
    pub fn cap_quantile(&self, own: Option<f64>) -> f64 {
        self.cap.or(own).unwrap_or(1.0)
    }

    /// What cannot be meant.
    ///
    /// # Errors
    ///
    /// Every [`Fault`] of it, with pointers from there.
    pub(crate) fn check(&self) -> Result<(), Vec<Fault>> {
        let mut faults = Faults::default();
        if self.window_s.is_some_and(|window_s| !(1..=WINDOW_S_MAX).contains(&window_s)) {
            faults.add("/window_s", format!("a window is 1 to {WINDOW_S_MAX} seconds"));
        }
        if self.margin.is_some_and(|margin| !(0.0 < margin && margin < 1.0)) {
            faults.add("/margin", "a relative difference above 0 and below 1");
        }
        if self.cap.is_some_and(|cap| !(0.5..=1.0).contains(&cap)) {
            faults.add("/cap", "a quantile from 0.5 to 1; 1 caps nothing");
        }
        if self.history_s.is_some_and(|history_s| !(0..=HISTORY_S_MAX).contains(&history_s)) {
            faults.add("/history_s", format!("0 to {HISTORY_S_MAX} seconds"));
        }
        faults.or(())
    }

    /// How far back the past of a unit counts, in seconds; 0 for not at all.
    pub fn history_span_s(&self) -> i64 {
        self.history_s.unwrap_or(HISTORY_S)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    metric: String,
    #[serde(default)]
    config: Map<String, Value>,
    #[serde(default)]
    direction: Option<Direction>,
    #[serde(default)]
    window_s: Option<i64>,
    #[serde(default)]
    margin: Option<f64>,
    #[serde(default)]
    cap: Option<f64>,
    #[serde(default)]
    history_s: Option<i64>,
}

impl From<Fields> for MetricChoice {
    fn from(fields: Fields) -> Self {
        let Fields { metric, config, direction, window_s, margin, cap, history_s } = fields;
        Self { metric, config, direction, window_s, margin, cap, history_s }
    }
}

impl<'de> Deserialize<'de> for MetricChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = MetricChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a metric id, or an object with `metric` and settings of it")
            }

            fn visit_str<E>(self, metric: &str) -> Result<MetricChoice, E> {
                Ok(MetricChoice::of(metric))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MetricChoice, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map)).map(MetricChoice::from)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
