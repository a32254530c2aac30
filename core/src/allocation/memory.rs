//! How long the past counts.

use serde::{Deserialize, Serialize};

/// The longest span of days that can be configured: ten years.
const DAYS_MAX: f64 = 3650.0;

/// How much an observation counts by its age, for rates that may not stay as they are.
///
/// What was learned before the true rates flipped speaks against what is learned after. With as much to learn from
/// each day, the estimated difference has changed its sign after one half-life, or half the window; after two
/// half-lives it shows half of the new difference, after one window all of it. So a flip is followed within two
/// half-lives or one window, if so many days have enough units to tell the variants apart; without either, it takes
/// as long as all that went before. The price is that no more than 1.44 half-lives, or a window, is ever known.
///
/// # Source
///
/// Garivier & Moulines (2011), *On upper-confidence bound policies for switching bandit problems*, ALT, 174–188:
/// the discounted and the sliding-window policy. <https://doi.org/10.1007/978-3-642-24412-4_16>. We discount by days
/// and not by decisions, because what changes a shop is the calendar, and take the weights to any allocator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Memory {
    /// Everything counts alike.
    #[default]
    Everything,
    /// What is `a` days old counts as `2^(−a/h)`.
    HalfLife(Days),
    /// What is at most so many days old counts, the rest does not.
    Window(Days),
}

/// A span of days, `0 < days <= 3650`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Days(f64);

/// A number that is no span of days.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{value} is no span of days: it must be above 0 and at most {DAYS_MAX}")]
pub struct NotDays {
    /// The number as it was given.
    pub value: f64,
}

impl Days {
    /// Checks `value` once; afterwards the type is the proof.
    ///
    /// # Errors
    ///
    /// [`NotDays`] unless `0 < value <= 3650`.
    pub fn new(value: f64) -> Result<Self, NotDays> {
        if 0.0 < value && value <= DAYS_MAX { Ok(Self(value)) } else { Err(NotDays { value }) }
    }

    /// How many days.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Days {
    type Error = NotDays;

    fn try_from(value: f64) -> Result<Self, NotDays> {
        Self::new(value)
    }
}

impl From<Days> for f64 {
    fn from(days: Days) -> Self {
        days.0
    }
}

impl Memory {
    /// What a unit counts that was first exposed `age_days` ago, 0 to 1; an age below zero is none.
    pub fn weight(self, age_days: f64) -> f64 {
        match self {
            Self::Everything => 1.0,
            Self::HalfLife(half_life) => (-age_days.max(0.0) / half_life.get()).exp2(),
            Self::Window(window) if age_days <= window.get() => 1.0,
            Self::Window(_) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_counts_by_its_age() {
        let days = |value| Days::new(value).unwrap();
        for (memory, age_days, weight) in [
            (Memory::Everything, 5000.0, 1.0),
            (Memory::HalfLife(days(7.0)), -1.0, 1.0),
            (Memory::HalfLife(days(7.0)), 7.0, 0.5),
            (Memory::HalfLife(days(0.5)), 1.0, 0.25),
            (Memory::Window(days(7.0)), 7.0, 1.0),
            (Memory::Window(days(7.0)), 7.01, 0.0),
        ] {
            assert_eq!(memory.weight(age_days).to_bits(), f64::to_bits(weight), "{memory:?} at {age_days}");
        }
    }

    #[test]
    fn days_are_a_positive_number_of_ten_years_at_most() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 3650.1] {
            assert!(Days::new(value).is_err(), "{value}");
        }
        assert!(Days::new(0.01).is_ok() && Days::new(3650.0).is_ok());
    }
}
