//! The laws that a metric must keep and the promises of a channel, as checks of what was really built.
//!
//! A check calls the metric the way the server does and looks at everything that comes back. It finds a breach
//! that shows in some hundreds of events that include every oddity we know; it cannot prove that there is none.
//!
//! ```no_run
//! use podium_plugin_host::conformance::{Law, Subject};
//! use podium_plugin_host::{HostLog, Registry};
//!
//! let registry = Registry::load(&["plugins".into()], &HostLog::discard());
//! let subject = Subject::new(&registry, "conversion", "{}")?;
//! let breaches: Vec<_> = Law::ALL.into_iter().filter_map(|law| subject.check(law).err()).collect();
//! # Ok::<(), podium_plugin_host::CreateError>(())
//! ```

pub mod alone;
pub mod channel;
mod config;
mod laws;
mod quiet;
mod rows;

use crate::batch::Batch;
use crate::fields::Shape;
use crate::info::MetricInfo;
use crate::instance::{CreateError, MetricFault, MetricInstance};
use crate::registry::Registry;
use config::{Settings, Unmade};
use rows::Row;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a metric must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Law {
    /// 1: equal settings and events give equal numbers, in any instance, thread and process, without a system call.
    Pure,
    /// 2: contributions are whole and at most 2^53; values are finite.
    Finite,
    /// 3: any split or order of the rows gives the same row results.
    Additive,
    /// 4: any sums have a value, and it fits the kind.
    Total,
    /// 5: exactly the asked numbers are written.
    InBounds,
    /// 6: empty batches, missing columns and unknown things are answered.
    Calm,
    /// 7: wrong settings are refused with a text; making and ending instances leaks nothing.
    HonestConfig,
}

impl Law {
    /// Every law, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Pure,
        Self::Finite,
        Self::Additive,
        Self::Total,
        Self::InBounds,
        Self::Calm,
        Self::HonestConfig,
    ];

    /// Tells in a few words what it asks.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pure => "equal events give equal numbers, in any instance, thread and process",
            Self::Finite => "contributions are whole and at most 2^53, values are finite",
            Self::Additive => "any split or order of the events gives the same numbers",
            Self::Total => "any sums have a value, and it fits the kind",
            Self::InBounds => "exactly the asked numbers are written",
            Self::Calm => "empty batches, missing columns and unknown things are answered",
            Self::HonestConfig => "wrong settings are refused with a text; instances leak nothing",
        }
    }

    /// Tells the number, 1 to 7.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}

/// A law that a metric does not keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Breach {
    /// The metric.
    pub metric_id: String,
    /// The law.
    pub law: Law,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: law {} ({:?}): {}", self.metric_id, self.law.number(), self.law, self.text)
    }
}

/// A metric under one configuration, ready to be examined.
pub struct Subject<'a> {
    registry: &'a Registry,
    info: &'a MetricInfo,
    config_json: String,
    instance: Box<dyn MetricInstance>,
    shape: Shape,
    rows: Vec<Row>,
}

impl<'a> Subject<'a> {
    /// Configures a metric.
    ///
    /// # Errors
    ///
    /// [`CreateError`] if there is no such metric, or it does not accept the configuration.
    pub fn new(registry: &'a Registry, metric_id: &str, config_json: &str) -> Result<Self, CreateError> {
        let instance = registry.create(metric_id, config_json)?;
        let shape = Shape::parse(instance.fields_json()).map_err(|text| CreateError::BadFields { text })?;
        let info = registry.find(metric_id).ok_or_else(|| CreateError::UnknownMetric {
            metric_id: metric_id.to_owned(),
            loaded: String::new(),
        })?;
        let rows = rows::odd_and_ordinary(&shape);
        Ok(Self { registry, info, config_json: config_json.to_owned(), instance, shape, rows })
    }

    /// Examines one law. That a metric makes no system call is examined by [`alone::run`], which may die of it.
    ///
    /// # Errors
    ///
    /// [`Breach`] says what happened.
    pub fn check(&self, law: Law) -> Result<(), Breach> {
        let outcome = match law {
            Law::Pure => self.pure(),
            Law::Finite => self.finite(),
            Law::Additive => self.additive(),
            Law::Total => self.total(),
            Law::InBounds => self.in_bounds(),
            Law::Calm => self.calm(),
            Law::HonestConfig => self.honest_config(),
        };
        outcome.map_err(|text| Breach { metric_id: self.info.id.clone(), law, text })
    }

    /// Condenses what the metric answers to all odd and ordinary events and sums into one number.
    ///
    /// Equal on any machine and in any process, or the metric is not pure. Makes no system call but for memory,
    /// if the metric makes none.
    ///
    /// # Errors
    ///
    /// [`MetricFault`] if it does not answer.
    pub fn fingerprint(&self) -> Result<u64, MetricFault> {
        let contributions = self.instance.observe(&self.batch(&self.rows))?;
        let values = self.instance.value(&rows::odd_sums(self.info.k))?;
        let words = contributions.iter().map(|&number| number.cast_unsigned());
        let words = words.chain(values.iter().flat_map(|(num, den)| [num.to_bits(), den.to_bits()]));
        // FNV-1a over words: no need to withstand an attacker, only to notice a difference.
        Ok(words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3)))
    }

    fn honest_config(&self) -> Result<(), String> {
        let create = |config_json: &str| match self.registry.create(&self.info.id, config_json) {
            Ok(_) => Ok(()),
            Err(CreateError::Config { text }) => Err(Unmade::Config(text)),
            Err(error) => Err(Unmade::Otherwise(error.to_string())),
        };
        let (schema_json, good_json) = (&self.info.config_schema, &self.config_json);
        Settings { schema_json, good_json, create: &create }.are_honest()
    }

    fn batch<'r>(&self, rows: impl IntoIterator<Item = &'r Row>) -> Batch {
        let mut batch = Batch::new(&self.shape.columns);
        for row in rows {
            let pushed = batch.push_row(row.event, row.time_ms, &row.values);
            debug_assert!(pushed.is_ok(), "rows are made for these columns: {pushed:?}");
        }
        batch
    }
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { info, config_json, .. } = self;
        f.debug_struct("Subject")
            .field("metric_id", &info.id)
            .field("config_json", config_json)
            .finish_non_exhaustive()
    }
}
