//! Clients that shops have already, as their registries have them: what `tests/clients/install` installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

static COPYING: Mutex<()> = Mutex::new(());

/// The folder that they were installed into.
#[derive(Clone, Debug)]
pub(crate) struct Clients(PathBuf);

impl Clients {
    /// The clients on this machine; else why there are none.
    pub(crate) fn installed() -> Result<Self, &'static str> {
        let folder = std::env::var_os("PODIUM_CLIENTS").map(PathBuf::from);
        let folder =
            folder.filter(|folder| folder.join("node_modules").is_dir() && folder.join("venv").is_dir());
        folder.map(Self).ok_or("needs PODIUM_CLIENTS, the folder of tests/clients/install")
    }

    /// Runs `tests/clients/{script}` with node, whose packages are the installed ones.
    pub(crate) fn node(&self, script: &str, arguments: &[&str]) -> String {
        // Node looks for packages beside the script.
        let copy = self.0.join(script);
        let text = std::fs::read(scripts().join(script)).unwrap();
        {
            // Another test may be running it: it must never be half a script.
            let _one_at_a_time = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
            if std::fs::read(&copy).ok().as_ref() != Some(&text) {
                std::fs::write(&copy, text).unwrap();
            }
        }
        run(Command::new("node").arg(copy), script, arguments)
    }

    /// Runs `tests/clients/{script}` with the Python that has the installed packages.
    pub(crate) fn python(&self, script: &str, arguments: &[&str]) -> String {
        let python = self.0.join("venv/bin/python");
        let mut command = Command::new(python);
        run(command.env("PYTHONDONTWRITEBYTECODE", "1").arg(scripts().join(script)), script, arguments)
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients")
}

/// What it printed; a script that fails fails the test, with all it printed.
fn run(command: &mut Command, script: &str, arguments: &[&str]) -> String {
    let done = command.args(arguments).output().unwrap();
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{script}: {printed}{}", String::from_utf8_lossy(&done.stderr));
    printed
}
