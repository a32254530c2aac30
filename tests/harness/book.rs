//! The list of promises, and running it. A promise that cannot be tried here is said so, loudly.

use super::cluster;
use super::engine::Engine;
use libtest_mimic::{Arguments, Trial};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{PoisonError, RwLock};

/// What the shell gets when something was skipped that must not be.
const EXIT_SKIPPED: u8 = 77;

/// Promises that need the machine for themselves hold this for writing.
static MACHINE: RwLock<()> = RwLock::new(());

/// How much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// A few minutes.
    Quick,
    /// As long as it takes.
    Full,
}

/// Reads `PODIUM_PROFILE`: `quick` if it is not set.
pub(crate) fn profile() -> Profile {
    match std::env::var("PODIUM_PROFILE").as_deref() {
        Ok("full") => Profile::Full,
        Ok("quick") | Err(_) => Profile::Quick,
        Ok(other) => panic!("PODIUM_PROFILE is `{other}`; quick and full are known"),
    }
}

/// A test with its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<F> {
    pub(crate) name: &'static str,
    pub(crate) test: F,
}

/// Names a function of this module by its path.
macro_rules! named {
    ($test:ident) => {
        $crate::harness::Named { name: concat!(module_path!(), "::", stringify!($test)), test: $test }
    };
}
pub(crate) use named;

/// All promises of this target.
#[derive(Default)]
pub(crate) struct Book {
    trials: Vec<Trial>,
    skipped: Vec<String>,
}

impl Book {
    /// Adds a promise for each of the two databases.
    pub(crate) fn both(&mut self, named: Named<fn(Engine)>) {
        for engine in Engine::ALL {
            self.on(engine, named, false);
        }
    }

    /// Adds a promise for each of the two databases whose trial needs the machine for itself.
    pub(crate) fn both_alone(&mut self, named: Named<fn(Engine)>) {
        for engine in Engine::ALL {
            self.on(engine, named, true);
        }
    }

    /// Adds a promise that no database has a part in.
    pub(crate) fn once(&mut self, named: Named<fn()>) {
        let test = named.test;
        self.trials.push(Trial::test(below_target(named.name), move || {
            let _shared = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
            test();
            Ok(())
        }));
    }

    fn on(&mut self, engine: Engine, named: Named<fn(Engine)>, alone: bool) {
        let name = format!("{}/{}", below_target(named.name), engine.name());
        if let Some(need) = engine.lacks() {
            return self.skip(&name, need);
        }
        let test = named.test;
        self.trials.push(Trial::test(name, move || {
            if alone {
                let _whole = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
                test(engine);
            } else {
                let _shared = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
                test(engine);
            }
            Ok(())
        }));
    }

    /// Lists a promise that cannot be tried on this machine.
    pub(crate) fn skip(&mut self, name: &str, need: &str) {
        let title = format!("{name} [SKIPPED: {need}]");
        self.trials.push(Trial::test(title.clone(), || Ok(())).with_ignored_flag(true));
        self.skipped.push(title);
    }

    /// Tries every promise, then says what was not tried.
    pub(crate) fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let conclusion = libtest_mimic::run(&arguments, self.trials);
        cluster::stop();
        if arguments.list || self.skipped.is_empty() {
            return conclusion.exit_code();
        }
        println!("NOT PROVED HERE:");
        for title in &self.skipped {
            println!("  {title}");
        }
        if let Some(path) = std::env::var_os("PODIUM_SKIPPED_FILE") {
            // Other tests may have said there what they skip.
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all((self.skipped.join("\n") + "\n").as_bytes()).unwrap();
        }
        let allowed = std::env::var("PODIUM_ALLOW_SKIP").unwrap_or_default();
        let allowed: Vec<&str> = allowed.split(',').filter(|part| !part.is_empty()).collect();
        let is_allowed = |title: &String| allowed.iter().any(|part| title.contains(part));
        if profile() == Profile::Full && !conclusion.has_failed() && !self.skipped.iter().all(is_allowed) {
            return ExitCode::from(EXIT_SKIPPED);
        }
        conclusion.exit_code()
    }
}

/// A path without the name of the target.
fn below_target(path: &'static str) -> &'static str {
    path.split_once("::").map_or(path, |(_, below)| below)
}
