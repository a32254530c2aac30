//! The trait that an author implements.

use crate::error::Result;
use crate::event::Event;
use crate::fields::Fields;
use crate::info::MetricInfo;
use podium_plugin_abi::K_MAX;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A goal: how events become numbers, and how a shopper's numbers become a value.
///
/// An instance is used by many threads at a time and must not change. Equal settings and equal events give
/// equal numbers, always: that is how the server can count late events, take back refunds, and rebuild.
pub trait Metric: Sized + Send + Sync + 'static {
    /// The settings: their schema is derived and shown to whoever sets up an experiment. Fields without
    /// `#[serde(default)]` are required.
    type Config: DeserializeOwned + JsonSchema;

    /// One to eight accumulators: `[f64; 1]` to `[f64; 8]`.
    type Sums: Sums;

    /// Identity, kind and defaults.
    const INFO: MetricInfo;

    /// Makes an instance from settings that have the right shape.
    ///
    /// # Errors
    ///
    /// [`Error::config`](crate::Error::config) if a setting makes no sense; the text is shown to whoever set it.
    fn create(config: Self::Config) -> Result<Self>;

    /// Says what to read. Called once for an instance.
    fn fields(&self) -> Fields;

    /// Turns one event into what it adds to the accumulators: whole numbers, at most 2^53 in magnitude.
    fn observe(&self, event: &Event<'_>) -> Self::Sums;

    /// Turns one shopper's sums into numerator and denominator, by the kind of the metric.
    ///
    /// All sums 0 is a shopper who did nothing. Any whole numbers may come, even negative ones.
    fn value(&self, sums: Self::Sums) -> (f64, f64);
}

/// An array of one to eight accumulators.
pub trait Sums: Copy + sealed::Sealed {
    #[doc(hidden)]
    const K: usize;
    #[doc(hidden)]
    const ZERO: Self;
    #[doc(hidden)]
    fn numbers(&self) -> &[f64];
    #[doc(hidden)]
    fn from_numbers(numbers: &[f64]) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl<const K: usize> Sealed for [f64; K] {}
}

impl<const K: usize> Sums for [f64; K] {
    const K: usize = {
        assert!(1 <= K && K <= K_MAX, "a metric has 1 to 8 accumulators");
        K
    };
    const ZERO: Self = [0.0; K];

    fn numbers(&self) -> &[f64] {
        self
    }

    fn from_numbers(numbers: &[f64]) -> Self {
        let mut sums = Self::ZERO;
        sums.copy_from_slice(numbers);
        sums
    }
}
