//! The `podium` binary: an experimentation server, and the command line beside it.

mod api;
mod app;
mod auth;
mod catalog;
mod cli;
mod clock;
mod delivery;
mod demo;
mod engine;
mod external;
mod ingest;
mod limits;
mod links;
mod ofrep;
mod origin;
mod outgoing;
mod problem;
mod progress;
mod report_page;
mod rulebook;
mod secrets;
mod shoppers;
mod store;
mod telemetry;
mod tracking_protocol;
mod webhooks;

use clap::Parser;
use std::process::ExitCode;

/// Events are made by one thread and dropped by another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = cli::Cli::parse();
    if let Some(library) = command.hosted() {
        return match podium_plugin_host::serve(library) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                cli::say_error(&error.to_string());
                ExitCode::from(cli::TROUBLE)
            }
        };
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            cli::say_error(&format!("cannot start threads: {error}"));
            return ExitCode::from(cli::TROUBLE);
        }
    };
    match runtime.block_on(cli::run(command)) {
        Ok(code) => code,
        Err(error) => {
            cli::say_error(&error.to_string());
            ExitCode::from(cli::TROUBLE)
        }
    }
}
