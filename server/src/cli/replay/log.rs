//! The log that a policy is judged on: CSV with a header line, or one JSON object a line.

use super::super::CliError;
use podium_core::metric::UnitValue;
use podium_core::posterior::VARIANTS_MAX;
use podium_core::replay::LoggedRow;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// How many decimals of a reward count.
const DECIMALS_MAX: i32 = 6;
const CONTEXTS_MAX: usize = 10_000;
/// How far a propensity may be from an even one, for rounding in the log.
const EVEN_TOLERANCE: f64 = 1e-3;

/// A log in memory.
#[derive(Debug)]
pub(super) struct Log {
    /// The variants, in the order in which the log shows them.
    pub(super) variants: Names,
    /// The values of the context columns, likewise.
    pub(super) contexts: Vec<Vec<String>>,
    /// The rows, rewards in whole units.
    pub(super) rows: Vec<LoggedRow>,
    /// How many of the whole units make one of the log's.
    pub(super) scale: f64,
    /// Whether every reward is 0 or 1.
    pub(super) is_binary: bool,
}

/// Names by their position.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<String>,
    positions: HashMap<String, usize>,
}

/// One row as it is written.
struct Written {
    line: u64,
    context_idx: usize,
    variant_idx: usize,
    propensity: f64,
    reward: f64,
}

/// What columns are called.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) variant: String,
    pub(super) propensity: String,
    pub(super) reward: String,
    /// What was known before.
    pub(super) context: Vec<String>,
}

impl Names {
    /// The position of a name that there is.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// The position of a name, a new one if it is new.
    fn position(&mut self, name: &str) -> usize {
        if let Some(&position) = self.positions.get(name) {
            return position;
        }
        self.names.push(name.to_owned());
        self.positions.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}

impl Log {
    /// Reads a log; a fault names its line and field.
    pub(super) fn read(text: &str, columns: &Columns) -> Result<Self, CliError> {
        let mut reader =
            Reader { columns, variants: Names::default(), contexts: Contexts::default(), rows: Vec::new() };
        if text.trim_start().starts_with('{') {
            reader.read_json_lines(text)?;
        } else {
            reader.read_csv(text)?;
        }
        reader.log()
    }

    /// Whether each variant was as likely as every other on every row.
    pub(super) fn is_even(&self) -> bool {
        let even = 1.0 / self.variants.len() as f64;
        self.rows.iter().all(|row| (row.propensity / even - 1.0).abs() < EVEN_TOLERANCE)
    }

    /// The mean reward of a row.
    pub(super) fn mean_reward(&self) -> f64 {
        let sum: i128 = self.rows.iter().map(|row| i128::from(row.value.numerator())).sum();
        sum as f64 / self.scale / self.rows.len() as f64
    }
}

#[derive(Default)]
struct Contexts {
    values: Vec<Vec<String>>,
    positions: HashMap<Vec<String>, usize>,
}

struct Reader<'a> {
    columns: &'a Columns,
    variants: Names,
    contexts: Contexts,
    rows: Vec<Written>,
}

fn fault(line: u64, field: &str, detail: impl std::fmt::Display) -> CliError {
    CliError(format!("line {line}, `{field}`: {detail}"))
}

impl Reader<'_> {
    fn read_csv(&mut self, text: &str) -> Result<(), CliError> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().map_err(CliError::from_display)?.clone();
        let place = |name: &str| {
            let found = header.iter().position(|column| column.trim() == name);
            found.ok_or_else(|| fault(1, name, "there is no such column"))
        };
        let columns = self.columns.clone();
        let [variant, propensity, reward] =
            [place(&columns.variant)?, place(&columns.propensity)?, place(&columns.reward)?];
        let context = columns.context.iter().map(|name| place(name)).collect::<Result<Vec<_>, _>>()?;
        for record in reader.records() {
            // The library's own message has the line.
            let record = record.map_err(CliError::from_display)?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |at: usize| record.get(at).unwrap_or_default().trim();
            let number = |at: usize, name: &str| {
                let text = field(at);
                text.parse::<f64>().map_err(|_| fault(line, name, format_args!("`{text}` is no number")))
            };
            let numbers = (number(propensity, &columns.propensity)?, number(reward, &columns.reward)?);
            let context = context.iter().map(|&at| field(at).to_owned()).collect();
            self.add(line, field(variant), context, numbers)?;
        }
        Ok(())
    }

    fn read_json_lines(&mut self, text: &str) -> Result<(), CliError> {
        let columns = self.columns.clone();
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            let row: Map<String, Value> =
                serde_json::from_str(text).map_err(|error| CliError(format!("line {line}: {error}")))?;
            let member = |name: &str| row.get(name).ok_or_else(|| fault(line, name, "it is not there"));
            let number = |name: &str| {
                let value = member(name)?;
                value.as_f64().ok_or_else(|| fault(line, name, format_args!("{value} is no number")))
            };
            let text = |name: &str| match member(name)? {
                Value::String(text) => Ok(text.clone()),
                value @ (Value::Number(_) | Value::Bool(_)) => Ok(value.to_string()),
                value => Err(fault(line, name, format_args!("{value} is no text"))),
            };
            let numbers = (number(&columns.propensity)?, number(&columns.reward)?);
            let context = columns.context.iter().map(|name| text(name)).collect::<Result<_, _>>()?;
            self.add(line, &text(&columns.variant)?, context, numbers)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        line: u64,
        variant: &str,
        context: Vec<String>,
        (propensity, reward): (f64, f64),
    ) -> Result<(), CliError> {
        let columns = self.columns;
        if variant.is_empty() {
            return Err(fault(line, &columns.variant, "a variant has a name"));
        }
        if !(0.0 < propensity && propensity <= 1.0) {
            let detail = format_args!("{propensity} is no probability above 0");
            return Err(fault(line, &columns.propensity, detail));
        }
        if decimals(reward).is_none() {
            let detail = format_args!("{reward} is no amount with at most {DECIMALS_MAX} decimals");
            return Err(fault(line, &columns.reward, detail));
        }
        let variant_idx = self.variants.position(variant);
        if VARIANTS_MAX <= variant_idx {
            return Err(fault(line, &columns.variant, format_args!("more than {VARIANTS_MAX} variants")));
        }
        let context_idx = self.contexts.position(context);
        if CONTEXTS_MAX <= context_idx {
            let name = columns.context.join(", ");
            return Err(fault(line, &name, format_args!("more than {CONTEXTS_MAX} contexts")));
        }
        self.rows.push(Written { line, context_idx, variant_idx, propensity, reward });
        Ok(())
    }

    /// The rows with rewards in whole units.
    fn log(self) -> Result<Log, CliError> {
        if self.rows.is_empty() {
            return Err(CliError("the log has no rows".to_owned()));
        }
        let most = self.rows.iter().filter_map(|row| decimals(row.reward)).max().unwrap_or(0);
        let scale = 10_f64.powi(most);
        let is_binary = self.rows.iter().all(|row| [0.0, 1.0].contains(&row.reward));
        let rows = self.rows.into_iter().map(|row| {
            let Written { line, context_idx, variant_idx, propensity, reward } = row;
            let value = UnitValue::from_f64((reward * scale).round(), 1.0)
                .map_err(|_| fault(line, &self.columns.reward, format_args!("{reward} is too large")))?;
            Ok(LoggedRow { context_idx, variant_idx, propensity, value })
        });
        let rows = rows.collect::<Result<Vec<_>, CliError>>()?;
        Ok(Log { variants: self.variants, contexts: self.contexts.values, rows, scale, is_binary })
    }
}

impl Contexts {
    fn position(&mut self, context: Vec<String>) -> usize {
        if let Some(&position) = self.positions.get(&context) {
            return position;
        }
        self.values.push(context.clone());
        self.positions.insert(context, self.values.len() - 1);
        self.values.len() - 1
    }
}

/// How many decimals say an amount; none if more than are counted, or it is no number.
fn decimals(amount: f64) -> Option<i32> {
    (0..=DECIMALS_MAX).find(|&decimals| {
        let scale = 10_f64.powi(decimals);
        ((amount * scale).round() / scale).to_bits() == amount.to_bits()
    })
}

#[cfg(test)]
mod tests;
