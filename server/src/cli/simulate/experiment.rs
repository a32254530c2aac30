//! What is simulated: an experiment as it is registered, with the truth about its shoppers.

use super::super::{CliError, read};
use super::SimulateCommand;
use podium_core::experiment::{Definition, Variant};
use podium_core::inference::power::{Aim, Baseline};
use podium_core::metric::{Direction, MetricKind};
use podium_core::money::Currency;
use podium_core::probability::Probability;
use podium_core::report::wording::{Style, span};
use podium_core::simulate::{Shoppers, Trial};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

/// What the server says of an experiment beside its definition.
const NOT_DEFINED: [&str; 10] = [
    "id",
    "key",
    "version",
    "status",
    "served",
    "created_at",
    "updated_at",
    "started_at",
    "concluded_at",
    "weights",
];
/// Metrics that are what they are called, whatever server there is.
const BUNDLED: [&str; 3] = ["conversion", "aov", "revenue_per_visitor"];
const DAY_S: f64 = 86_400.0;

/// What a server says of a metric.
#[derive(Debug, Deserialize)]
struct Offered {
    metric: String,
    kind: MetricKind,
    direction: Direction,
    window_s: i64,
}

#[derive(Deserialize)]
struct Offers {
    data: Vec<Offered>,
}

/// An experiment that is ready to be run.
#[derive(Debug)]
pub(super) struct Simulated {
    pub(super) key: String,
    /// What is measured.
    pub(super) metric: &'static str,
    pub(super) style: Style,
    /// The keys of the variants that are not removed.
    pub(super) variants: Vec<String>,
    pub(super) delay_s: i64,
    /// What nobody said of the metric and was taken to be so.
    pub(super) assumed: Vec<String>,
    pub(super) trial: Trial,
}

impl Simulated {
    /// Reads the experiment and puts shoppers to it.
    pub(super) fn of(command: &SimulateCommand) -> Result<Self, CliError> {
        let named = &command.experiment;
        let is_file = named == "-" || Path::new(named).exists();
        let text = if is_file {
            read(named)?
        } else {
            command.remote.send("GET", &format!("/api/v1/experiments/{named}"), None, None)?.body
        };
        let (key, definition) =
            defined(&text).map_err(|CliError(detail)| CliError(format!("{named}: {detail}")))?;
        let mut offered = None;
        if !is_file {
            let answer = command.remote.send("GET", "/api/v1/metrics", None, None)?;
            let offers: Offers = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
            let metric = &definition.primary_metric.metric;
            offered = offers.data.into_iter().find(|offered| offered.metric == *metric);
        }
        Self::with_shoppers(command, key, &definition, offered.as_ref())
    }

    fn with_shoppers(
        command: &SimulateCommand,
        key: String,
        definition: &Definition,
        offered: Option<&Offered>,
    ) -> Result<Self, CliError> {
        let active: Vec<&Variant> =
            definition.variants.iter().filter(|variant| variant.is_active()).collect();
        let variants: Vec<String> = active.iter().map(|variant| variant.key.to_string()).collect();
        if command.rates.len() != variants.len() {
            let names = variants.join(", ");
            return Err(CliError(format!("--rates has {} rates for {names}", command.rates.len())));
        }
        let choice = &definition.primary_metric;
        let kind = offered.map(|offered| offered.kind);
        let (kind, metric) = measured(&choice.metric, kind, !command.order_value.is_empty())?;
        let orders = one_each("--order-value", &command.order_value, variants.len())?;
        let shoppers = command.rates.iter().enumerate().map(|(idx, &rate)| {
            let rate = Probability::new(rate).map_err(|error| CliError(format!("--rates: {error}")))?;
            match orders.get(idx) {
                Some(order) => ordering(rate, order, definition.currency),
                None => Ok(Shoppers::converting(rate)),
            }
        });
        let drift = one_each("--drift", &command.drift, variants.len())?;
        if let Some(change) = drift.iter().find(|change| !(-1.0..=1.0).contains(*change)) {
            return Err(CliError(format!("--drift {change}: a change is -1 to 1")));
        }
        let units_per_day = ((command.traffic as f64 * definition.traffic).round() as u64).max(1);
        let own = offered.map(|offered| offered.window_s).filter(|window_s| 0 < *window_s);
        let said = command.delay.or(choice.window_s).or(own);
        let delay_s = said.unwrap_or_else(crate::app::three_days);
        let direction = choice.direction.or(offered.map(|offered| offered.direction));
        let control_idx = active.iter().position(|variant| variant.control).unwrap_or(0);
        let trial = Trial {
            config: definition.allocator.clone(),
            kind,
            direction: direction.unwrap_or_default(),
            control_idx,
            shares: active.iter().map(|variant| variant.weight).collect(),
            shoppers: shoppers.collect::<Result<_, CliError>>()?,
            drift,
            units_per_day,
            n_days: command.days,
            units_per_version: definition.units_per_version.into(),
            window_days: delay_s as f64 / DAY_S,
            min_days: definition.min_run_s as f64 / DAY_S,
            planned_units: planned_units(definition, kind, &command.rates, control_idx)
                .unwrap_or(units_per_day as f64 * f64::from(command.days)),
        };
        let style =
            if kind == MetricKind::Proportion { Style::Number } else { Style::Money(definition.currency) };
        let mut assumed = Vec::new();
        if offered.is_none() && !BUNDLED.contains(&choice.metric.as_str()) {
            let better = if direction.is_none() { ", of which more is better" } else { "" };
            assumed.push(format!("`{}` is the {metric}{better}", choice.metric));
        }
        if said.is_none() {
            assumed.push(format!("rewards are known after {}: say --delay", span(delay_s)));
        }
        Ok(Self { key, metric, style, variants, delay_s, assumed, trial })
    }
}

/// The key and definition in what is registered, or in what the server answers.
fn defined(text: &str) -> Result<(String, Definition), CliError> {
    let mut members: Map<String, Value> = serde_json::from_str(text).map_err(CliError::from_display)?;
    let key = members.get("key").and_then(Value::as_str).unwrap_or("experiment").to_owned();
    for name in NOT_DEFINED {
        members.remove(name);
    }
    let definition: Definition =
        serde_json::from_value(Value::Object(members)).map_err(CliError::from_display)?;
    let definition = definition.checked().map_err(|faults| {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        CliError(lines.join("; "))
    })?;
    Ok((key, definition))
}

/// What sort of number a metric yields, as far as it can be simulated.
///
/// - `kind`: what a server says; the usual one of the metric if none was asked.
fn measured(
    metric: &str,
    kind: Option<MetricKind>,
    has_orders: bool,
) -> Result<(MetricKind, &'static str), CliError> {
    let kind = kind.unwrap_or(match metric {
        "conversion" => MetricKind::Proportion,
        "aov" => MetricKind::Ratio,
        "revenue_per_visitor" => MetricKind::Mean,
        _ if has_orders => MetricKind::Mean,
        _ => MetricKind::Proportion,
    });
    match (kind, has_orders) {
        (MetricKind::Proportion, false) if metric == "conversion" => Ok((kind, "conversion")),
        (MetricKind::Proportion, false) => Ok((kind, "share of units")),
        (MetricKind::Mean, true) => Ok((kind, "money per unit")),
        (MetricKind::Ratio, true) => Ok((kind, "average order value")),
        (MetricKind::Proportion, true) => Err(CliError(format!(
            "{metric} does not depend on what orders are worth: leave out --order-value"
        ))),
        (_, _) => Err(CliError(format!(
            "{metric} depends on what orders are worth: say --order-value MEDIAN,LOGSD"
        ))),
    }
}

/// One for each of `n`, where there may be one for all.
fn one_each<T: Clone>(option: &str, given: &[T], n: usize) -> Result<Vec<T>, CliError> {
    match given {
        [] => Ok(Vec::new()),
        [one] => Ok(vec![one.clone(); n]),
        each if each.len() == n => Ok(each.to_vec()),
        each => Err(CliError(format!(
            "{option} is given {} times: once, or once for each of {n} variants",
            each.len()
        ))),
    }
}

fn ordering(rate: Probability, text: &str, currency: Currency) -> Result<Shoppers, CliError> {
    let numbers = text.split_once(',').and_then(|(median, log_sd)| {
        Some((median.trim().parse::<f64>().ok()?, log_sd.trim().parse::<f64>().ok()?))
    });
    let told = "--order-value is MEDIAN,LOGSD, such as 45,0.8";
    let (median, log_sd) = numbers.ok_or_else(|| CliError(format!("{told}, not `{text}`")))?;
    let shoppers = Shoppers::ordering(rate, median * currency.minor_per_major(), log_sd);
    shoppers.map_err(|error| CliError(format!("--order-value: {error}")))
}

/// What the experiment is planned for, by itself or by the margin that matters, where that can be said of a rate.
fn planned_units(
    definition: &Definition,
    kind: MetricKind,
    rates: &[f64],
    control_idx: usize,
) -> Option<f64> {
    let by_margin = || {
        let (margin, rate) = (definition.primary_metric.margin?, *rates.get(control_idx)?);
        let baseline = Baseline::rate(rate).ok().filter(|_| kind == MetricKind::Proportion)?;
        let aim = Aim::default().among(rates.len());
        Some(aim.units_per_variant(&baseline, margin * rate).ok()?.saturating_mul(rates.len() as u64))
    };
    definition.planned_units.or_else(by_margin).map(|units| units as f64)
}
