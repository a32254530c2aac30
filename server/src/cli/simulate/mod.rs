//! `podium simulate`.

mod experiment;

use super::client::Remote;
use super::{CliError, say};
use crate::progress::Progress;
use clap::Args;
use experiment::Simulated;
use podium_core::report::wording::{Style, count, percent, span};
use podium_core::simulate::{Figure, Outcome, Summary, Trial};
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use serde::Serialize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

/// Run an experiment many times on shoppers whose true rates are stated.
///
/// It is run as it is registered: its allocator, its minimal run, its plan, and a look at the verdict every day.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimulateCommand {
    #[command(flatten)]
    remote: Remote,
    /// A file as it is registered (`-` for standard input), or the key of a registered experiment.
    experiment: String,
    /// The true rate of each variant: the share of units that convert or order.
    #[arg(long, value_name = "RATES", value_delimiter = ',', required = true)]
    rates: Vec<f64>,
    /// What orders are worth: the median in the currency's major unit, and the standard deviation of the log; once for
    /// all variants, or once for each.
    #[arg(long, value_name = "MEDIAN,LOGSD")]
    order_value: Vec<String>,
    /// Units that come in a day.
    #[arg(long, value_name = "N/DAY", default_value = "1000", value_parser = per_day)]
    traffic: u64,
    /// For how many days.
    #[arg(long, value_name = "D", default_value_t = 28, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// How long after a unit came its reward is known, such as `3d` or `12h`; the window of the metric if absent, for
    /// which only a server can be asked where the experiment does not say it: three days then.
    #[arg(long, value_name = "TIME", value_parser = super::span::seconds)]
    delay: Option<i64>,
    /// By how much rates change each day, relative to the day before, such as -0.01; once for all variants, or for
    /// each.
    #[arg(long, value_name = "CHANGES", value_delimiter = ',', allow_hyphen_values = true)]
    drift: Vec<f64>,
    /// How often it is run.
    #[arg(long, value_name = "R", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    runs: u64,
    /// Which shoppers come.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What the runs came to.
#[derive(Serialize)]
struct Answer {
    experiment: String,
    metric: &'static str,
    variants: Vec<String>,
    seed: u64,
    days: u32,
    units_per_day: u64,
    planned_units: f64,
    delay_s: i64,
    /// What nobody said of the metric and was taken to be so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    assumed: Vec<String>,
    #[serde(flatten)]
    summary: Summary,
    regret_of_even_split: f64,
}

fn per_day(text: &str) -> Result<u64, String> {
    let n: u64 = text.trim_end_matches("/day").parse().map_err(|_| "a number of units, such as 1000/day")?;
    if (1..=100_000_000).contains(&n) { Ok(n) } else { Err("1 to 100,000,000 units a day".to_owned()) }
}

impl SimulateCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let simulated = Simulated::of(&self)?;
        let outcomes = run_all(&simulated.trial, self.runs, self.seed)?;
        let summary = Summary::of(&outcomes, simulated.variants.len());
        let summary = summary.ok_or_else(|| CliError("there was no run".to_owned()))?;
        let answer = Answer {
            experiment: simulated.key,
            metric: simulated.metric,
            variants: simulated.variants,
            seed: self.seed,
            days: self.days,
            units_per_day: simulated.trial.units_per_day,
            planned_units: simulated.trial.planned_units,
            delay_s: simulated.delay_s,
            assumed: simulated.assumed,
            regret_of_even_split: simulated.trial.regret_of_even_split(),
            summary,
        };
        if self.json {
            say(&serde_json::to_string_pretty(&answer).map_err(CliError::from_display)?);
        } else {
            for line in lines(&answer, simulated.style) {
                say(&line);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Runs a trial on all processors; which one gets which run changes nothing.
fn run_all(trial: &Trial, n_runs: u64, seed: u64) -> Result<Vec<Outcome>, CliError> {
    let progress = Progress::of("Simulating runs", usize::try_from(n_runs).unwrap_or(usize::MAX));
    let next = AtomicU64::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if n_runs <= run {
                return Ok(done);
            }
            // Far apart, so that the runs of neighboring seeds have no shoppers in common.
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed.rotate_left(32) ^ run);
            let outcome = trial.run(&mut rng).map_err(CliError::from_display)?;
            done.push((run, outcome));
            progress.advance(1);
        }
    };
    let n_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(CliError("a simulated run panicked".to_owned())))
        });
        let parts: Result<Vec<Vec<_>>, CliError> = joined.collect();
        parts.map(|parts| parts.into_iter().flatten().collect::<Vec<_>>())
    })?;
    progress.finish();
    done.sort_unstable_by_key(|(run, _)| *run);
    Ok(done.into_iter().map(|(_, outcome)| outcome).collect())
}

fn lines(answer: &Answer, style: Style) -> Vec<String> {
    let Summary { n_runs, regret, share_of_best, winner, false_winner, days_to_winner, n_wins } =
        &answer.summary;
    let share = |Figure { value, low, high }: Figure| {
        format!("{} ({} to {})", percent(value), percent(low), percent(high))
    };
    let loss = |value: f64| style.amount(value).trim_start_matches('+').to_owned();
    let wins: Vec<_> =
        answer.variants.iter().zip(n_wins).map(|(key, n)| format!("{key} {}", count((*n).into()))).collect();
    let [value, low, high] = [days_to_winner.value, days_to_winner.low, days_to_winner.high]
        .map(|day| day.map_or_else(|| format!("after day {}", answer.days), |day| format!("day {day}")));
    let units = |n: u64| count(n.into());
    let mut lines = vec![
        format!(
            "{}: {}, {} units a day for {} days, known after {}, {} runs",
            answer.experiment,
            answer.metric,
            units(answer.units_per_day),
            answer.days,
            span(answer.delay_s),
            units(*n_runs)
        ),
        format!(
            "regret           {} a run ({} to {}); an even split loses {}",
            loss(regret.value),
            loss(regret.low),
            loss(regret.high),
            loss(answer.regret_of_even_split)
        ),
        format!("share of best    {} of units", share(*share_of_best)),
        format!("winner           {} of runs: {}", share(*winner), wins.join(", ")),
        format!("false winner     {} of runs", share(*false_winner)),
        format!("time to winner   {value} in half of the runs ({low} to {high})"),
    ];
    lines.extend(answer.assumed.iter().map(|assumed| format!("assumed          {assumed}")));
    lines
}

#[cfg(test)]
mod tests;
