//! One check in a process of its own.

use super::super::super::CliError;
use podium_plugin_host::conformance::alone::{Job, Said};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// How long one check may take.
const DEADLINE: Duration = Duration::from_secs(40);

/// Does one check in a process of its own. One that dies or does not end has found a fault, too.
pub(super) fn ask(file: &Path, job: &Job) -> Result<Said, CliError> {
    let job = serde_json::to_string(job).map_err(CliError::from_display)?;
    let program = std::env::current_exe().map_err(CliError::from_display)?;
    let mut command = Command::new(program);
    command.arg("plugin-check").arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(CliError::from_display)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that dies before it has read the job says so by its end.
        drop(stdin.write_all(job.as_bytes()));
    }
    let printed = child.stdout.take().map(last_line);
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(CliError::from_display)? {
            Some(status) => break status,
            None if DEADLINE < begun.elapsed() => {
                drop(child.kill());
                drop(child.wait());
                return Ok(Said::Failed(format!("it does not end within {} s", DEADLINE.as_secs())));
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    // A copy that the plugin made of the process may keep the pipe open.
    let line = printed.and_then(|line| line.recv_timeout(Duration::from_secs(1)).ok()).unwrap_or_default();
    let said = serde_json::from_slice(&line).ok();
    Ok(said.unwrap_or_else(|| Said::Failed(format!("the process ended: {status}"))))
}

/// Reads a pipe to its end, so that nobody waits for room in it, and gives the last line: a plugin may print, too.
fn last_line(pipe: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(pipe).split(b'\n').map_while(Result::ok);
        let _ = sender.send(lines.last().unwrap_or_default());
    });
    receiver
}
