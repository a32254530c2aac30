//! How long a weights version lives.

/// The longest a version lives, in seconds: a day.
const VERSION_S_MAX: f64 = 86_400.0;
/// The shortest, in seconds.
const VERSION_S_MIN: f64 = 1.0;
/// A version has one unit at least for so many that were there before.
const UNITS_PER_UNIT: u64 = 100;

/// How far a weights version has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VersionAge {
    /// How long it has lived, in seconds.
    pub seconds: f64,
    /// Units that were exposed under it.
    pub units: u64,
    /// Units that were exposed in the experiment so far, these included.
    pub units_so_far: u64,
}

impl VersionAge {
    /// Whether the next version is due: after `units_per_version` units or a hundredth of all so far, whichever is
    /// more, or after a day; never within a second.
    ///
    /// So the number of strata, and with it the cost of a report, grows with the logarithm of the units: 100 for the
    /// first 50,000 units at 500 each, some 630 for ten million. It costs almost no regret, because the weights are
    /// never older than a hundredth of what is known: their standard errors are half a percent wider than they could
    /// be, and an allocator that has lost R by then loses in the version about what it lost in the last hundredth of
    /// the units, which is less than R/100, since it learns.
    pub fn has_ended(&self, units_per_version: u32) -> bool {
        let units_due = units_due(units_per_version.into(), self.units_so_far);
        VERSION_S_MIN <= self.seconds && (VERSION_S_MAX <= self.seconds || units_due <= self.units)
    }
}

/// After how many units the next version is due, of so many so far.
pub(crate) fn units_due(units_per_version: u64, units_so_far: u64) -> u64 {
    units_per_version.max(units_so_far / UNITS_PER_UNIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_ends_after_its_units_or_a_day() {
        for (seconds, units, units_so_far, expected) in [
            (2.0, 500, 500, true),
            (2.0, 499, 499, false),
            (0.9, 10_000, 10_000, false),
            (86_400.0, 0, 0, true),
            (86_399.0, 0, 0, false),
            (60.0, 500, 50_000, true),
            (60.0, 500, 60_000, false),
            (60.0, 600, 60_000, true),
            (86_400.0, 1, 10_000_000, true),
        ] {
            let age = VersionAge { seconds, units, units_so_far };
            assert_eq!(age.has_ended(500), expected, "{age:?}");
        }
    }

    #[test]
    fn strata_grow_with_the_logarithm_of_the_units() {
        let n_versions = |n_units: u64| {
            let (mut units_so_far, mut n_versions) = (0, 0);
            while units_so_far < n_units {
                let ends = |units: &u64| {
                    VersionAge { seconds: 60.0, units: *units, units_so_far: units_so_far + units }
                        .has_ended(500)
                };
                units_so_far += (1..=n_units).find(ends).unwrap();
                n_versions += 1;
            }
            n_versions
        };
        assert_eq!(n_versions(50_000), 100);
        let for_millions = n_versions(10_000_000);
        assert!((600..660).contains(&for_millions), "{for_millions}");
    }
}
