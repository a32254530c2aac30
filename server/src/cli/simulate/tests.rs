use super::super::Cli;
use super::*;
use clap::Parser;

#[derive(Parser)]
struct Probe {
    #[command(flatten)]
    command: SimulateCommand,
}

const DEFINITION: &str = r#"{
    "key": "buy-button", "primary_metric": {"metric": "METRIC", "margin": 0.1},
    "variants": [{"key": "control"}, {"key": "red", "weight": 3}, {"key": "old", "removed_at": "2026-01-01T00:00:00Z"}],
    "allocator": {"type": "thompson"}, "traffic": 0.5, "min_run_s": 172800
}"#;

/// The command with these arguments, on a registration of its own.
fn command(metric: &str, arguments: &[&str]) -> (tempfile::Registration, SimulateCommand) {
    let file = tempfile::Registration::of(&DEFINITION.replace("METRIC", metric));
    let all = ["simulate", file.path()].into_iter().chain(arguments.iter().copied());
    let command = Probe::try_parse_from(all).map(|probe| probe.command).unwrap();
    (file, command)
}

fn simulated(metric: &str, arguments: &[&str]) -> Result<Simulated, String> {
    let (_file, command) = command(metric, arguments);
    Simulated::of(&command).map_err(|CliError(detail)| detail)
}

/// A file that is deleted with the test.
mod tempfile {
    pub(super) struct Registration(std::path::PathBuf);

    impl Registration {
        pub(super) fn of(text: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("podium-simulate-{:016x}.json", rand::random::<u64>()));
            std::fs::write(&path, text).unwrap();
            Self(path)
        }

        pub(super) fn path(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for Registration {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

#[test]
fn an_experiment_is_run_as_it_is_registered() {
    let found = simulated("conversion", &["--rates", "0.03,0.036", "--traffic", "3000/day"]).unwrap();
    assert_eq!((found.key.as_str(), found.metric, found.delay_s), ("buy-button", "conversion", 259_200));
    assert_eq!(found.variants, ["control", "red"]);
    let Trial { shares, units_per_day, n_days, units_per_version, planned_units, config, .. } = &found.trial;
    assert_eq!((units_per_day, n_days, units_per_version), (&1_500, &28, &500));
    assert_eq!((shares, config.allocator.name()), (&vec![1.0, 3.0], "thompson"));
    assert!((found.trial.min_days - 2.0).abs() < 1e-12);
    // Ten percent of 3 % is a long way.
    assert!(150_000.0 < *planned_units && *planned_units < 250_000.0, "{planned_units}");
}

#[test]
fn what_nobody_said_of_a_metric_is_told() {
    let assumed = |metric: &str, arguments: &[&str]| {
        let all = [&["--rates", "0.03,0.036"], arguments].concat();
        simulated(metric, &all).unwrap().assumed
    };
    let delay = "rewards are known after 3 days: say --delay";
    assert_eq!(assumed("conversion", &[]), [delay]);
    assert_eq!(assumed("returns", &[]), ["`returns` is the share of units, of which more is better", delay]);
    assert!(assumed("conversion", &["--delay", "3d"]).is_empty());
}

#[track_caller]
fn check(metric: &str, arguments: &[&str], expected: &str) {
    let detail = simulated(metric, arguments).unwrap_err();
    assert!(detail.contains(expected), "{detail}");
}

#[test]
fn money_needs_orders_and_a_share_has_none() {
    let order = ["--rates", "0.03,0.03", "--order-value", "45,0.8", "--order-value", "50,0.8"];
    let found = simulated("aov", &order).unwrap();
    assert_eq!(
        (found.metric, found.trial.kind),
        ("average order value", podium_core::metric::MetricKind::Ratio)
    );
    let mean = found.trial.shoppers[1].mean_of(found.trial.kind);
    assert!((mean - 5_000.0 * (0.32_f64).exp()).abs() < 1e-6, "{mean}");
    check("conversion", &order, "leave out --order-value");
    check("aov", &order[..2], "say --order-value");
    check("conversion", &["--rates", "0.03"], "--rates has 1 rates for control, red");
    check("conversion", &["--rates", "0.03,3"], "3 is not a probability");
    check("margin", &["--rates", "0.1,0.1", "--order-value", "45"], "not `45`");
    check("margin", &["--rates", "0.1,0.1", "--order-value", "0,1"], "a median order of 0");
    check("conversion", &["--rates", "0.1,0.1", "--drift", "0,0,0"], "--drift is given 3 times");
    check("conversion", &["--rates", "0.1,0.1", "--drift", "-2"], "a change is -1 to 1");
}

#[test]
fn a_bad_registration_names_its_field() {
    let file = tempfile::Registration::of(&DEFINITION.replace("\"traffic\": 0.5", "\"traffic\": 2"));
    let all = ["simulate", file.path(), "--rates", "0.1,0.1"];
    let command = Probe::try_parse_from(all).map(|probe| probe.command).unwrap();
    let CliError(detail) = Simulated::of(&command).unwrap_err();
    assert!(detail.contains("/traffic: a share of units, 0 to 1"), "{detail}");
}

#[test]
fn threads_change_nothing_and_seeds_do() {
    let arguments = ["--rates", "0.1,0.2", "--days", "4", "--delay", "0", "--drift", "-0.01"];
    let trial = simulated("conversion", &arguments).unwrap().trial;
    let [first, second, other] = [1, 1, 2].map(|seed| run_all(&trial, 12, seed).unwrap());
    assert_eq!(first, second);
    assert_ne!(first, other);
    let alone = trial.run(&mut Xoshiro256PlusPlus::seed_from_u64((1_u64 << 32) ^ 5)).unwrap();
    assert_eq!(first[5], alone);
    assert!(
        Cli::try_parse_from(["podium", "simulate", "x", "--rates", "0.1,0.2", "--traffic", "no"]).is_err()
    );
}
