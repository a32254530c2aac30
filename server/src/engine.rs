//! Metrics at work: rows in, numbers out, whatever a plugin does.

use podium_core::id::MetricId;
use podium_core::metric::extract::Cell;
use podium_core::metric::fields::{BadFieldSpec, ColumnType, FieldSpec};
use podium_core::metric::{Direction, MetricKind, UnitValue, ValueUnit};
use podium_core::money::Currency;
use podium_core::projection::{MetricEngine, MetricSpec, Row};
use podium_plugin_host::{
    self as host, Batch, CreateError, MetricFault, MetricInfo, MetricInstance, Registry, Value,
};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// The largest sum a plugin is handed: 2^53.
const SUM_MAX: i64 = 1 << 53;

/// Why an experiment cannot use a metric.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetricUnusable {
    /// The plugin will not have it.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// What the plugin wants read makes no sense.
    #[error(transparent)]
    Fields(#[from] BadFieldSpec),
}

struct Loaded {
    instance: Box<dyn MetricInstance>,
    columns: Vec<host::ColumnType>,
    metric: String,
    /// Fingerprints of rows that ended the plugin's process.
    fatal: Vec<i64>,
}

/// A metric whose plugin cannot be called, and why.
struct Away(String);

/// All metrics that experiments use.
#[derive(Default)]
pub(crate) struct Engine {
    loaded: HashMap<MetricId, Loaded>,
    /// Metrics that events passed by since they were last asked for.
    missed: BTreeSet<MetricId>,
    /// Rows that ended their plugin's process, however often it was asked.
    unreadable: BTreeSet<(MetricId, i64)>,
    /// Those that were found since they were last asked for.
    found: BTreeSet<(MetricId, i64)>,
}

/// Makes an instance and reads what it wants read. A plugin may take its time: nobody else waits for it.
pub(crate) async fn instantiate(
    registry: &Arc<Registry>,
    metric: &str,
    config: &str,
    currency: Currency,
) -> Result<(Box<dyn MetricInstance>, MetricSpec), MetricUnusable> {
    let (registry, metric, config) = (Arc::clone(registry), metric.to_owned(), config.to_owned());
    let make = move || {
        let instance = registry.create(&metric, &config)?;
        let fields = FieldSpec::parse(instance.fields_json())?;
        let spec = MetricSpec { fields, k: instance.k(), currency };
        Ok((instance, spec))
    };
    let made = tokio::task::spawn_blocking(make).await;
    made.unwrap_or_else(|error| Err(CreateError::Lost { text: error.to_string() }.into()))
}

impl Engine {
    /// Takes an instance into use.
    pub(crate) fn add(
        &mut self,
        id: MetricId,
        metric: &str,
        instance: Box<dyn MetricInstance>,
        spec: &MetricSpec,
    ) {
        let columns = spec.fields.columns.iter().map(|(_, column_type)| column(*column_type)).collect();
        self.loaded.insert(id, Loaded { instance, columns, metric: metric.to_owned(), fatal: Vec::new() });
    }

    /// Has rows passed over that were found to end their plugin's process.
    pub(crate) fn skip(&mut self, unreadable: BTreeSet<(MetricId, i64)>) {
        self.unreadable = unreadable;
    }

    /// Rows that were found to end their plugin's process since the last time, by metric and fingerprint.
    pub(crate) fn take_found(&mut self) -> BTreeSet<(MetricId, i64)> {
        std::mem::take(&mut self.found)
    }

    /// Gives back what was not written down.
    pub(crate) fn give_back(&mut self, found: BTreeSet<(MetricId, i64)>) {
        self.found.extend(found);
    }

    /// The metrics that events passed by since the last time, because their plugins could not be called.
    pub(crate) fn take_missed(&mut self) -> BTreeSet<MetricId> {
        std::mem::take(&mut self.missed)
    }

    fn note(&mut self, metric: MetricId, reached: Result<(), Away>) -> Option<()> {
        let Err(Away(why)) = reached else { return Some(()) };
        if self.missed.insert(metric) {
            let name = self.loaded.get(&metric).map(|loaded| loaded.metric.as_str()).unwrap_or_default();
            tracing::warn!(metric = name, why, "metric is away; its figures wait until it is back");
        }
        None
    }
}

impl MetricEngine for Engine {
    fn observe(&mut self, metric: MetricId, rows: &[Row]) -> Option<Vec<i64>> {
        let loaded = self.loaded.get_mut(&metric)?;
        let k = loaded.instance.k();
        let mut contributions = Vec::with_capacity(rows.len() * k);
        let skips = self.unreadable.range((metric, i64::MIN)..=(metric, i64::MAX)).next().is_some();
        let reached = if skips {
            let is_readable = |row: &Row| !self.unreadable.contains(&(metric, fingerprint(row)));
            let readable: Vec<bool> = rows.iter().map(is_readable).collect();
            let kept: Vec<Row> =
                rows.iter().zip(&readable).filter(|(_, is)| **is).map(|(row, _)| row.clone()).collect();
            let mut of_kept = Vec::with_capacity(kept.len() * k);
            let reached = loaded.observe(&kept, &mut of_kept);
            let mut of_kept = of_kept.chunks_exact(k);
            for is_readable in readable {
                let found = if is_readable { of_kept.next() } else { None };
                match found {
                    Some(contribution) => contributions.extend_from_slice(contribution),
                    None => contributions.resize(contributions.len() + k, 0),
                }
            }
            reached
        } else {
            loaded.observe(rows, &mut contributions)
        };
        let fatal = std::mem::take(&mut loaded.fatal).into_iter().map(|fingerprint| (metric, fingerprint));
        self.found.extend(fatal);
        self.unreadable.extend(&self.found);
        self.note(metric, reached).map(|()| contributions)
    }

    fn value(&mut self, metric: MetricId, sums: &[i64], k: usize) -> Option<Vec<Option<UnitValue>>> {
        let loaded = self.loaded.get_mut(&metric)?;
        let clamped: Vec<i64> = sums.iter().map(|sum| (*sum).clamp(-SUM_MAX, SUM_MAX)).collect();
        let mut values = Vec::with_capacity(sums.len() / k.max(1));
        let reached = loaded.value(&clamped, k, &mut values);
        self.note(metric, reached).map(|()| values)
    }
}

impl Loaded {
    /// Observes rows; of a batch that fails, each half, down to the row that no one can read: it counts as zeros.
    fn observe(&mut self, rows: &[Row], contributions: &mut Vec<i64>) -> Result<(), Away> {
        if rows.is_empty() {
            return Ok(());
        }
        let k = self.instance.k();
        let answer = self.batch(rows).map(|batch| self.instance.observe(&batch));
        match answer {
            Some(Ok(numbers)) if numbers.len() == rows.len() * k => contributions.extend(numbers),
            Some(Err(MetricFault::Away { text })) => return Err(Away(text)),
            Some(Ok(_)) | None if rows.len() == 1 => {
                self.give_up("its answer has the wrong length", contributions);
            }
            Some(Err(fault)) if rows.len() == 1 => {
                if matches!(fault, MetricFault::Crashed { .. }) {
                    self.fatal.extend(rows.iter().map(fingerprint));
                }
                self.give_up(&fault.to_string(), contributions);
            }
            _ => {
                let (left, right) = rows.split_at(rows.len() / 2);
                self.observe(left, contributions)?;
                self.observe(right, contributions)?;
            }
        }
        Ok(())
    }

    fn give_up(&mut self, fault: &str, contributions: &mut Vec<i64>) {
        metrics::counter!("podium_unreadable_events_total").increment(1);
        tracing::error!(metric = %self.metric, fault, "metric cannot read an event; it counts as nothing for this metric");
        contributions.resize(contributions.len() + self.instance.k(), 0);
    }

    fn value(&mut self, sums: &[i64], k: usize, values: &mut Vec<Option<UnitValue>>) -> Result<(), Away> {
        let n_units = sums.len() / k.max(1);
        let answer = self.instance.value(sums);
        match answer {
            Ok(numbers) if numbers.len() == n_units => {
                let checked = |(numerator, denominator)| UnitValue::from_f64(numerator, denominator).ok();
                values.extend(numbers.into_iter().map(checked));
            }
            Err(MetricFault::Away { text }) => return Err(Away(text)),
            answer if n_units <= 1 => {
                let fault = answer.err().as_ref().map(MetricFault::to_string).unwrap_or_default();
                tracing::error!(metric = %self.metric, fault, "metric has no value for a unit; the unit is left out");
                values.extend((0..n_units).map(|_| None));
            }
            _ => {
                let (left, right) = sums.split_at(n_units / 2 * k);
                self.value(left, k, values)?;
                self.value(right, k, values)?;
            }
        }
        Ok(())
    }

    fn batch(&self, rows: &[Row]) -> Option<Batch> {
        let mut batch = Batch::new(&self.columns);
        let mut values = Vec::with_capacity(self.columns.len());
        for row in rows {
            values.clear();
            values.extend(row.cells.iter().map(|cell| value(cell.as_ref())));
            batch.push_row(row.event_idx, row.time.as_millis(), &values).ok()?;
        }
        Some(batch)
    }
}

/// A number that is the same for the same row, wherever it stands.
fn fingerprint(row: &Row) -> i64 {
    XxHash3_64::oneshot(format!("{row:?}").as_bytes()).cast_signed()
}

fn value(cell: Option<&Cell>) -> Value<'_> {
    match cell {
        None => Value::Null,
        Some(Cell::Int(whole)) => Value::Int(*whole),
        Some(Cell::Float(number)) => Value::Float(*number),
        Some(Cell::Bool(is_true)) => Value::Bool(*is_true),
        Some(Cell::Money(minor)) => Value::Money(*minor),
        Some(Cell::Text(text)) => Value::Text(text),
        Some(Cell::Json(json)) => Value::Json(json),
    }
}

fn column(column_type: ColumnType) -> host::ColumnType {
    match column_type {
        ColumnType::Int => host::ColumnType::Int,
        ColumnType::Float => host::ColumnType::Float,
        ColumnType::Bool => host::ColumnType::Bool,
        ColumnType::Money => host::ColumnType::Money,
        ColumnType::Text => host::ColumnType::Text,
        _ => host::ColumnType::Json,
    }
}

/// How the values of a metric are to be read.
pub(crate) fn kind(info: &MetricInfo) -> MetricKind {
    match info.kind {
        host::MetricKind::Proportion => MetricKind::Proportion,
        host::MetricKind::Mean => MetricKind::Mean,
        host::MetricKind::Ratio => MetricKind::Ratio,
    }
}

/// What a metric counts in.
pub(crate) fn unit(info: &MetricInfo) -> ValueUnit {
    match info.unit {
        host::Unit::Plain => ValueUnit::Plain,
        host::Unit::CurrencyMinor => ValueUnit::CurrencyMinor,
        host::Unit::Count => ValueUnit::Count,
        host::Unit::Proportion => ValueUnit::Proportion,
        host::Unit::Milliseconds => ValueUnit::Milliseconds,
    }
}

/// Which way is better by the metric's own word.
pub(crate) fn direction(info: &MetricInfo) -> Direction {
    match info.direction {
        host::Direction::Increase => Direction::Increase,
        host::Direction::Decrease => Direction::Decrease,
    }
}
