//! The zero of a rising function.

/// Newton converges in five or six steps; bisection alone would take 60.
const N_STEPS_MAX: usize = 128;

/// A function that rises through zero between `low` and `high`.
pub(super) struct Monotone<V, S> {
    pub(super) low: f64,
    pub(super) high: f64,
    /// A first guess; anything outside the bracket is brought into it.
    pub(super) start: f64,
    /// The function.
    pub(super) value: V,
    /// Its derivative.
    pub(super) slope: S,
}

/// Finds the zero by Newton's method, halving the bracket wherever a step would leave it.
pub(super) fn solve<V: Fn(f64) -> f64, S: Fn(f64) -> f64>(monotone: Monotone<V, S>) -> f64 {
    let Monotone { mut low, mut high, start, value, slope } = monotone;
    let mut x = if low < start && start < high { start } else { f64::midpoint(low, high) };
    for _ in 0..N_STEPS_MAX {
        let error = value(x);
        if 0.0 <= error {
            high = x;
        } else {
            low = x;
        }
        let newton = x - error / slope(x);
        let next = if low <= newton && newton <= high { newton } else { f64::midpoint(low, high) };
        let moved = (next - x).abs();
        x = next;
        if moved <= 1e-14 * x.abs() || high - low <= 4.0 * f64::EPSILON * high.abs() {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_found_from_any_start() {
        for start in [-5.0, 0.1, 1.0, 1.9, f64::NAN, f64::INFINITY] {
            let root = solve(Monotone {
                low: 0.0,
                high: 2.0,
                start,
                value: |x: f64| x * x * x - 2.0,
                slope: |x: f64| 3.0 * x * x,
            });
            assert!((root - 2.0_f64.cbrt()).abs() < 1e-14, "from {start}: {root}");
        }
    }

    #[test]
    fn a_flat_slope_falls_back_to_halving() {
        let root =
            solve(Monotone { low: -1.0, high: 8.0, start: 7.0, value: |x: f64| x.powi(9), slope: |_| 0.0 });
        assert!(root.abs() < 1e-3, "{root}");
    }
}
