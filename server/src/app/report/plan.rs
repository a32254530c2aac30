//! Under which shares the units of a stratum were assigned.

use podium_core::experiment::Experiment;
use podium_core::projection::Stratum;
use podium_core::snapshot::WeightsVersion;
use podium_core::time::Timestamp;

/// A day in microseconds.
const DAY_US: i64 = 86_400_000_000;

/// The weights versions of an experiment, in their order, which is that of time.
#[derive(Debug)]
pub(super) struct Plan {
    versions: Vec<Planned>,
    days: Days,
    started_at: Option<Timestamp>,
}

/// How the units of a day were assigned that are in no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Days {
    /// By the split in force.
    Planned,
    /// Evenly: the uniform slice of an allocator.
    Even,
    /// Elsewhere: nobody said how.
    Unknown,
}

#[derive(Debug)]
struct Planned {
    version: u32,
    since: Timestamp,
    shares: Vec<f64>,
}

impl Plan {
    /// - `versions`: all there are, each with when it was published.
    pub(super) fn new(experiment: &Experiment, versions: &[(Timestamp, WeightsVersion)]) -> Self {
        let mut latest = Timestamp::from_micros(i64::MIN);
        let planned = |(since, weights): &(Timestamp, WeightsVersion)| {
            // A clock may be set back, but versions follow each other.
            latest = latest.max(*since);
            let sum: f64 = weights.weights.iter().map(|(_, weight)| weight).sum();
            let share = |key: &str| {
                let own = weights.weights.iter().find(|(other, _)| other == key);
                own.map_or(0.0, |(_, weight)| weight / sum)
            };
            let variants = experiment.definition.variants.iter();
            let shares = variants.map(|variant| share(variant.key.as_str())).collect();
            Planned { version: weights.version, since: latest, shares }
        };
        let days = match (experiment.definition.is_adaptive(), experiment.uniform_slice()) {
            (false, _) => Days::Planned,
            (true, Some(_)) => Days::Even,
            (true, None) => Days::Unknown,
        };
        Self { versions: versions.iter().map(planned).collect(), days, started_at: experiment.started_at }
    }

    /// The probability of each variant in a stratum, if it is known.
    pub(super) fn shares(&self, stratum: Stratum) -> Option<Vec<f64>> {
        match stratum {
            Stratum::Version(version) => self.version(version).map(|planned| planned.shares.clone()),
            Stratum::Day(day) => {
                let mut in_force = self.in_force(day).iter().map(|planned| self.of_day(planned));
                let first = in_force.next()??;
                in_force.all(|other| other.as_ref() == Some(&first)).then_some(first)
            }
        }
    }

    /// The shares of what was assigned while this was in force, but not under it.
    fn of_day(&self, planned: &Planned) -> Option<Vec<f64>> {
        let shares = &planned.shares;
        let n_active = shares.iter().filter(|share| 0.0 < **share).count();
        let even = |share: &f64| if 0.0 < *share { 1.0 / n_active as f64 } else { 0.0 };
        match self.days {
            Days::Planned => Some(shares.clone()),
            Days::Even => Some(shares.iter().map(even).collect()),
            Days::Unknown => None,
        }
    }

    /// Where a stratum belongs in the order of time.
    ///
    /// - `began_at`: when its first unit was exposed. That is not its place: a unit may be exposed long after it was
    ///   assigned, and a version may depend on whatever earlier versions brought in.
    pub(super) fn place(&self, stratum: Stratum, began_at: Timestamp) -> (Timestamp, Stratum) {
        let at = match stratum {
            Stratum::Version(version) => self.version(version).map_or(began_at, |planned| planned.since),
            Stratum::Day(day) => day_start(day),
        };
        (at, stratum)
    }

    fn version(&self, version: u32) -> Option<&Planned> {
        let found = self.versions.binary_search_by_key(&version, |planned| planned.version);
        found.ok().and_then(|idx| self.versions.get(idx))
    }

    /// The versions in force at some time of a day of the run. For a day before the run it is the version that it
    /// began with: what was assigned elsewhere was to follow the plan, too.
    fn in_force(&self, day: i32) -> &[Planned] {
        let began_at = self.started_at.unwrap_or(Timestamp::from_micros(i64::MIN));
        let from = day_start(day).max(began_at);
        let until = day_start(day.saturating_add(1));
        let first = self.versions.partition_point(|planned| planned.since <= from).saturating_sub(1);
        let end = self.versions.partition_point(|planned| planned.since < until).max(first + 1);
        self.versions.get(first..end).unwrap_or_default()
    }
}

fn day_start(day: i32) -> Timestamp {
    Timestamp::from_micros(i64::from(day).saturating_mul(DAY_US))
}

#[cfg(test)]
mod tests {
    use super::*;
    use podium_core::experiment::Definition;
    use serde_json::json;

    /// A plan of two variants that starts at noon of day 10.
    fn plan(allocator: &str, versions: &[(f64, f64)]) -> Plan {
        plan_of(&json!({"type": allocator}), versions)
    }

    fn plan_of(allocator: &serde_json::Value, versions: &[(f64, f64)]) -> Plan {
        let definition = json!({
            "variants": [{"key": "a"}, {"key": "b"}], "primary_metric": "m", "allocator": allocator
        });
        let definition: Definition = serde_json::from_value(definition).unwrap();
        let experiment: Experiment = serde_json::from_value(json!({
            "id": 1, "key": "banner", "version": 1, "status": "running", "served": null, "revision": 1,
            "created_at": at(0.0), "updated_at": at(0.0), "started_at": at(10.5), "concluded_at": null,
            "definition": definition.checked().unwrap()
        }))
        .unwrap();
        let version = |(idx, (day, weight)): (usize, &(f64, f64))| {
            let weights = [("a", 1.0 - weight), ("b", *weight)];
            let weights = WeightsVersion {
                version: idx as u32 + 1,
                salt: "s".to_owned(),
                traffic: 1.0,
                slot: None,
                weights: weights.map(|(key, weight)| (key.to_owned(), weight)).into(),
            };
            (at(*day), weights)
        };
        let versions: Vec<_> = versions.iter().enumerate().map(version).collect();
        Plan::new(&experiment, &versions)
    }

    fn at(day: f64) -> Timestamp {
        Timestamp::from_micros((day * DAY_US as f64) as i64)
    }

    #[test]
    fn a_day_of_a_fixed_split_has_the_shares_in_force_and_a_day_of_two_has_none() {
        let plan = plan("fixed", &[(9.0, 0.3), (10.2, 0.5), (12.5, 0.5), (14.0, 0.25), (14.5, 0.5)]);
        let share = |day| plan.shares(Stratum::Day(day)).map(|shares| shares[1]);
        // Before the run and on its first day: what it began with. What was drafted before was never in force.
        assert_eq!([share(3), share(9), share(10), share(11)], [Some(0.5); 4]);
        assert_eq!(share(12), Some(0.5), "other in something else, with the same shares");
        assert_eq!(share(14), None);
        assert_eq!([share(15), share(99)], [Some(0.5); 2]);
        assert_eq!(plan.shares(Stratum::Version(4)).unwrap(), [0.75, 0.25]);
        assert_eq!(plan.shares(Stratum::Version(6)), None);
    }

    #[test]
    fn a_day_of_the_uniform_slice_is_even_among_those_that_were_in_all_day() {
        let sliced = json!({"type": "thompson", "uniform_slice": 0.1});
        let plan = plan_of(&sliced, &[(10.5, 0.5), (10.6, 0.7), (12.5, 0.0)]);
        assert_eq!(plan.shares(Stratum::Day(10)).unwrap(), [0.5, 0.5]);
        assert_eq!(plan.shares(Stratum::Day(12)), None, "one was taken out at noon");
        assert_eq!(plan.shares(Stratum::Day(13)).unwrap(), [1.0, 0.0]);
        assert_eq!(plan.shares(Stratum::Version(2)).unwrap().get(1), Some(&0.7));
    }

    #[test]
    fn versions_have_their_shares_and_what_was_assigned_elsewhere_has_none() {
        let plan = plan("thompson", &[(10.5, 0.5), (10.6, 0.7), (10.55, 0.9)]);
        assert_eq!(plan.shares(Stratum::Day(10)), None);
        assert_eq!(plan.shares(Stratum::Version(2)).unwrap().get(1), Some(&0.7));
        // By version, even if a clock was set back and the first unit of an earlier one came late.
        let late = at(11.0);
        let mut strata = [Stratum::Version(3), Stratum::Day(11), Stratum::Version(2), Stratum::Version(1)];
        strata.sort_by_key(|stratum| plan.place(*stratum, late));
        let expected = [Stratum::Version(1), Stratum::Version(2), Stratum::Version(3), Stratum::Day(11)];
        assert_eq!(strata, expected);
    }
}
