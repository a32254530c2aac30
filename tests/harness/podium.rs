//! The real binary, started, killed and started again.

use super::http::Client;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const READY_WITHIN: Duration = Duration::from_mins(1);
/// A drain takes 30 s at most.
const DRAINED_WITHIN: Duration = Duration::from_secs(35);
const BINARY: &str = env!("CARGO_BIN_EXE_podium");

/// How a server is started.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) database: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) plugin_dirs: Vec<PathBuf>,
    /// Variables of its environment.
    pub(crate) env: Vec<(String, String)>,
}

/// A running server. Killed on drop; what it logged is shown if the test failed.
#[derive(Debug)]
pub(crate) struct Podium {
    settings: Settings,
    process: Child,
    url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Podium {
    #[track_caller]
    pub(crate) fn start(settings: Settings) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (process, url) = spawn(&settings, &log, true).unwrap_or_else(|fault| panic!("{fault}"));
        Self { settings, process, url, log }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The keys that the first start wrote.
    #[track_caller]
    pub(crate) fn key(&self, scope: &str) -> String {
        let path = self.settings.data_dir.join("keys.json");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let keys: Value = serde_json::from_str(&text).unwrap();
        keys[scope].as_str().unwrap_or_else(|| panic!("no {scope} key in {}", path.display())).to_owned()
    }

    pub(crate) fn client(&self, scope: &str) -> Client {
        Client::new(&self.url, Some(&self.key(scope)))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Everything it has printed so far, one line an entry.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Ends it as a power cut would end the process: nothing is flushed, nothing is told.
    pub(crate) fn kill9(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        signal("TERM", self.process.id());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < DRAINED_WITHIN, "still running {DRAINED_WITHIN:?} after SIGTERM");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts again over the same data, on another port.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.restart_heard(true);
    }

    /// The same, and its standard error is a pipe that nobody reads any more.
    #[track_caller]
    pub(crate) fn restart_unheard(&mut self) {
        self.restart_heard(false);
    }

    #[track_caller]
    fn restart_heard(&mut self, is_heard: bool) {
        if self.is_running() {
            self.kill9();
        }
        let begun = spawn(&self.settings, &self.log, is_heard);
        (self.process, self.url) = begun.unwrap_or_else(|fault| panic!("{fault}"));
    }

    /// The same with another value of a variable of its environment.
    #[track_caller]
    pub(crate) fn restart_with(&mut self, name: &str, value: &str) {
        self.settings.env.retain(|(other, _)| other != name);
        self.settings.env.push((name.to_owned(), value.to_owned()));
        self.restart();
    }

    /// Starts again over the same data, to crash at a place in the code, as `PODIUM_CRASH_AT` has it. It may do so before
    /// it listens.
    pub(crate) fn restart_to_crash(&mut self, at: &str) {
        if self.is_running() {
            self.kill9();
        }
        let mut settings = self.settings.clone();
        settings.env.push(("PODIUM_CRASH_AT".to_owned(), at.to_owned()));
        if let Ok((process, url)) = spawn(&settings, &self.log, true) {
            (self.process, self.url) = (process, url);
        }
    }

    /// Starts another node over the same data.
    #[track_caller]
    pub(crate) fn twin(&self) -> Self {
        Self::start(self.settings.clone())
    }

    /// Runs `podium key` over the same data.
    pub(crate) fn keys(&self, arguments: &[&str]) -> Output {
        command(&self.settings, "key").args(arguments).output().unwrap()
    }

    /// Runs `podium rebuild` over the same data.
    pub(crate) fn rebuild(&self, arguments: &[&str]) -> Output {
        command(&self.settings, "rebuild").args(arguments).output().unwrap()
    }
}

impl Drop for Podium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(40);
            eprintln!("--- the end of what {} logged\n{}\n---", self.url, log[tail..].join("\n"));
        }
    }
}

fn command(settings: &Settings, subcommand: &str) -> Command {
    let mut command = Command::new(BINARY);
    for name in ["LISTEN", "DATABASE", "DATA_DIR", "PLUGIN_DIR", "PUBLIC_URL"] {
        command.env_remove(format!("PODIUM_{name}"));
    }
    command
        .arg(subcommand)
        .args(["--database", &settings.database])
        .arg("--data-dir")
        .arg(&settings.data_dir);
    for folder in &settings.plugin_dirs {
        command.arg("--plugin-dir").arg(folder);
    }
    command.envs(settings.env.iter().map(|(name, value)| (name, value)));
    command
}

fn spawn(
    settings: &Settings,
    log: &Arc<Mutex<Vec<String>>>,
    is_heard: bool,
) -> Result<(Child, String), String> {
    let mut command = command(settings, "serve");
    command.args(["--listen", "127.0.0.1:0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().map_err(|error| format!("{BINARY}: {error}"))?;
    let (ready, is_ready) = mpsc::channel();
    follow(process.stdout.take(), log, Some(ready));
    let errors = process.stderr.take();
    if is_heard {
        follow(errors, log, None);
    }
    if let Ok(url) = is_ready.recv_timeout(READY_WITHIN) {
        return Ok((process, url));
    }
    // The reader of standard error may be a moment behind.
    std::thread::sleep(Duration::from_millis(200));
    let _ = process.kill();
    let ended = process.wait().unwrap();
    let printed = log.lock().unwrap().join("\n");
    Err(format!("no ready line from `podium serve`, which ended with {ended}; it printed:\n{printed}"))
}

/// Keeps every line of a stream, and tells where the server listens once it says so.
fn follow(
    stream: Option<impl Read + Send + 'static>,
    log: &Arc<Mutex<Vec<String>>>,
    ready: Option<mpsc::Sender<String>>,
) {
    let (stream, log) = (BufReader::new(stream.unwrap()), Arc::clone(log));
    std::thread::spawn(move || {
        let mut ready = ready;
        for line in stream.lines().map_while(Result::ok) {
            if let Some(url) = line.strip_prefix("podium listening on ")
                && let Some(ready) = ready.take()
            {
                let _ = ready.send(url.trim().to_owned());
            }
            log.lock().unwrap().push(line);
        }
    });
}

/// Sends a signal by the shell, as the standard library knows only SIGKILL.
pub(crate) fn signal(name: &str, process: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(sent.is_ok_and(|status| status.success()), "SIG{name} to {process}");
}
