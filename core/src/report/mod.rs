//! The winner report: figures, health, state and a sentence to quote.
//!
//! [`Report::of`] is a pure function of what the store and the metrics say ([`ReportInput`]). Every surface (JSON,
//! CSV, page, command line) shows this one struct, so they agree to the last digit.
//!
//! Two populations stand side by side and are never mixed: the **headline** of a variant (`units`, `numerator`,
//! `denominator`, `value`) counts every exposed unit as observed so far, which is what anyone counts by hand; all
//! **inference** (intervals, chances, lifts, losses) uses matured units only, whose attribution window has passed,
//! because a unit that still has time is not yet a failure.
//!
//! No winner is named here. [`State`] has the words for it, but a chance to be best is a belief that swings with
//! every look, and a verdict needs an interval that holds at all looks.

mod assemble;
mod compare;
mod decided;
mod discoveries;
mod estimate;
mod factors;
mod figures;
mod gain;
mod health;
mod inferred;
mod input;
mod novelty;
mod outlook;
mod prepared;
mod sentence;
mod state;
mod verdict;
pub mod wording;

pub use crate::quotient::quotient;
pub use compare::intervals;
pub use estimate::{LEVEL, Method, fraction};
pub use figures::{
    Gain, Health, Interval, Lift, MetricReport, Report, VariantReport, VariantSummary, Warning, WarningCode,
};
pub use inferred::{Cap, Corrected, Effect, Factors, History, Monthly, Outlook, SampleRatio, Sequence};
pub use input::{
    CurrentWeights, ExposureStratum, Exposures, MetricFigures, ReportInput, Role, Rules, VariantFigures,
    Watermark,
};
pub use state::State;
pub use verdict::{Breach, Verdict, Withheld};

#[cfg(test)]
mod tests;
