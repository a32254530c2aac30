//! The C and C++ compilers of this machine, and what cannot be tried without them.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

/// What an author may have switched on.
pub(crate) const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// Tells whether the machine has this compiler; says loudly if not that `promise` was not tried.
pub(crate) fn is_there(compiler: &str, promise: &str) -> bool {
    let is_there =
        Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        skip(&format!("{promise}: {compiler} is not installed"));
    }
    is_there
}

/// Runs a command that must succeed without a word of complaint, and returns what it printed.
#[track_caller]
pub(crate) fn run<A: Into<OsString>>(command: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let output = Command::new(command).args(arguments.into_iter().map(Into::into)).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{command}: {}\n{complaints}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Past the test harness, which shows nothing of a test that passes.
fn skip(promise: &str) {
    std::io::stderr().write_all(format!("!!! SKIPPED: {promise}\n").as_bytes()).unwrap();
    if let Some(path) = std::env::var_os("PODIUM_SKIPPED_COMPILERS") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{promise}\n").as_bytes()).unwrap();
    }
}
