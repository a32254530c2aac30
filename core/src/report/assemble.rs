//! From sums to the report.

use super::compare::{Compared, ComparedVariant};
use super::decided::Decided;
use super::estimate::{Estimate, LEVEL, Range, fraction};
use super::figures::{Gain, Interval, Lift, MetricReport, Report, VariantReport, VariantSummary};
use super::inferred::{Factors, Monthly, Outlook};
use super::input::{MetricFigures, ReportInput, Role};
use super::prepared::Prepared;
use super::sentence::{self, Telling};
use super::state::{Standing, State, standing};
use super::verdict::Verdict;
use super::{discoveries, health, novelty, outlook};
use crate::experiment::{Status, Variant};
use crate::id::VariantKey;
use crate::metric::{MetricKind, ValueUnit};
use crate::quotient::quotient;

impl Report {
    /// Makes the report.
    pub fn of(input: &ReportInput<'_>) -> Self {
        let experiment = input.experiment;
        let definition = &experiment.definition;
        let run_s = match (input.first_exposed_at, input.watermark.at.or(input.last_exposed_at)) {
            (Some(first), Some(last)) => (last.as_micros() - first.as_micros()).max(0) / 1_000_000,
            _ => 0,
        };
        let (prepared, decided) = infer(input);
        let metrics: Vec<_> = input
            .metrics
            .iter()
            .zip(prepared.iter().zip(&decided))
            .map(|(metric, (prepared, (compared, decided)))| {
                MetricReport::of(input, metric, prepared, (compared, decided))
            })
            .collect();
        let variants = summaries(input);
        let sample_ratio = health::sample_ratio(input);
        let verdict = Verdict::of(input, &decided, run_s, sample_ratio);
        let primary = decided.first();
        let outlook = primary
            .map_or_else(Outlook::default, |(_, decided)| Outlook::of(input, decided, run_s, &verdict));
        let standing = primary.map(|primary| stand(input, primary, (&verdict, &outlook), run_s));
        let monthly = Monthly::of(input, &metrics, (&verdict, &outlook));
        let wears_off = primary.zip(prepared.first()).and_then(|((compared, decided), prepared)| {
            novelty::warning(input, prepared, (compared, decided))
        });
        let health = health::health(input, (&prepared, &decided), (run_s, sample_ratio), wears_off);
        let telling = Telling {
            input,
            variants: &variants,
            metrics: &metrics,
            run_s,
            verdict: &verdict,
            outlook,
            monthly: monthly.as_ref(),
        };
        let sentence = sentence::sentence(&telling, standing.as_ref());
        let state = standing.map_or(State::Collecting, |standing| standing.state);
        let leader_idx = standing.and_then(|standing| standing.front_idx).filter(|_| state == State::Leading);
        Self {
            experiment: experiment.key.clone(),
            version: experiment.version,
            name: definition.name.clone().unwrap_or_else(|| experiment.key.to_string()),
            description: definition.description.clone(),
            source_note: input.source_note.clone(),
            status: experiment.status,
            state,
            leader: leader_idx.map(|leader_idx| definition.variants[leader_idx].key.clone()),
            verdict,
            sentence,
            outlook,
            monthly,
            unit: definition.unit,
            allocator: definition.allocator.allocator.name().to_owned(),
            currency: definition.currency,
            generated_at: input.now,
            as_of: input.watermark.at,
            watermark: input.watermark.position,
            weights_version: input.weights.as_ref().map(|weights| weights.version),
            started_at: experiment.started_at,
            concluded_at: experiment.concluded_at,
            first_exposed_at: input.first_exposed_at,
            last_exposed_at: input.last_exposed_at,
            rules: input.rules,
            health,
            variants,
            metrics,
        }
    }

    /// The metric that decides.
    pub fn primary(&self) -> Option<&MetricReport> {
        self.metrics.iter().find(|metric| metric.role == Role::Primary)
    }
}

/// Makes the strata of each metric ready, compares its variants and decides.
fn infer(input: &ReportInput<'_>) -> (Vec<Prepared>, Vec<(Compared, Decided)>) {
    let definition = &input.experiment.definition;
    let control_idx = definition.control_idx();
    let prepared: Vec<_> = input.metrics.iter().map(|metric| Prepared::of(metric, control_idx)).collect();
    let compared = input.metrics.iter().zip(&prepared);
    let compared: Vec<_> =
        compared.map(|(metric, prepared)| Compared::of(definition, metric, &prepared.sums)).collect();
    let planned_units = outlook::planned_units(input, compared.first());
    let decide = |(metric, (prepared, compared)): (&MetricFigures, (&Prepared, Compared))| {
        let decided = Decided::of(input, metric, (prepared, &compared), planned_units);
        (compared, decided)
    };
    let mut decided: Vec<_> = input.metrics.iter().zip(prepared.iter().zip(compared)).map(decide).collect();
    discoveries::announce(input, &mut decided);
    (prepared, decided)
}

/// How far the evidence goes.
fn stand(
    input: &ReportInput<'_>,
    (compared, decided): &(Compared, Decided),
    (verdict, outlook): (&Verdict, &Outlook),
    run_s: i64,
) -> Standing {
    let experiment = input.experiment;
    let is_served = |key: &&VariantKey| {
        let variants = &experiment.definition.variants;
        variants.iter().any(|variant| variant.key == **key && variant.is_active())
    };
    let harms = verdict.harming().iter().any(is_served);
    let matured_units: u64 = input.exposures.iter().map(|exposures| exposures.matured).sum();
    let is_over = outlook.is_over(decided, matured_units);
    let ended = matches!(experiment.status, Status::Concluded | Status::Archived);
    standing((compared, verdict), run_s, &input.rules, (harms, is_over, ended))
}

fn summaries(input: &ReportInput<'_>) -> Vec<VariantSummary> {
    let variants = input.experiment.definition.variants.iter().enumerate();
    let summary = |(variant_idx, variant): (usize, &Variant)| {
        let exposures = input.exposures.get(variant_idx).copied().unwrap_or_default();
        let weights = input.weights.as_ref();
        VariantSummary {
            key: variant.key.clone(),
            name: variant.title().to_owned(),
            control: variant.control,
            removed: !variant.is_active(),
            weight: weights.map(|weights| weights.shares.get(variant_idx).copied().unwrap_or(0.0)),
            units: exposures.observed,
            matured_units: exposures.matured,
        }
    };
    variants.map(summary).collect()
}

impl MetricReport {
    fn of(
        input: &ReportInput<'_>,
        metric: &MetricFigures,
        prepared: &Prepared,
        (compared, decided): (&Compared, &Decided),
    ) -> Self {
        let definition = &input.experiment.definition;
        let control_idx = definition.control_idx();
        let control = compared.variants.get(control_idx).and_then(|control| control.estimate);
        let variants = definition.variants.iter().zip(&compared.variants).enumerate();
        let period_values = prepared.period_values(metric.kind);
        let report = |(variant_idx, (variant, compared)): (usize, (&Variant, &ComparedVariant))| {
            let control = control.filter(|_| variant_idx != control_idx);
            VariantReport {
                enough: input.rules.are_met_by(&compared.matured),
                sequence: decided.sequences.get(variant_idx).copied().flatten(),
                capped_value: prepared.cap.and_then(|_| {
                    let (numerator, denominator) = fraction(metric.kind, &compared.capped);
                    quotient(numerator, denominator)
                }),
                period_value: period_values.get(variant_idx).copied().flatten(),
                corrected: if definition.is_adaptive() {
                    prepared.corrected(metric.kind, variant_idx)
                } else {
                    None
                },
                ..VariantReport::of(variant.key.clone(), metric.kind, compared, control)
            }
        };
        Self {
            metric: metric.choice.metric.clone(),
            title: metric.title.clone(),
            role: metric.role,
            kind: metric.kind,
            unit: metric.unit,
            currency: (metric.unit == ValueUnit::CurrencyMinor).then_some(definition.currency),
            direction: metric.direction,
            window_s: metric.window_s,
            available: metric.available,
            unreadable_units: metric.unreadable_units,
            gain: Gain::of(input, metric, compared),
            gain_over_control: Gain::over_control(input, metric, compared),
            cap: prepared.cap,
            history: prepared.history,
            factors: if metric.role == Role::Primary {
                Factors::of(definition, metric.kind, prepared)
            } else {
                None
            },
            variants: variants.map(report).collect(),
        }
    }
}

impl VariantReport {
    fn of(key: VariantKey, kind: MetricKind, compared: &ComparedVariant, control: Option<Estimate>) -> Self {
        let (numerator, denominator) = fraction(kind, &compared.observed);
        let (matured_numerator, matured_denominator) = fraction(kind, &compared.matured);
        let lift = compared.estimate.zip(control).map(|(estimate, control)| Lift::of(&estimate, &control));
        Self {
            key,
            units: compared.observed.n,
            nonzero_units: compared.observed.n_nonzero,
            numerator,
            denominator,
            value: quotient(numerator, denominator),
            matured_units: compared.matured.n,
            matured_nonzero_units: compared.matured.n_nonzero,
            enough: false,
            matured_numerator,
            matured_denominator,
            matured_value: quotient(matured_numerator, matured_denominator),
            interval: compared.interval.map(Interval::from),
            chance_best: compared.chance_best.map(f64::from),
            expected_loss: compared.expected_loss,
            chance_to_beat_control: compared.chance_to_beat_control.map(f64::from),
            lift,
            sequence: None,
            capped_value: None,
            period_value: None,
            corrected: None,
        }
    }
}

impl From<Range> for Interval {
    fn from(range: Range) -> Self {
        Self { low: range.low, high: range.high, level: LEVEL, method: range.method }
    }
}

impl Lift {
    fn of(estimate: &Estimate, control: &Estimate) -> Self {
        let relative =
            estimate.relative_to(control).filter(|range| range.low.is_finite() && range.high.is_finite());
        let absolute = estimate.difference_from(control);
        let difference = estimate.minus(control);
        let positive = 0.0 < estimate.value && 0.0 < control.value;
        Self {
            relative: positive.then(|| difference / control.value),
            low: relative.map(|range| range.low),
            high: relative.map(|range| range.high),
            method: relative.map(|range| range.method),
            absolute: difference,
            absolute_low: absolute.map(|range| range.low),
            absolute_high: absolute.map(|range| range.high),
            absolute_method: absolute.map(|range| range.method),
            level: LEVEL,
        }
    }
}
