//! `podium plan`.

use super::{CliError, say};
use crate::app::{Plan, PlanRequest};
use clap::Args;
use podium_core::inference::power::Looks;
use podium_core::report::wording::{count, signed_percent};
use std::process::ExitCode;

/// Say how many units and days an experiment needs, or what they find. Needs no server.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanCommand {
    /// The control's rate, such as 0.03.
    #[arg(long, value_name = "RATE", required_unless_present = "mean")]
    rate: Option<f64>,
    /// The control's mean or ratio, where the metric is no rate.
    #[arg(
        long,
        value_name = "MEAN",
        conflicts_with = "rate",
        requires = "sd",
        allow_negative_numbers = true
    )]
    mean: Option<f64>,
    /// The standard deviation of a unit's value.
    #[arg(long, value_name = "SD", requires = "mean")]
    sd: Option<f64>,
    #[command(flatten)]
    question: QuestionArgs,
    /// How many variants there are with the control.
    #[arg(long, value_name = "N", default_value_t = 2)]
    variants: usize,
    /// The chance of a false alarm.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    alpha: f64,
    /// The chance to find the lift.
    #[arg(long, value_name = "SHARE", default_value_t = 0.8)]
    power: f64,
    /// Look at the data once, at the end, and not as often as you like.
    #[arg(long)]
    once: bool,
    /// How many units come in a day, all variants together.
    #[arg(long, value_name = "UNITS")]
    traffic: Option<f64>,
    /// How long after its first exposure a unit's events count, such as `3d` or `12h`.
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = super::span::seconds)]
    window: i64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is asked.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
struct QuestionArgs {
    /// The relative difference to be found, such as 0.1.
    #[arg(long, value_name = "LIFT", allow_negative_numbers = true)]
    lift: Option<f64>,
    /// How many units each variant gets.
    #[arg(long, value_name = "UNITS")]
    units: Option<u64>,
    /// How many days it runs.
    #[arg(long, value_name = "DAYS", requires = "traffic")]
    days: Option<f64>,
}

impl PlanCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let request = PlanRequest {
            baseline: self.rate.or(self.mean).unwrap_or_default(),
            sd: self.sd,
            lift: self.question.lift,
            units_per_variant: self.question.units,
            days: self.question.days,
            n_variants: self.variants,
            alpha: self.alpha,
            power: self.power,
            looks: if self.once { Looks::Once } else { Looks::Always },
            units_per_day: self.traffic,
            window_s: self.window,
        };
        let told = |fault: podium_core::experiment::Fault| {
            CliError(format!("{}: {}", option_of(&fault.pointer), fault.detail))
        };
        let plan = request.plan().map_err(told)?;
        if self.json {
            say(&serde_json::to_string_pretty(&plan).map_err(CliError::from_display)?);
        } else {
            for line in lines(&plan) {
                say(&line);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The option that a member of a request comes from.
fn option_of(pointer: &str) -> &str {
    match pointer {
        "/baseline" => "--rate",
        "/units_per_variant" => "--units",
        "/n_variants" => "--variants",
        "/units_per_day" => "--traffic",
        "/window_s" => "--window",
        _ => pointer.trim_start_matches('/'),
    }
}

fn lines(plan: &Plan) -> Vec<String> {
    let counted = |units: u64| count(units.into());
    let found = match (plan.lift, plan.difference) {
        (Some(lift), _) => format!("a lift of {}", signed_percent(lift)),
        (None, Some(difference)) => format!("a difference of {difference}"),
        (None, None) => "no difference that can be: too few units".to_owned(),
    };
    let mut lines = vec![
        format!("finds      {found}"),
        format!("units      {} a variant, {} in all", counted(plan.units_per_variant), counted(plan.units)),
    ];
    if let Some(once) = plan.units_per_variant_once {
        let times = plan.units_per_variant as f64 / once.max(1) as f64;
        lines.push(format!(
            "one look   {} a variant: looking as often as one likes costs {times:.2} times as many",
            counted(once)
        ));
    }
    if let Some(days) = plan.days {
        lines
            .push(format!("days       {}, the window of the last unit included", count(days.ceil() as i128)));
    }
    lines
}
