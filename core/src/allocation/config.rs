//! Which allocator an experiment has, and the limits it keeps to.

use serde::{Deserialize, Serialize};

use crate::probability::Probability;

use super::epsilon_greedy::EpsilonGreedy;
use super::fixed::Fixed;
use super::floors::Floors;
use super::memory::{Days, Memory};
use super::slice::SliceShare;
use super::thompson::Thompson;
use super::top_two::{BetaOutOfRange, TopTwo};
use super::ucb1::Ucb1;

/// How weights follow from what is known.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Allocator {
    /// The registered shares, whatever the data says.
    Fixed(Fixed),
    /// Each variant at its chance to be best: earns while it learns.
    Thompson(Thompson),
    /// Half to the leader, half to its challengers: learns which one is best sooner.
    TopTwo(TopTwo),
    /// The best mean, but for a share that is even.
    EpsilonGreedy(EpsilonGreedy),
    /// The highest upper confidence bound.
    Ucb1(Ucb1),
}

/// An allocator with its limits, as an experiment is registered with it.
///
/// In JSON it is one flat object, in which `type` alone is required:
/// `{"type": "thompson", "floor": 0.01, "control_floor": 0.1, "min_units": 100, "min_nonzero": 5, "min_strata": 2}`,
/// with `beta` for `top_two` and `epsilon` for `epsilon_greedy`, and `half_life_days` or `window_days` where the past
/// counts for less, and `uniform_slice` where a share of the units is kept from the allocator. Unknown fields, and
/// fields of another type, are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ConfigRecord", into = "ConfigRecord")]
pub struct AllocatorConfig {
    /// How weights follow from what is known.
    pub allocator: Allocator,
    /// The least weight of each variant.
    pub floors: Floors,
    /// How long weights stay even.
    pub exploration: ExplorationMinimum,
    /// How long the past counts.
    pub memory: Memory,
    /// The share of units that are assigned evenly, whatever the weights. It stays as it is while the experiment runs.
    pub uniform_slice: Option<SliceShare>,
}

/// What each variant must have before the allocator may prefer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExplorationMinimum {
    /// Units whose reward has matured.
    pub units: u32,
    /// Of these, units whose reward is not zero.
    pub nonzero: u32,
    /// Weights versions since the variant could first be assigned.
    pub strata: u32,
}

impl Default for ExplorationMinimum {
    fn default() -> Self {
        Self { units: 100, nonzero: 5, strata: 2 }
    }
}

impl AllocatorConfig {
    /// The allocator with the limits that hold by default.
    pub fn new(allocator: Allocator) -> Self {
        Self {
            allocator,
            floors: Floors::default(),
            exploration: ExplorationMinimum::default(),
            memory: Memory::default(),
            uniform_slice: None,
        }
    }
}

impl Default for AllocatorConfig {
    fn default() -> Self {
        Self::new(Allocator::Thompson(Thompson))
    }
}

impl Allocator {
    /// The name that configuration and reports use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fixed(_) => "fixed",
            Self::Thompson(_) => "thompson",
            Self::TopTwo(_) => "top_two",
            Self::EpsilonGreedy(_) => "epsilon_greedy",
            Self::Ucb1(_) => "ucb1",
        }
    }
}

/// A field that does not belong to the allocator, or a value out of its range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAllocatorConfig {
    /// The field is a parameter of another allocator.
    #[error("`{field}` is no field of allocator `{allocator}`")]
    Foreign {
        /// The field.
        field: &'static str,
        /// The allocator.
        allocator: &'static str,
    },
    /// `beta` of top-two.
    #[error(transparent)]
    Beta(#[from] BetaOutOfRange),
    /// Two ways to forget.
    #[error("`half_life_days` and `window_days` are two ways to forget: give one of them")]
    TwoMemories,
}

/// The configuration as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigRecord {
    r#type: AllocatorType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beta: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epsilon: Option<Probability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    floor: Option<Probability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    control_floor: Option<Probability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_units: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_nonzero: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_strata: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    half_life_days: Option<Days>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_days: Option<Days>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uniform_slice: Option<SliceShare>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AllocatorType {
    Fixed,
    Thompson,
    TopTwo,
    EpsilonGreedy,
    Ucb1,
}

impl ConfigRecord {
    fn allocator(&self) -> Result<Allocator, BetaOutOfRange> {
        Ok(match self.r#type {
            AllocatorType::Fixed => Allocator::Fixed(Fixed),
            AllocatorType::Thompson => Allocator::Thompson(Thompson),
            AllocatorType::TopTwo => Allocator::TopTwo(self.beta.map_or(Ok(TopTwo::default()), TopTwo::new)?),
            AllocatorType::EpsilonGreedy => Allocator::EpsilonGreedy(
                self.epsilon.map_or_else(EpsilonGreedy::default, |epsilon| EpsilonGreedy { epsilon }),
            ),
            AllocatorType::Ucb1 => Allocator::Ucb1(Ucb1),
        })
    }

    fn memory(&self) -> Result<Memory, NotAllocatorConfig> {
        match (self.half_life_days, self.window_days) {
            (None, None) => Ok(Memory::Everything),
            (Some(half_life), None) => Ok(Memory::HalfLife(half_life)),
            (None, Some(window)) => Ok(Memory::Window(window)),
            (Some(_), Some(_)) => Err(NotAllocatorConfig::TwoMemories),
        }
    }

    /// The first field that has no meaning for this allocator.
    fn foreign_field(&self) -> Option<&'static str> {
        let fixed = self.r#type == AllocatorType::Fixed;
        [
            ("beta", self.beta.is_some() && self.r#type != AllocatorType::TopTwo),
            ("epsilon", self.epsilon.is_some() && self.r#type != AllocatorType::EpsilonGreedy),
            ("floor", self.floor.is_some() && fixed),
            ("control_floor", self.control_floor.is_some() && fixed),
            ("min_units", self.min_units.is_some() && fixed),
            ("min_nonzero", self.min_nonzero.is_some() && fixed),
            ("min_strata", self.min_strata.is_some() && fixed),
            ("half_life_days", self.half_life_days.is_some() && fixed),
            ("window_days", self.window_days.is_some() && fixed),
            ("uniform_slice", self.uniform_slice.is_some() && fixed),
        ]
        .into_iter()
        .find_map(|(field, foreign)| foreign.then_some(field))
    }
}

impl TryFrom<ConfigRecord> for AllocatorConfig {
    type Error = NotAllocatorConfig;

    fn try_from(record: ConfigRecord) -> Result<Self, Self::Error> {
        let allocator = record.allocator()?;
        if let Some(field) = record.foreign_field() {
            return Err(NotAllocatorConfig::Foreign { field, allocator: allocator.name() });
        }
        let defaults = ExplorationMinimum::default();
        Ok(Self {
            allocator,
            floors: Floors { all: record.floor, control: record.control_floor },
            exploration: ExplorationMinimum {
                units: record.min_units.unwrap_or(defaults.units),
                nonzero: record.min_nonzero.unwrap_or(defaults.nonzero),
                strata: record.min_strata.unwrap_or(defaults.strata),
            },
            memory: record.memory()?,
            uniform_slice: record.uniform_slice,
        })
    }
}

impl From<AllocatorConfig> for ConfigRecord {
    fn from(config: AllocatorConfig) -> Self {
        let exploration = config.exploration;
        let mut record = Self {
            r#type: AllocatorType::Fixed,
            beta: None,
            epsilon: None,
            floor: config.floors.all,
            control_floor: config.floors.control,
            min_units: Some(exploration.units),
            min_nonzero: Some(exploration.nonzero),
            min_strata: Some(exploration.strata),
            half_life_days: None,
            window_days: None,
            uniform_slice: config.uniform_slice,
        };
        match config.memory {
            Memory::Everything => {}
            Memory::HalfLife(half_life) => record.half_life_days = Some(half_life),
            Memory::Window(window) => record.window_days = Some(window),
        }
        match config.allocator {
            Allocator::Fixed(_) => {
                record = Self {
                    floor: None,
                    control_floor: None,
                    min_units: None,
                    min_nonzero: None,
                    min_strata: None,
                    ..record
                };
            }
            Allocator::Thompson(_) => record.r#type = AllocatorType::Thompson,
            Allocator::TopTwo(top_two) => {
                record.r#type = AllocatorType::TopTwo;
                record.beta = Some(top_two.beta());
            }
            Allocator::EpsilonGreedy(EpsilonGreedy { epsilon }) => {
                record.r#type = AllocatorType::EpsilonGreedy;
                record.epsilon = Some(epsilon);
            }
            Allocator::Ucb1(_) => record.r#type = AllocatorType::Ucb1,
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<AllocatorConfig, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_type_alone_is_enough() {
        assert_eq!(parse(r#"{"type": "thompson"}"#).unwrap(), AllocatorConfig::default());
        for name in ["fixed", "thompson", "top_two", "epsilon_greedy", "ucb1"] {
            let config = parse(&format!(r#"{{"type": "{name}"}}"#)).unwrap();
            assert_eq!(config.allocator.name(), name);
            assert_eq!(parse(&serde_json::to_string(&config).unwrap()).unwrap(), config);
        }
    }

    #[test]
    fn parameters_are_read() {
        let config =
            parse(r#"{"type": "top_two", "beta": 0.6, "floor": 0.01, "min_units": 7, "min_strata": 0}"#)
                .unwrap();
        assert_eq!(config.allocator, Allocator::TopTwo(TopTwo::new(0.6).unwrap()));
        assert_eq!(config.floors, Floors { all: Probability::new(0.01).ok(), control: None });
        assert_eq!(config.exploration, ExplorationMinimum { units: 7, nonzero: 5, strata: 0 });
        assert_eq!(parse(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn a_uniform_slice_is_read() {
        let config = parse(r#"{"type": "top_two", "uniform_slice": 0.1}"#).unwrap();
        assert_eq!(config.uniform_slice, SliceShare::new(0.1).ok());
        assert_eq!(parse(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    }

    #[test]
    fn how_long_the_past_counts_is_read() {
        for (field, memory) in [
            ("half_life_days", Memory::HalfLife(Days::new(3.5).unwrap())),
            ("window_days", Memory::Window(Days::new(3.5).unwrap())),
        ] {
            let config = parse(&format!(r#"{{"type": "ucb1", "{field}": 3.5}}"#)).unwrap();
            assert_eq!(config.memory, memory);
            assert_eq!(parse(&serde_json::to_string(&config).unwrap()).unwrap(), config);
        }
    }

    #[test]
    fn wrong_fields_are_named() {
        #[track_caller]
        fn check(json: &str, expected: &str) {
            let message = parse(json).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        check(r#"{"type": "thompson", "epsilon": 0.1}"#, "`epsilon` is no field of allocator `thompson`");
        check(r#"{"type": "fixed", "floor": 0.1}"#, "`floor` is no field of allocator `fixed`");
        check(r#"{"type": "top_two", "beta": 0.4}"#, "beta is 0.4");
        check(r#"{"type": "thompson", "floor": 1.5}"#, "1.5 is not a probability");
        check(r#"{"type": "thompson", "flor": 0.1}"#, "unknown field `flor`");
        check(
            r#"{"type": "fixed", "half_life_days": 7}"#,
            "`half_life_days` is no field of allocator `fixed`",
        );
        check(
            r#"{"type": "fixed", "uniform_slice": 0.1}"#,
            "`uniform_slice` is no field of allocator `fixed`",
        );
        check(r#"{"type": "ucb1", "uniform_slice": 0.6}"#, "a uniform slice of 0.6 is not possible");
        check(r#"{"type": "thompson", "window_days": 0}"#, "0 is no span of days");
        check(r#"{"type": "thompson", "window_days": 7, "half_life_days": 7}"#, "give one of them");
        check(r#"{"type": "softmax"}"#, "unknown variant `softmax`");
        check(r"{}", "missing field `type`");
    }
}
