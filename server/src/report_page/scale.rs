//! Where a value lies on an axis.

/// An axis from `low` to `high`, laid over a stretch of a chart's width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    /// Where the axis begins and ends, in percent of the chart's width.
    left: f64,
    right: f64,
}

impl Scale {
    /// An axis that holds both ends with some air; ends that are equal or no numbers get a unit of room.
    pub(super) fn new(ends: (f64, f64), left: f64, right: f64) -> Self {
        const AIR: f64 = 0.04;
        let (low, high) = if ends.0 < ends.1 && (ends.1 - ends.0).is_finite() {
            ends
        } else {
            let center = if ends.0.is_finite() { ends.0 } else { 0.0 };
            let room = if center == 0.0 { 1.0 } else { 0.1 * center.abs() };
            (center - room, center + room)
        };
        let air = AIR * (high - low);
        // An axis of shares or amounts does not go below zero for the sake of air.
        let floor = if 0.0 <= low { 0.0 } else { f64::NEG_INFINITY };
        Self { low: (low - air).max(floor), high: high + air, left, right }
    }

    /// The position of `value`, in percent of the chart's width; values off the axis lie at its ends.
    pub(super) fn position(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.left + share * (self.right - self.left)
    }

    /// Whether `value` lies on the axis.
    pub(super) fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// About `n` round values on the axis, ascending: multiples of 1, 2 or 5 times a power of ten.
    pub(super) fn ticks(&self, n: u32) -> Vec<f64> {
        const TICKS_MAX: usize = 12;
        let raw = (self.high - self.low) / f64::from(n.max(1));
        let power = 10_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|&step| raw <= step * 1.5);
        let step = step.unwrap_or(10.0 * power);
        let first = (self.low / step).ceil();
        let ticks = (0..TICKS_MAX).map(|tick_idx| (first + tick_idx as f64) * step);
        ticks.filter(|&tick| self.holds(tick)).collect()
    }
}

/// A percentage as SVG wants it: two decimals, which is a tenth of a pixel.
pub(super) fn percent(position: f64) -> String {
    format!("{position:.2}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_values_and_stay_inside() {
        let scale = Scale::new((10.0, 20.0), 30.0, 98.0);
        assert!(30.0 < scale.position(10.0) && scale.position(20.0) < 98.0);
        assert!((scale.position(15.0) - 64.0).abs() < 1e-9);
        assert_eq!(
            (scale.position(-1e9).to_bits(), scale.position(1e9).to_bits()),
            (30_f64.to_bits(), 98_f64.to_bits())
        );
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (ends, expected) in [
            ((10.0, 20.0), vec![10.0, 12.0, 14.0, 16.0, 18.0, 20.0]),
            ((0.0, 0.0), vec![-1.0, -0.5, 0.0, 0.5, 1.0]),
            ((3_412.0, 3_820.0), vec![3_400.0, 3_500.0, 3_600.0, 3_700.0, 3_800.0]),
            ((0.0, 0.021), vec![0.0, 0.005, 0.01, 0.015, 0.02]),
        ] {
            let ticks = Scale::new(ends, 0.0, 100.0).ticks(5);
            assert_eq!(ticks.len(), expected.len(), "{ends:?}: {ticks:?}");
            let close = |(tick, expected): (&f64, &f64)| (tick - expected).abs() < 1e-9;
            assert!(ticks.iter().zip(&expected).all(close), "{ends:?}: {ticks:?}");
        }
    }

    #[test]
    fn an_axis_of_nothing_is_still_an_axis() {
        for ends in [(f64::INFINITY, f64::NEG_INFINITY), (f64::NAN, 1.0), (7.0, 7.0), (-1e308, 1e308)] {
            let scale = Scale::new(ends, 0.0, 100.0);
            assert!(scale.position(7.0).is_finite(), "{ends:?}: {scale:?}");
            assert!(scale.ticks(5).len() <= 12, "{ends:?}");
        }
    }
}
