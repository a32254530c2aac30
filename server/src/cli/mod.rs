//! The command line.

mod client;
mod config;
mod demo;
mod experiment;
mod explain;
mod key;
mod plan;
mod plugin;
mod rebuild;
mod replay;
mod report;
mod serve;
mod simulate;
mod span;

use clap::{Parser, Subcommand};
use std::io::{Read, Write};
use std::process::ExitCode;

/// Experiments and personalization for commerce.
#[derive(Debug, Parser)]
#[command(name = "podium", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Try Podium on two real logs and a simulated shop.
    Demo(demo::Demo),
    /// List, read, register, start, pause, conclude, undo or archive experiments.
    Experiment(experiment::ExperimentCommand),
    /// Print the report of an experiment.
    Report(report::ReportCommand),
    /// Say why a unit got what it got, or what it would get.
    Explain(explain::ExplainCommand),
    /// Say how many units and days an experiment needs, or what they find.
    Plan(plan::PlanCommand),
    /// Run an experiment many times on shoppers whose true rates are stated.
    Simulate(simulate::SimulateCommand),
    /// Judge another policy on a log of what was shown at which probability.
    Replay(replay::ReplayCommand),
    /// Make or list API keys, in the database itself.
    Key(key::KeyCommand),
    /// Write, check, try, install, upgrade, list and release plugins.
    Plugin(plugin::PluginCommand),
    /// Host one plugin for the server that starts this.
    #[command(hide = true)]
    PluginHost {
        /// The plugin.
        library: std::path::PathBuf,
    },
    /// Do one check of `podium plugin check`.
    #[command(hide = true)]
    PluginCheck(plugin::Alone),
    /// Fold the event log anew, or check that it gives what is there.
    Rebuild(rebuild::Rebuild),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// The exit code when something went wrong, as with wrong arguments; 1 means that a check found a difference.
pub(crate) const TROUBLE: u8 = 2;

/// One line that says what is wrong; the exit code is not zero.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CliError(pub(crate) String);

impl CliError {
    fn from_display(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Cli {
    /// The plugin to host, if this process is to do nothing else.
    pub(crate) fn hosted(&self) -> Option<&std::path::Path> {
        match &self.command {
            Command::PluginHost { library } => Some(library),
            _ => None,
        }
    }
}

/// Runs a command.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode, CliError> {
    match cli.command {
        Command::Serve(serve) => serve.run().await,
        Command::Demo(demo) => demo.run().await,
        Command::Experiment(command) => blocking(move || command.run()).await,
        Command::Explain(command) => blocking(move || command.run()).await,
        Command::Report(command) => blocking(move || command.run()).await,
        Command::Plan(command) => command.run(),
        Command::Simulate(command) => blocking(move || command.run()).await,
        Command::Replay(command) => blocking(move || command.run()).await,
        Command::Key(command) => command.run().await,
        Command::Plugin(command) => blocking(move || command.run()).await,
        Command::PluginCheck(alone) => Ok(alone.run()),
        Command::PluginHost { .. } => Err(CliError("this is for the server to start".to_owned())),
        Command::Rebuild(rebuild) => rebuild.run().await,
        Command::Completions { shell } => {
            let mut command = <Cli as clap::CommandFactory>::command();
            clap_complete::generate(shell, &mut command, "podium", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<ExitCode, CliError> + Send + 'static,
) -> Result<ExitCode, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(CliError::from_display)?
}

/// Reads a file, or standard input if it is `-`.
fn read(file: &str) -> Result<String, CliError> {
    let failed = |error: std::io::Error| CliError(format!("cannot read {file}: {error}"));
    if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(failed)
}

/// Says what went wrong, on standard error. If nobody listens any more, that is fine.
pub(crate) fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "podium: {text}");
}

/// Says something, on standard output. If nobody listens any more, that is fine.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::Cli;

    /// In a release, two arguments of one name would be taken for each other.
    #[test]
    fn no_argument_is_there_twice() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
