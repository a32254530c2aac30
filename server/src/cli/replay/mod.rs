//! `podium replay`.

mod log;
mod policy;

use super::{CliError, say};
use crate::progress::Progress;
use clap::Args;
use log::{Columns, Log};
use podium_core::inference::moments::Moments;
use podium_core::probability::Probability;
use podium_core::replay::{Estimate, Evaluation, Judge, Policy, Replay, Resampling};
use podium_core::report::wording::count;
use policy::PolicyFile;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use serde::Serialize;
use std::process::ExitCode;

/// The normal quantile of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Judge another policy on a log of what was shown at which probability.
///
/// The log is CSV with a header line, or one JSON object a line. The policy is a JSON file with `weights` by variant,
/// perhaps other ones `by_context`, or with an `allocator` as experiments have it, which learns from the log as it goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayCommand {
    /// The log, or `-` for standard input.
    log: String,
    /// The policy.
    #[arg(long, value_name = "FILE")]
    policy: String,
    /// Columns with what was known before, where the policy looks at it or rewards depend on it.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    context: Vec<String>,
    /// The column with the variant.
    #[arg(long, value_name = "COLUMN", default_value = "variant")]
    variant: String,
    /// The column with the probability at which the variant was shown.
    #[arg(long, value_name = "COLUMN", default_value = "propensity")]
    propensity: String,
    /// The column with what it brought.
    #[arg(long, value_name = "COLUMN", default_value = "reward")]
    reward: String,
    /// How often rows are drawn anew for the bootstrap intervals.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    resamples: u32,
    /// Which rows are drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What a log says of a policy.
#[derive(Serialize)]
struct Answer {
    policy: String,
    n_variants: usize,
    n_contexts: usize,
    /// What the log's own policy brought, per row.
    logged_mean: f64,
    #[serde(flatten)]
    evaluation: Evaluation,
    /// Why there are no estimates.
    #[serde(skip_serializing_if = "Option::is_none")]
    too_little: Option<String>,
    /// Only where the log is even.
    rejection: Option<Rejection>,
}

/// A replay by rejection.
#[derive(Serialize)]
struct Rejection {
    /// How many rows counted.
    n_rows: u64,
    /// Their mean reward; none of none.
    value: Option<f64>,
    /// Its 95 % interval: exact where rewards are 0 and 1, else normal.
    interval: Option<(f64, f64)>,
}

impl ReplayCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let file = PolicyFile::read(&super::read(&self.policy)?)
            .map_err(|CliError(detail)| CliError(format!("{}: {detail}", self.policy)))?;
        let columns = Columns {
            variant: self.variant.clone(),
            propensity: self.propensity.clone(),
            reward: self.reward.clone(),
            context: self.context.clone(),
        };
        let log = Log::read(&super::read(&self.log)?, &columns)
            .map_err(|CliError(detail)| CliError(format!("{}: {detail}", self.log)))?;
        let policy = file
            .policy(&log, &columns)
            .map_err(|CliError(detail)| CliError(format!("{}: {detail}", self.policy)))?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let evaluation = self.evaluated(&log, policy.clone(), &mut rng)?;
        let rejection = if log.is_even() { Some(rejection(&log, policy, &mut rng)?) } else { None };
        let answer = Answer {
            policy: file.title(),
            n_variants: log.variants.len(),
            n_contexts: log.contexts.len(),
            logged_mean: log.mean_reward(),
            too_little: evaluation.too_little().map(|reason| reason.to_string()),
            evaluation,
            rejection,
        };
        if self.json {
            say(&serde_json::to_string_pretty(&answer).map_err(CliError::from_display)?);
        } else {
            for line in lines(&answer) {
                say(&line);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn evaluated(
        &self,
        log: &Log,
        policy: Policy,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Evaluation, CliError> {
        let mut judge = Judge::new(policy, log.variants.len(), log.contexts.len());
        let progress = Progress::of("Judging rows", log.rows.len());
        for row in &log.rows {
            judge.read(row).map_err(CliError::from_display)?;
            progress.advance(1);
        }
        progress.finish();
        let level = Probability::new(0.95).map_err(CliError::from_display)?;
        let progress = Progress::of("Drawing rows anew", self.resamples as usize);
        let resampling = Resampling { n: self.resamples, level };
        let mut evaluation = Evaluation::of(judge.rows(), resampling, rng, || progress.advance(1));
        progress.finish();
        if let Some(estimates) = &mut evaluation.estimates {
            for estimate in [&mut estimates.ips, &mut estimates.snips, &mut estimates.dr] {
                *estimate = in_units(estimate, log.scale);
            }
        }
        Ok(evaluation)
    }
}

/// An estimate in the log's own units.
fn in_units(estimate: &Estimate, scale: f64) -> Estimate {
    let of = |(low, high): (f64, f64)| (low / scale, high / scale);
    Estimate {
        value: estimate.value / scale,
        standard_error: estimate.standard_error / scale,
        normal: of(estimate.normal),
        bootstrap: of(estimate.bootstrap),
    }
}

fn rejection(log: &Log, policy: Policy, rng: &mut Xoshiro256PlusPlus) -> Result<Rejection, CliError> {
    let mut replay = Replay::new(policy, log.variants.len());
    let progress = Progress::of("Replay by rejection", log.rows.len());
    for row in &log.rows {
        replay.offer(row, rng).map_err(CliError::from_display)?;
        progress.advance(1);
    }
    progress.finish();
    let rate = replay.rate();
    if log.is_binary {
        return Ok(Rejection { n_rows: rate.n, value: rate.value(), interval: Some(rate.interval()) });
    }
    let cell = Moments::of(&replay.sums()).numerators();
    let error = cell.variance().map(|variance| (variance / cell.n).sqrt());
    let interval = error.map(|error| (cell.mean - Z * error, cell.mean + Z * error));
    Ok(Rejection {
        n_rows: rate.n,
        value: (0 < rate.n).then_some(cell.mean / log.scale),
        interval: interval.map(|(low, high)| (low / log.scale, high / log.scale)),
    })
}

fn lines(answer: &Answer) -> Vec<String> {
    let evaluation = &answer.evaluation;
    let rows = count(evaluation.n_rows.into());
    let figure = |value: f64| format!("{value:.6}");
    let mut lines = vec![
        format!("policy      {}, on {rows} rows of {} variants", answer.policy, answer.n_variants),
        format!("log         {} a row under its own policy", figure(answer.logged_mean)),
        format!(
            "worth       {} rows of this policy; the heaviest row has {:.2} % of the weight",
            count(evaluation.n_effective.round() as i128),
            100.0 * evaluation.largest_share
        ),
    ];
    if let Some(estimates) = evaluation.estimates {
        for (name, estimate) in [("IPS", estimates.ips), ("SNIPS", estimates.snips), ("DR", estimates.dr)] {
            let Estimate { value, normal, bootstrap, .. } = estimate;
            lines.push(format!(
                "{name:<11} {} ({} to {}; bootstrap {} to {})",
                figure(value),
                figure(normal.0),
                figure(normal.1),
                figure(bootstrap.0),
                figure(bootstrap.1)
            ));
        }
    }
    lines.extend(answer.too_little.iter().map(|reason| format!("no number   {reason}")));
    match &answer.rejection {
        Some(Rejection { n_rows, value: Some(value), interval }) => {
            let between = interval
                .map_or_else(String::new, |(low, high)| format!(" ({} to {})", figure(low), figure(high)));
            let rows = count((*n_rows).into());
            lines.push(format!("rejection   {}{between} from the {rows} rows that count", figure(*value)));
        }
        Some(_) => lines.push("rejection   no row counts".to_owned()),
        None => lines.push("rejection   the log is not even: it cannot be replayed so".to_owned()),
    }
    lines
}

#[cfg(test)]
mod tests;
