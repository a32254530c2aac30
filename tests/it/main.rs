//! What Podium promises, tried on the real binary over HTTP and the command line, on both databases.
//!
//! Each test is named for what it promises. `PODIUM_PROFILE=full` tries the same on more data. A promise that
//! this machine cannot try is listed as skipped, with the need in its name and again at the end.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that panics has failed, and says why on the terminal"
)]
#![expect(clippy::cast_possible_wrap, reason = "counts here are far below 2^63")]

#[path = "../harness/mod.rs"]
mod harness;

mod audience_form;
mod audiences;
mod authors;
mod automation;
mod bandit;
mod cells;
mod clients_ofrep;
mod clients_segment;
mod cross_origin;
mod debugger;
mod decisions;
mod delivery;
mod durability;
mod experiences;
mod experiments;
mod explain;
mod exposure_hook;
mod exposures;
mod external;
mod external_limits;
mod figures;
mod history;
mod holdout;
mod identity;
mod isolation;
mod joins;
mod keys;
mod messages;
mod migrations;
mod ofrep;
mod ofrep_limits;
mod ofrep_refusals;
mod ofrep_stream;
mod operations;
mod orders;
mod overload;
mod planning;
mod plugins;
mod preview;
mod preview_links;
mod profiles;
mod python_client;
mod rule_figures;
mod schedule;
mod shadow;
mod slots;
mod tidy;
mod told;
mod tracking;
mod upgrades;
mod value_types;
mod verdicts;
mod webhooks;
mod wrong_audiences;
mod wrong_channels;
mod wrong_conditions;
mod wrong_events;
mod wrong_experiences;
mod wrong_messages;
mod wrong_requests;
mod wrong_sources;
mod wrong_suppressions;

fn main() -> std::process::ExitCode {
    let mut book = harness::Book::default();
    audience_form::promises(&mut book);
    audiences::promises(&mut book);
    authors::promises(&mut book);
    automation::promises(&mut book);
    bandit::promises(&mut book);
    cells::promises(&mut book);
    clients_ofrep::promises(&mut book);
    clients_segment::promises(&mut book);
    cross_origin::promises(&mut book);
    debugger::promises(&mut book);
    decisions::promises(&mut book);
    delivery::promises(&mut book);
    durability::promises(&mut book);
    experiences::promises(&mut book);
    experiments::promises(&mut book);
    explain::promises(&mut book);
    exposure_hook::promises(&mut book);
    exposures::promises(&mut book);
    external::promises(&mut book);
    external_limits::promises(&mut book);
    figures::promises(&mut book);
    history::promises(&mut book);
    holdout::promises(&mut book);
    identity::promises(&mut book);
    isolation::promises(&mut book);
    joins::promises(&mut book);
    keys::promises(&mut book);
    messages::promises(&mut book);
    migrations::promises(&mut book);
    ofrep::promises(&mut book);
    ofrep_limits::promises(&mut book);
    ofrep_refusals::promises(&mut book);
    ofrep_stream::promises(&mut book);
    operations::promises(&mut book);
    orders::promises(&mut book);
    overload::promises(&mut book);
    planning::promises(&mut book);
    plugins::promises(&mut book);
    preview_links::promises(&mut book);
    profiles::promises(&mut book);
    preview::promises(&mut book);
    python_client::promises(&mut book);
    rule_figures::promises(&mut book);
    schedule::promises(&mut book);
    shadow::promises(&mut book);
    slots::promises(&mut book);
    tidy::promises(&mut book);
    told::promises(&mut book);
    tracking::promises(&mut book);
    upgrades::promises(&mut book);
    value_types::promises(&mut book);
    verdicts::promises(&mut book);
    webhooks::promises(&mut book);
    wrong_audiences::promises(&mut book);
    wrong_channels::promises(&mut book);
    wrong_conditions::promises(&mut book);
    wrong_events::promises(&mut book);
    wrong_experiences::promises(&mut book);
    wrong_messages::promises(&mut book);
    wrong_requests::promises(&mut book);
    wrong_sources::promises(&mut book);
    wrong_suppressions::promises(&mut book);
    book.run()
}
