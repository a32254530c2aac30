//! A posterior as a density over "more is better", with what an integrator has to know about its shape.

use std::f64::consts::TAU;

use crate::metric::Direction;

use super::beta::LOG_DROP;
use super::quadrature::{AtNodes, Panel};
use super::{Beta, Posterior, Posteriors, StudentT};

/// The least width of a curve, relative to the largest value in play: well above the spacing of `f64`.
const RESOLUTION: f64 = 1e-11;

/// One posterior, mirrored where less is better.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    shape: Shape,
    sign: f64,
    center: f64,
    /// Below it the density is taken for zero.
    pub(super) low: f64,
    /// Above it the density is taken for zero.
    pub(super) high: f64,
    /// The widest panel that still resolves the density near its center.
    width: f64,
    /// How much panels may widen with distance from the center: 0 for light tails.
    growth: f64,
}

/// What lies beyond one end of a curve's range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beyond {
    pub(super) mass: f64,
    pub(super) loss: f64,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Beta(Beta),
    StudentT(StudentT),
    Normal { mean: f64, sd: f64 },
}

/// The curves of all variants on one axis.
pub(super) fn curves(posteriors: &Posteriors) -> Vec<Curve> {
    let sign = match posteriors.direction() {
        Direction::Increase => 1.0,
        Direction::Decrease => -1.0,
    };
    let extent = posteriors.as_slice().iter().map(|posterior| posterior.center().abs()).fold(0.0, f64::max);
    let width_min = (RESOLUTION * extent).max(f64::MIN_POSITIVE);
    let curve = |posterior: &Posterior| Curve::new(Shape::of(*posterior, width_min), sign);
    posteriors.as_slice().iter().map(curve).collect()
}

impl Shape {
    /// A posterior narrower than `f64` resolves, such as a point, is taken for a normal one of least width.
    fn of(posterior: Posterior, width_min: f64) -> Self {
        match posterior {
            Posterior::Beta(beta) => Self::Beta(beta),
            Posterior::StudentT(student) if width_min <= student.scale() => Self::StudentT(student),
            Posterior::StudentT(student) => Self::Normal { mean: student.location(), sd: width_min },
            Posterior::Normal(normal) => Self::Normal { mean: normal.mean(), sd: normal.sd().max(width_min) },
            Posterior::Point(value) => Self::Normal { mean: value, sd: width_min },
        }
    }
}

impl Curve {
    fn new(shape: Shape, sign: f64) -> Self {
        let (center, low, high, width, growth) = match shape {
            Shape::Beta(beta) => {
                let (low, high) = beta.range();
                (beta.mean(), low, high, beta.sd(), 0.0)
            }
            Shape::Normal { mean, sd } => {
                let reach = (2.0 * LOG_DROP).sqrt() * sd;
                (mean, mean - reach, mean + reach, sd, 0.0)
            }
            Shape::StudentT(student) => {
                let (degrees, location) = (student.degrees(), student.location());
                let drop = (2.0 * LOG_DROP / (degrees + 1.0)).exp_m1();
                let reach = student.scale() * (degrees * drop).sqrt();
                let width = student.scale() * (0.5 * degrees.sqrt()).min(1.0);
                (location, location - reach, location + reach, width, 2.0 / (degrees + 1.0))
            }
        };
        let (low, high) = if sign < 0.0 { (-high, -low) } else { (low, high) };
        Self { shape, sign, center: sign * center, low, high, width, growth }
    }

    /// Panels over the whole range of this curve alone.
    pub(super) fn panels(&self) -> impl Iterator<Item = Panel> {
        std::iter::successors(Some(self.low), |&start| Some(self.panel_end(start).min(self.high)))
            .take_while(|&start| start < self.high)
            .map(|start| Panel { start, end: self.panel_end(start).min(self.high) })
    }

    /// What these points of the axis mean, in the metric's unit.
    pub(super) fn values(&self, points: &AtNodes) -> AtNodes {
        points.map(|x| self.sign * x)
    }

    /// The densities at these points of the axis.
    pub(super) fn densities(&self, points: &AtNodes) -> AtNodes {
        match self.shape {
            Shape::Beta(beta) => points.map(|x| beta.log_pdf(self.sign * x).exp()),
            Shape::StudentT(student) => points.map(|x| student.log_pdf(self.sign * x).exp()),
            Shape::Normal { sd, .. } => {
                let per_sd = 1.0 / sd;
                let peak = per_sd / TAU.sqrt();
                points.map(|x| peak * (-0.5 * ((x - self.center) * per_sd).powi(2)).exp())
            }
        }
    }

    /// What the range leaves out at each end, by the power law of the tail: probability, and expected loss (the
    /// integral of the former).
    ///
    /// Both matter for one or two degrees of freedom only; the loss is infinite for one.
    pub(super) fn beyond(&self) -> Beyond {
        match self.shape {
            Shape::StudentT(student) => {
                let degrees = student.degrees();
                let reach = self.high - self.center;
                let mass = student.log_pdf(student.location() + reach).exp() * reach / degrees;
                Beyond { mass, loss: mass * reach / (degrees - 1.0) }
            }
            Shape::Beta(_) | Shape::Normal { .. } => Beyond { mass: 0.0, loss: 0.0 },
        }
    }

    /// Where a panel that begins at `x` must end at the latest, as far as this curve is concerned.
    pub(super) fn panel_end(&self, x: f64) -> f64 {
        if self.high <= x {
            f64::INFINITY
        } else if x < self.low {
            self.low.max(x + self.width)
        } else {
            // Panels shrink towards the center by the factor by which they grow away from it.
            let growth = if x < self.center { self.growth / (1.0 + self.growth) } else { self.growth };
            x + self.width.max(growth * (x - self.center).abs())
        }
    }
}
