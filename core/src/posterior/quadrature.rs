//! Gauss–Legendre quadrature with eight nodes, and the running integral at those nodes.
//!
//! # Source
//!
//! Nodes and weights: Abramowitz & Stegun (1964), *Handbook of Mathematical Functions*, table 25.4.

/// Nodes in one panel.
pub(super) const N_NODES: usize = 8;

/// One value for each node of a panel.
pub(super) type AtNodes = [f64; N_NODES];

/// Nodes on [−1, 1], ascending.
const NODES: AtNodes = [
    -0.960_289_856_497_536_3,
    -0.796_666_477_413_626_7,
    -0.525_532_409_916_329,
    -0.183_434_642_495_649_8,
    0.183_434_642_495_649_8,
    0.525_532_409_916_329,
    0.796_666_477_413_626_7,
    0.960_289_856_497_536_3,
];

/// Weights on [−1, 1], in the order of the nodes.
const WEIGHTS: AtNodes = [
    0.101_228_536_290_376_3,
    0.222_381_034_453_374_5,
    0.313_706_645_877_887_3,
    0.362_683_783_378_362,
    0.362_683_783_378_362,
    0.313_706_645_877_887_3,
    0.222_381_034_453_374_5,
    0.101_228_536_290_376_3,
];

/// `RUNNING[k][l]`: the integral from −1 to node k of the Lagrange polynomial of node l.
const RUNNING: [AtNodes; N_NODES] = running_integrals();

/// Integrates each Lagrange polynomial up to each node; the rule itself is exact for their degree.
const fn running_integrals() -> [AtNodes; N_NODES] {
    let mut table = [[0.0; N_NODES]; N_NODES];
    let mut k = 0;
    while k < N_NODES {
        let half_width = f64::midpoint(NODES[k], 1.0);
        let mut l = 0;
        while l < N_NODES {
            let mut m = 0;
            while m < N_NODES {
                let x = -1.0 + half_width * (1.0 + NODES[m]);
                table[k][l] += half_width * WEIGHTS[m] * lagrange(l, x);
                m += 1;
            }
            l += 1;
        }
        k += 1;
    }
    table
}

const fn lagrange(l: usize, x: f64) -> f64 {
    let mut product = 1.0;
    let mut j = 0;
    while j < N_NODES {
        if j != l {
            product *= (x - NODES[j]) / (NODES[l] - NODES[j]);
        }
        j += 1;
    }
    product
}

/// One interval of integration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel {
    /// Where it begins.
    pub(super) start: f64,
    /// Where it ends; `start <= end`.
    pub(super) end: f64,
}

impl Panel {
    /// Where the nodes lie, ascending.
    pub(super) fn nodes(self) -> AtNodes {
        let center = f64::midpoint(self.start, self.end);
        NODES.map(|node| center + self.half_width() * node)
    }

    /// The integral over the panel of a function with these values at the nodes.
    pub(super) fn integral(self, values: &AtNodes) -> f64 {
        let sum: f64 = WEIGHTS.iter().zip(values).map(|(weight, value)| weight * value).sum();
        self.half_width() * sum
    }

    /// The integrals from the start to each node of a function with these values at the nodes.
    pub(super) fn running(self, values: &AtNodes) -> AtNodes {
        let half_width = self.half_width();
        RUNNING
            .map(|row| half_width * row.iter().zip(values).map(|(weight, value)| weight * value).sum::<f64>())
    }

    fn half_width(self) -> f64 {
        0.5 * (self.end - self.start)
    }
}

/// The integral of `f` from `start` to `end` in equal panels no wider than `step`.
pub(super) fn integrate(start: f64, end: f64, step: f64, f: impl Fn(f64) -> f64) -> f64 {
    if end <= start {
        return 0.0;
    }
    let n_panels = ((end - start) / step).ceil().clamp(1.0, N_PANELS_MAX);
    let width = (end - start) / n_panels;
    (0..n_panels as usize)
        .map(|panel_idx| {
            let panel = Panel {
                start: start + width * panel_idx as f64,
                end: start + width * (panel_idx + 1) as f64,
            };
            panel.integral(&panel.nodes().map(&f))
        })
        .sum()
}

/// More panels than any posterior needs: keeps a wrong step from running for ever.
const N_PANELS_MAX: f64 = 4096.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_of_degree_fifteen_are_integrated_exactly() {
        let panel = Panel { start: -0.5, end: 2.0 };
        for degree in 0..=15 {
            let exact = (2.0_f64.powi(degree + 1) - (-0.5_f64).powi(degree + 1)) / f64::from(degree + 1);
            let got = panel.integral(&panel.nodes().map(|x| x.powi(degree)));
            assert!((got / exact - 1.0).abs() < 1e-13, "degree {degree}: {got} for {exact}");
        }
    }

    #[test]
    fn running_integrals_are_exact_to_degree_seven() {
        let panel = Panel { start: 1.0, end: 3.0 };
        for degree in 0..=7 {
            let running = panel.running(&panel.nodes().map(|x| x.powi(degree)));
            for (x, got) in panel.nodes().into_iter().zip(running) {
                let exact = (x.powi(degree + 1) - 1.0) / f64::from(degree + 1);
                assert!(
                    (got - exact).abs() < 1e-12 * exact.max(1.0),
                    "degree {degree} at {x}: {got} for {exact}"
                );
            }
        }
    }

    #[test]
    fn panels_add_up() {
        let got = integrate(0.0, 10.0, 0.7, |x: f64| (-x).exp());
        assert!((got - (1.0 - (-10.0_f64).exp())).abs() < 1e-14, "{got}");
        assert!(integrate(1.0, 1.0, 0.1, |_| 1.0).abs() < f64::MIN_POSITIVE);
    }
}
