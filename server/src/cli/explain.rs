//! `podium explain`.

use super::client::Remote;
use super::{CliError, say};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Say why a unit got what it got, or what it would get.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainCommand {
    #[command(flatten)]
    remote: Remote,
    /// A decision that was logged.
    #[arg(value_name = "DECISION_ID", required_unless_present = "unit", conflicts_with = "unit")]
    decision: Option<String>,
    /// Whom to ask about; nothing is logged, and nothing counts.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// Which flag; all there are if absent. May be repeated.
    #[arg(long = "flag", value_name = "FLAG", requires = "unit")]
    flags: Vec<String>,
    /// What a client would say of the unit: a JSON object.
    #[arg(long, value_name = "JSON", requires = "unit")]
    context: Option<String>,
    /// At which moment, as in RFC 3339; now if absent.
    #[arg(long, value_name = "TIME", requires = "unit")]
    at: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ExplainCommand {
    /// Runs it.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let answer = match (&self.decision, &self.unit) {
            (Some(id), _) => {
                self.remote.send("GET", &format!("/api/v1/decisions/{id}/explain"), None, None)?
            }
            (None, unit) => {
                let body = self.question(unit.as_deref().unwrap_or_default())?;
                self.remote.send("POST", "/api/v1/preview", Some(&body.to_string()), None)?
            }
        };
        let body: Value = serde_json::from_str(&answer.body).map_err(CliError::from_display)?;
        if self.json {
            say(&serde_json::to_string_pretty(&body).map_err(CliError::from_display)?);
            return Ok(ExitCode::SUCCESS);
        }
        let lines = if self.decision.is_some() { of_decision(&body) } else { of_preview(&body) };
        for line in &lines {
            say(line);
        }
        Ok(ExitCode::SUCCESS)
    }

    fn question(&self, unit: &str) -> Result<Value, CliError> {
        let mut body = json!({ "unit": unit });
        if !self.flags.is_empty() {
            body["flags"] = json!(self.flags);
        }
        if let Some(context) = &self.context {
            let read = serde_json::from_str::<Value>(context);
            body["context"] = read.map_err(|error| CliError(format!("--context is no JSON: {error}")))?;
        }
        if let Some(at) = &self.at {
            body["at"] = json!(at);
        }
        Ok(body)
    }
}

/// Who got what, then how it came to that.
fn of_decision(body: &Value) -> Vec<String> {
    let [flag, unit, variant, reason, at] =
        ["flag", "unit", "variant", "reason", "decided_at"].map(|name| text(body, name));
    let mut lines = vec![format!("{flag}: `{unit}` got `{variant}` ({reason}) at {at}")];
    lines.extend(list(body, "steps").filter_map(Value::as_str).map(|step| format!("  {step}")));
    if let Some(agrees) = body.get("agrees").and_then(Value::as_bool) {
        let same = if agrees { "the same" } else { "something else" };
        lines.push(format!("  computed again, it comes to {same}"));
    }
    lines
}

/// For each flag who would get what, then all that may answer.
fn of_preview(body: &Value) -> Vec<String> {
    let (unit, mut lines) = (text(body, "unit"), Vec::new());
    for flag in list(body, "flags") {
        let nothing = Value::Null;
        let answer = flag.get("answer").unwrap_or(&nothing);
        let [name, variant, reason] = ["flag", "variant", "reason"].map(|name| text(answer, name));
        let from = [text(answer, "experience"), text(answer, "experiment")];
        let from = from.into_iter().find(|key| !key.is_empty()).unwrap_or("nothing");
        lines.push(format!("{name}: `{unit}` would get `{variant}` ({reason}) of {from}"));
        let holdout = flag.get("holdout").unwrap_or(&nothing);
        if holdout.get("held_out").and_then(Value::as_bool).unwrap_or_default() {
            lines.push(format!("  held out of every treatment by {}", text(holdout, "experiment")));
        }
        for experience in list(flag, "experiences") {
            of_experience(experience, &mut lines);
        }
        if let Some(experiment) = flag.get("experiment") {
            of_experiment(experiment, &mut lines);
        }
    }
    lines
}

fn of_experience(experience: &Value, lines: &mut Vec<String>) {
    let is = |name: &str| experience.get(name).and_then(Value::as_bool).unwrap_or_default();
    let out_of_time = if is("in_time") { "" } else { ", out of its time" };
    let dismissed = if is("dismissed") { ", closed by the shopper" } else { "" };
    let priority = experience.get("priority").and_then(Value::as_i64).unwrap_or_default();
    let (key, status) = (text(experience, "key"), text(experience, "status"));
    lines.push(format!("  experience {key}: {status}, priority {priority}{out_of_time}{dismissed}"));
    for rule in list(experience, "rules") {
        let hits = match rule.get("hits").and_then(Value::as_bool) {
            Some(true) => "hits",
            Some(false) => "does not hit",
            None => "cannot be told",
        };
        lines.push(format!("    rule {} for `{}` {hits}", text(rule, "key"), text(rule, "serve")));
        clause(rule.get("condition"), 6, lines);
    }
}

fn of_experiment(experiment: &Value, lines: &mut Vec<String>) {
    let is = |name: &str| experiment.get(name).and_then(Value::as_bool).unwrap_or_default();
    let running = if is("running") { "runs" } else { "does not run" };
    let shadow = if is("shadow") { ", in the shadow" } else { "" };
    lines.push(format!("  experiment {} {running}{shadow}", text(experiment, "key")));
    clause(experiment.get("condition"), 4, lines);
    for name in ["slot", "traffic"] {
        let Some(place) = experiment.get("places").and_then(|places| places.get(name)) else { continue };
        let [at, start, end] =
            ["at", "start", "end"].map(|name| place.get(name).and_then(Value::as_f64).unwrap_or_default());
        lines.push(format!("    its place in the {name} is {at:.6}; {start} to below {end} is in"));
    }
    for weight in list(experiment, "weights") {
        let share = weight.get("weight").and_then(Value::as_f64).unwrap_or_default();
        lines.push(format!("    `{}` has weight {share:.4}", text(weight, "variant")));
    }
    for (name, what) in [("earlier", "was assigned"), ("assigned", "is assigned")] {
        if let Some(one) = experiment.get(name).filter(|one| !one.is_null()) {
            let version = one.get("weights_version").and_then(Value::as_u64).unwrap_or_default();
            let unit = text(experiment, "drawn_for");
            lines.push(format!("    `{unit}` {what} `{}` under version {version}", text(one, "variant")));
        }
    }
}

/// A condition with what was found at each of its parts.
fn clause(clause_body: Option<&Value>, indent: usize, lines: &mut Vec<String>) {
    let Some(body) = clause_body.filter(|body| !body.is_null()) else { return };
    let mark = match body.get("holds").and_then(Value::as_bool) {
        Some(true) => "+",
        Some(false) => "-",
        None => "?",
    };
    let (wanted, found) = (text(body, "wanted"), text(body, "found"));
    lines.push(format!("{:indent$}{mark} {wanted}: {found}", ""));
    list(body, "clauses").for_each(|part| clause(Some(part), indent + 2, lines));
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
