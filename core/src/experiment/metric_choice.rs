//! Which metric an experiment looks at, and how.

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
}

impl From<Fields> for MetricChoice {
    fn from(fields: Fields) -> Self {
        let Fields { metric, config, direction, window_s } = fields;
        Self { metric, config, direction, window_s }
    }
}

impl<'de> Deserialize<'de> for MetricChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = MetricChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a metric id, or an object with `metric`, `config`, `direction`, `window_s`")
            }

            fn visit_str<E>(self, metric: &str) -> Result<MetricChoice, E> {
                let metric = metric.to_owned();
                Ok(MetricChoice { metric, config: Map::new(), direction: None, window_s: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MetricChoice, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map)).map(MetricChoice::from)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
