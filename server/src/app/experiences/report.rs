//! What came of each rule of an experience.

use super::ExperienceError;
use crate::app::{App, now, window_s};
use crate::engine;
use crate::store::{StoreError, experiences, stats};
use podium_core::experience::{Definition, Experience};
use podium_core::id::{ExperienceKey, ExperimentKey, RuleKey, VariantKey};
use podium_core::metric::{Direction, MetricKind, ValueUnit, VariantSums};
use podium_core::money::Currency;
use podium_core::projection::{MetricSlot, has_matured};
use podium_core::report::{Interval, fraction, intervals, quotient};
use podium_core::time::Timestamp;
use sea_orm::ConnectionTrait;
use serde::Serialize;

/// What came of each rule of an experience. Rules are not compared: who meets which is no chance.
#[derive(Debug, Serialize)]
pub(crate) struct RulesReport {
    pub(crate) experience: ExperienceKey,
    pub(crate) generated_at: Timestamp,
    /// The metric of the goal; none if nothing is counted but units.
    pub(crate) metric: Option<String>,
    pub(crate) kind: Option<MetricKind>,
    pub(crate) unit: Option<ValueUnit>,
    pub(crate) currency: Option<Currency>,
    pub(crate) window_s: Option<i64>,
    /// The rules in their order, and at last the fallback.
    pub(crate) rules: Vec<RuleReport>,
}

/// What came of a rule.
#[derive(Debug, Serialize)]
pub(crate) struct RuleReport {
    /// Its key; none of the fallback.
    pub(crate) rule: Option<RuleKey>,
    pub(crate) name: Option<String>,
    /// The variant that it serves; none if an experiment decides.
    pub(crate) serve: Option<VariantKey>,
    /// The experiment that decides.
    pub(crate) serve_experiment: Option<ExperimentKey>,
    /// Where the report of that experiment is: what won among whom the rule hit.
    pub(crate) report: Option<String>,
    /// Units that it hit.
    pub(crate) units: i64,
    /// Of these, units whose numerator is not zero.
    pub(crate) conversions: i64,
    /// The sum over the units, in the metric's unit.
    pub(crate) numerator: i128,
    /// What it is divided by: the denominators' sum for ratios, else the units.
    pub(crate) denominator: i128,
    /// `numerator / denominator`.
    pub(crate) value: Option<f64>,
    /// Units whose window has passed.
    pub(crate) matured_units: i64,
    /// The same as `value` of these.
    pub(crate) matured_value: Option<f64>,
    /// Where the true value is believed to be, from these.
    pub(crate) interval: Option<Interval>,
}

/// The sums of one rule.
#[derive(Clone, Copy, Default)]
struct Counted {
    exposed: i64,
    observed: VariantSums,
    matured: VariantSums,
}

impl App {
    /// Makes the report of an experience from what is committed.
    pub(crate) async fn rules_report(&self, key: &str) -> Result<RulesReport, ExperienceError> {
        let found = experiences::find(self.store.reader(), key).await?;
        let experience = found.ok_or_else(|| ExperienceError::NotFound(key.to_owned()))?;
        let Definition { goal, currency, rules, fallback, .. } = &experience.definition;
        let info = goal.as_ref().and_then(|goal| self.published.registry.find(&goal.metric));
        let kind = info.map_or(MetricKind::Mean, engine::kind);
        let own = info.map(engine::direction);
        let direction = goal.as_ref().and_then(|goal| goal.direction).or(own).unwrap_or(Direction::Increase);
        let window_s = goal.as_ref().map(|goal| window_s(goal, info));
        let now = now();
        let counted = self.counted(&experience, (window_s, now)).await?;
        let matured: Vec<_> = counted.iter().map(|counted| counted.matured).collect();
        let intervals =
            if goal.is_some() { intervals(kind, direction, &matured) } else { vec![None; matured.len()] };
        let named = rules.iter().map(|rule| {
            let serves = (rule.serve.as_ref(), rule.serve_experiment.as_ref());
            (Some(&rule.key), rule.name.as_ref(), serves)
        });
        let named = named.chain(std::iter::once((None, None, (Some(fallback), None))));
        let rows = named.zip(counted.into_iter().zip(intervals));
        let unit = info.map_or(ValueUnit::Plain, engine::unit);
        Ok(RulesReport {
            experience: experience.key.clone(),
            generated_at: now,
            metric: goal.as_ref().map(|goal| goal.metric.clone()),
            kind: goal.as_ref().map(|_| kind),
            unit: goal.as_ref().map(|_| unit),
            currency: (goal.is_some() && unit == ValueUnit::CurrencyMinor).then_some(*currency),
            window_s,
            rules: rows
                .map(|((rule, name, (serve, experiment)), (counted, interval))| {
                    let (numerator, denominator) = fraction(kind, &counted.observed);
                    let (matured_numerator, matured_denominator) = fraction(kind, &counted.matured);
                    RuleReport {
                        rule: rule.cloned(),
                        name: name.cloned(),
                        serve: serve.cloned(),
                        serve_experiment: experiment.cloned(),
                        report: experiment.map(|key| format!("/api/v1/experiments/{key}/report")),
                        units: counted.exposed,
                        conversions: counted.observed.n_nonzero,
                        numerator,
                        denominator,
                        value: quotient(numerator, denominator),
                        matured_units: counted.matured.n,
                        matured_value: quotient(matured_numerator, matured_denominator),
                        interval,
                    }
                })
                .collect(),
        })
    }

    async fn counted(
        &self,
        experience: &Experience,
        (window_s, now): (Option<i64>, Timestamp),
    ) -> Result<Vec<Counted>, StoreError> {
        // All of it is of one moment.
        let snapshot = self.store.snapshot().await?;
        let known = experiences::figures(&snapshot, experience.id).await?;
        let mut all = Vec::new();
        for rule in experiences::parts(&experience.definition) {
            let figures = experiences::current(&known, experience, rule);
            all.push(match figures {
                Some(figures) => sums(&snapshot, figures, (window_s, now)).await?,
                None => Counted::default(),
            });
        }
        snapshot.commit().await?;
        Ok(all)
    }
}

async fn sums(
    db: &impl ConnectionTrait,
    figures: &experiences::RuleFigures,
    (window_s, now): (Option<i64>, Timestamp),
) -> Result<Counted, StoreError> {
    let mut counted = Counted::default();
    for (key, sums) in stats::sums(db, Some(figures.id)).await? {
        match key.slot {
            MetricSlot::Exposures => counted.exposed += sums.n,
            MetricSlot::Metric(0) => {
                counted.observed.merge(&sums);
                if window_s.is_some_and(|window_s| has_matured(key.bucket, window_s, now)) {
                    counted.matured.merge(&sums);
                }
            }
            _ => {}
        }
    }
    Ok(counted)
}
