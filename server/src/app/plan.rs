//! How long an experiment that is not there yet would have to run, or what it would find.

use podium_core::experiment::Fault;
use podium_core::inference::power::{Aim, Baseline, Looks, NoPlan, Traffic};
use podium_core::metric::Direction;
use podium_core::posterior::VARIANTS_MAX;
use podium_core::probability::Probability;
use serde::{Deserialize, Serialize};

const WINDOW_S_MAX: i64 = 10 * 366 * 86_400;
const DAY_S: f64 = 86_400.0;

/// What is known, and one of three questions: how many units a lift needs, or which lift so many units or days find.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanRequest {
    /// The control's rate, mean or ratio.
    pub(crate) baseline: f64,
    /// The standard deviation of a unit's value; the baseline is a rate if absent.
    #[serde(default)]
    pub(crate) sd: Option<f64>,
    /// The relative difference to be found.
    #[serde(default)]
    pub(crate) lift: Option<f64>,
    /// How many units each variant gets.
    #[serde(default)]
    pub(crate) units_per_variant: Option<u64>,
    /// How long it runs.
    #[serde(default)]
    pub(crate) days: Option<f64>,
    /// How many variants there are with the control.
    #[serde(default = "two")]
    pub(crate) n_variants: usize,
    /// The chance of a false alarm.
    #[serde(default = "five_percent")]
    pub(crate) alpha: f64,
    /// The chance to find the difference.
    #[serde(default = "eighty_percent")]
    pub(crate) power: f64,
    /// How often the data is looked at.
    #[serde(default)]
    pub(crate) looks: Looks,
    /// How many units come in a day, all variants together.
    #[serde(default)]
    pub(crate) units_per_day: Option<f64>,
    /// How long after its first exposure a unit's events count.
    #[serde(default = "three_days")]
    pub(crate) window_s: i64,
}

fn two() -> usize {
    2
}

fn five_percent() -> f64 {
    0.05
}

fn eighty_percent() -> f64 {
    0.8
}

/// How long a unit's events count where nothing is said: 72 hours.
pub(crate) fn three_days() -> i64 {
    3 * 86_400
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Plan {
    /// The relative difference that is found; none where no difference is large enough, or the baseline is not
    /// above 0.
    pub(crate) lift: Option<f64>,
    /// The same in the metric's unit.
    pub(crate) difference: Option<f64>,
    /// How many units each variant needs, or was given.
    pub(crate) units_per_variant: u64,
    /// How many all variants need together.
    pub(crate) units: u64,
    /// How many each would need if the data were looked at once, at the end.
    pub(crate) units_per_variant_once: Option<u64>,
    /// How long that takes with the window of the last unit; none where the traffic is not known.
    pub(crate) days: Option<f64>,
}

enum Question {
    Lift(f64),
    Units(u64),
    Days(f64),
}

impl PlanRequest {
    /// Answers it.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that keeps it from an answer.
    pub(crate) fn plan(&self) -> Result<Plan, Fault> {
        let aim = self.aim()?;
        let baseline = self.known()?;
        let traffic = self.traffic()?;
        let n_variants = self.n_variants as u64;
        let (difference, units_per_variant, once) = match self.question()? {
            Question::Lift(lift) => {
                let difference = lift * self.baseline;
                let units = |aim: Aim| {
                    aim.units_per_variant(&baseline, difference).map_err(|error| no_plan("/lift", &error))
                };
                (Some(difference), units(aim)?, Some(units(aim.looking(Looks::Once))?))
            }
            Question::Units(units) => (detectable(aim, &baseline, units)?, units, None),
            Question::Days(days) => {
                let Some(Traffic { units_per_day, .. }) = traffic else {
                    return Err(fault("/units_per_day", "days need the number of units that come in each"));
                };
                let n_units = (days - self.window_s as f64 / DAY_S).max(0.0) * units_per_day;
                let units = (n_units / self.n_variants as f64) as u64;
                (detectable(aim, &baseline, units)?, units, None)
            }
        };
        let units = units_per_variant.saturating_mul(n_variants);
        Ok(Plan {
            lift: difference.filter(|_| 0.0 < self.baseline).map(|difference| difference / self.baseline),
            difference,
            units_per_variant,
            units,
            units_per_variant_once: once,
            days: traffic.and_then(|traffic| traffic.days(units)),
        })
    }

    fn aim(&self) -> Result<Aim, Fault> {
        let inside = |pointer, value: f64| {
            let probability = Probability::new(value).ok().filter(|_| 0.0 < value && value < 1.0);
            probability.ok_or_else(|| fault(pointer, "a probability above 0 and below 1"))
        };
        if !(2..=VARIANTS_MAX).contains(&self.n_variants) {
            return Err(fault("/n_variants", format!("2 to {VARIANTS_MAX} variants with the control")));
        }
        Ok(Aim {
            alpha: inside("/alpha", self.alpha)?,
            power: inside("/power", self.power)?,
            n_variants: self.n_variants,
            looks: self.looks,
        })
    }

    fn known(&self) -> Result<Baseline, Fault> {
        let Some(sd) = self.sd else {
            return Baseline::rate(self.baseline).map_err(|error| no_plan("/baseline", &error));
        };
        let baseline = Baseline::value(self.baseline, sd * sd);
        baseline.ok().filter(|_| 0.0 < sd).ok_or_else(|| fault("/sd", "a standard deviation is above 0"))
    }

    fn traffic(&self) -> Result<Option<Traffic>, Fault> {
        if !(0..=WINDOW_S_MAX).contains(&self.window_s) {
            return Err(fault("/window_s", format!("0 to {WINDOW_S_MAX} seconds")));
        }
        let Some(units_per_day) = self.units_per_day else { return Ok(None) };
        if 0.0 < units_per_day && units_per_day.is_finite() {
            Ok(Some(Traffic { units_per_day, window_s: self.window_s }))
        } else {
            Err(fault("/units_per_day", "a number of units above 0"))
        }
    }

    fn question(&self) -> Result<Question, Fault> {
        match (self.lift, self.units_per_variant, self.days) {
            (Some(lift), None, None) if self.baseline <= 0.0 => {
                let detail = format!("a lift of {lift} needs a baseline above 0, not {}", self.baseline);
                Err(fault("/lift", detail))
            }
            (Some(lift), None, None) if lift.is_finite() && lift != 0.0 => Ok(Question::Lift(lift)),
            (Some(_), None, None) => Err(fault("/lift", "a relative difference other than 0, such as 0.05")),
            (None, Some(units), None) => Ok(Question::Units(units)),
            (None, None, Some(days)) if 0.0 < days && days.is_finite() => Ok(Question::Days(days)),
            (None, None, Some(_)) => Err(fault("/days", "a number of days above 0")),
            _ => Err(fault("", "say one of `lift`, `units_per_variant` and `days`")),
        }
    }
}

fn detectable(aim: Aim, baseline: &Baseline, units: u64) -> Result<Option<f64>, Fault> {
    aim.detectable(baseline, units, Direction::Increase).map_err(|error| no_plan("", &error))
}

fn no_plan(pointer: &str, error: &NoPlan) -> Fault {
    fault(pointer, error.to_string())
}

fn fault(pointer: &str, detail: impl Into<String>) -> Fault {
    Fault { pointer: pointer.to_owned(), detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(asked: Value) -> Result<Plan, Fault> {
        serde_json::from_value::<PlanRequest>(asked).unwrap().plan()
    }

    #[test]
    fn a_lift_has_its_textbook_size() {
        let once = plan(json!({"baseline": 0.02, "lift": 0.2, "looks": "once"})).unwrap();
        assert_eq!((once.units_per_variant, once.units), (21_109, 42_218));
        assert_eq!((once.units_per_variant_once, once.days), (Some(21_109), None));
        let always = plan(json!({"baseline": 0.02, "lift": 0.2, "units_per_day": 2_000})).unwrap();
        assert_eq!(always.units_per_variant_once, Some(21_109));
        let inflation = always.units_per_variant as f64 / 21_109.0;
        assert!(1.8 < inflation && inflation < 2.0, "{inflation}");
        assert_eq!(always.days, Some(always.units as f64 / 2_000.0 + 3.0));
    }

    #[test]
    fn units_and_days_say_what_they_find() {
        let asked = json!({"baseline": 50, "sd": 40, "units_per_variant": 10_000, "n_variants": 3});
        let found = plan(asked).unwrap();
        let difference = found.difference.unwrap();
        assert!((found.lift.unwrap() - difference / 50.0).abs() < 1e-12);
        let back = plan(json!({"baseline": 50, "sd": 40, "lift": difference / 50.0, "n_variants": 3}));
        assert!(back.unwrap().units_per_variant.abs_diff(10_000) <= 1);
        let asked = json!({"baseline": 0.02, "days": 13, "units_per_day": 2_000});
        let days = plan(asked).unwrap();
        assert_eq!((days.units_per_variant, days.days), (10_000, Some(13.0)));
        let soon = plan(json!({"baseline": 0.02, "days": 1, "units_per_day": 2_000})).unwrap();
        assert_eq!((soon.units_per_variant, soon.lift), (0, None));
    }

    #[test]
    fn faults_name_their_field() {
        #[track_caller]
        fn check(asked: Value, pointer: &str) {
            assert_eq!(plan(asked).unwrap_err().pointer, pointer);
        }
        check(json!({"baseline": 0.02}), "");
        check(json!({"baseline": 0.02, "lift": 0.2, "days": 3}), "");
        check(json!({"baseline": 1.02, "lift": 0.2}), "/baseline");
        check(json!({"baseline": 0.02, "lift": 0}), "/lift");
        check(json!({"baseline": 0.6, "lift": 0.9}), "/lift");
        check(json!({"baseline": -1, "sd": 3, "lift": 0.2}), "/lift");
        check(json!({"baseline": 1, "sd": 0, "lift": 0.2}), "/sd");
        check(json!({"baseline": 1, "sd": -1, "lift": 0.2}), "/sd");
        check(json!({"baseline": 0.02, "lift": 0.2, "alpha": 0}), "/alpha");
        check(json!({"baseline": 0.02, "lift": 0.2, "power": 1}), "/power");
        check(json!({"baseline": 0.02, "lift": 0.2, "n_variants": 1}), "/n_variants");
        check(json!({"baseline": 0.02, "lift": 0.2, "window_s": -1}), "/window_s");
        check(json!({"baseline": 0.02, "lift": 0.2, "units_per_day": 0}), "/units_per_day");
        check(json!({"baseline": 0.02, "days": 7}), "/units_per_day");
        check(json!({"baseline": 0.02, "days": -7, "units_per_day": 10}), "/days");
    }
}
