//! One child process and the socket to it.

use super::Launcher;
use super::confine::Confinement;
use super::edition::Library;
use super::family;
use super::record::{Occupant, Role};
use super::shared::Shared;
use super::system::{has_exited, how, pass_on, prepare};
use super::wire::{Head, Kind, is_readable, linger, read_head, write_frame, write_shared};
use crate::log::{HostLog, Level, LogLine};
use crate::manifest::Manifest;
use crate::raw::Plain;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The descriptor at which a child finds its socket.
pub(super) const SOCKET_FD: i32 = 3;
/// The descriptor at which a child finds the shared memory.
pub(super) const SHARED_FD: i32 = 4;
/// How often it is looked whether a child that does not answer still lives.
const TICK: Duration = Duration::from_millis(20);
/// How long a child may take to load its plugin.
const START_DEADLINE: Duration = Duration::from_secs(5);
/// How many frames are taken in one look after a child that is not called.
const FRAMES_PER_LOOK_MAX: usize = 100;
/// How long it may take to make an instance.
pub(super) const CREATE_DEADLINE: Duration = Duration::from_secs(5);
/// How long a child may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// A line that a plugin logged in its child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RemoteLine {
    pub(super) level: u32,
    pub(super) target: String,
    pub(super) message: String,
    pub(super) fields_json: String,
}

/// Why a child gave no answer. It is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Death {
    /// It ended by itself.
    #[error("it crashed: {0}")]
    Crashed(String),
    /// It was ended, because its answer was late.
    #[error("it did not answer in {0} ms and was given up")]
    Late(u128),
    /// It was ended, because what it said makes no sense.
    #[error("it said what makes no sense and was ended: {0}")]
    Nonsense(String),
    /// The call is too large for any child; it lives on.
    #[error("the call is too large: {0}")]
    TooLarge(String),
}

/// The bytes of an answer, or the JSON of a fault.
pub(super) type Answer = Result<Vec<u8>, Vec<u8>>;

/// A child that runs.
pub(super) struct Process {
    child: Child,
    stream: UnixStream,
    shared: Shared,
    plugin: String,
    /// Which generation of its plugin's children it belongs to.
    generation: u64,
    confinement: Confinement,
    log: HostLog,
    last_call: u32,
    /// The instances of metrics that it has.
    made: HashSet<u32>,
    heard: Instant,
    is_ended: bool,
}

impl Process {
    /// Starts a child for a library. Its first frame is still to be read.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn start(launcher: &Launcher, library: &Library, generation: u64, log: &HostLog) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(TICK))?;
        ours.set_write_timeout(Some(SILENCE_MAX))?;
        let mut command = Command::new(&launcher.program);
        command
            .args(&launcher.arguments)
            .arg(library.file())
            .env_clear()
            // The server's allocator reserves by the gigabyte, which the memory limit counts.
            .env("MIMALLOC_ARENA_RESERVE", "65536")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            // Until it is made to go where standard error goes.
            .stdout(Stdio::null());
        let (shared, shared_fd) = Shared::make()?;
        let (socket, memory, parent) = (theirs.as_raw_fd(), shared_fd.as_raw_fd(), std::process::id());
        // SAFETY: between fork and exec only system calls are made, and none of them allocates.
        unsafe { command.pre_exec(move || prepare(parent, socket, memory)) };
        let mut child = family::start(command)?;
        let plugin = library.name.clone();
        if let Some(stderr) = child.stderr.take() {
            pass_on(stderr, plugin.clone(), log.clone());
        }
        Ok(Self {
            child,
            stream: ours,
            shared,
            plugin,
            generation,
            confinement: Confinement::None,
            log: log.clone(),
            last_call: 0,
            made: HashSet::new(),
            heard: Instant::now(),
            is_ended: false,
        })
    }

    /// Reads the first frame: what the child loaded, or why not.
    fn ready(&mut self, deadline: Duration) -> Result<Vec<u8>, Death> {
        let (_, bytes) = self.answer(Kind::Ready, 0, deadline)?;
        Ok(bytes.unwrap_or_else(|fault| fault))
    }

    /// Keeps the child from what its kind need not do, before it makes anything.
    fn confine(&mut self, role: Role, deadline: Duration) -> Result<(), Death> {
        let begun = Instant::now();
        let head = self.next_call(Kind::Confine, 0);
        let (role, stream) = (serde_json::to_vec(&role), &mut self.stream);
        let written = role.map_err(io::Error::from).and_then(|role| write_frame(stream, head, &role));
        written.map_err(|error| self.end(&error, begun))?;
        let (_, confined) = self.answer(Kind::Confined, head.call, deadline)?;
        let confined = serde_json::from_slice(&confined.unwrap_or_else(|fault| fault));
        self.confinement = confined.map_err(|error| self.refuse(error.to_string()))?;
        Ok(())
    }

    /// Whether it has this instance of a metric.
    pub(super) fn has(&self, instance: u32) -> bool {
        self.made.contains(&instance)
    }

    /// Makes an instance under a number that no other has; the inner error is the JSON of a fault.
    pub(super) fn create(&mut self, instance: u32, create_json: &[u8]) -> Result<Answer, Death> {
        let head = self.next_call(Kind::Create, instance);
        let begun = Instant::now();
        write_frame(&mut self.stream, head, create_json).map_err(|error| self.end(&error, begun))?;
        let (_, answer) = self.answer(Kind::Created, head.call, CREATE_DEADLINE)?;
        if answer.is_ok() {
            self.made.insert(instance);
        }
        Ok(answer)
    }

    /// Has an instance compute numbers from what stands in `parts`; the inner error is the JSON of a fault.
    pub(super) fn compute<T: Plain>(
        &mut self,
        (kind, instance): (Kind, u32),
        parts: &[&[u8]],
        deadline: Duration,
    ) -> Result<Result<Vec<T>, Vec<u8>>, Death> {
        let len = self.shared.put(parts).map_err(|error| Death::TooLarge(error.to_string()))?;
        let head = self.next_call(kind, instance);
        let begun = Instant::now();
        write_shared(&mut self.stream, head, len).map_err(|error| self.end(&error, begun))?;
        linger(&self.stream);
        match self.answer(Kind::Numbers, head.call, deadline)? {
            (head, Ok(_)) => self.shared.take(head.len).map(Ok).map_err(|error| self.end(&error, begun)),
            (_, Err(fault)) => Ok(Err(fault)),
        }
    }

    /// Ends an instance.
    pub(super) fn forget(&mut self, instance: u32) {
        if self.made.remove(&instance) {
            // If it is gone, the next call will say so.
            drop(write_frame(&mut self.stream, Head::new(Kind::Destroy, instance, 0), &[]));
        }
    }

    fn next_call(&mut self, kind: Kind, instance: u32) -> Head {
        self.last_call = self.last_call.wrapping_add(1);
        Head::new(kind, instance, self.last_call)
    }

    /// Waits for the frame that answers a call.
    fn answer(&mut self, kind: Kind, call: u32, patience: Duration) -> Result<(Head, Answer), Death> {
        let begun = Instant::now();
        let deadline = begun + patience;
        loop {
            let (head, bytes) = self.frame(begun, deadline)?;
            match head.kind {
                _ if head.call == call && head.kind == kind => return Ok((head, Ok(bytes))),
                Kind::Fault if head.call == call => return Ok((head, Err(bytes))),
                _ => self.unasked(head, &bytes, begun)?,
            }
            // One that talks all the time never lets us wait.
            if deadline < Instant::now() {
                return Err(self.end(&io::ErrorKind::TimedOut.into(), begun));
            }
        }
    }

    /// Takes what came without being asked for; an error if the child is gone or silent for too long.
    pub(super) fn look_after(&mut self) -> Result<(), Death> {
        let begun = Instant::now();
        // A call may want the child meanwhile: so nothing is waited for that has not begun to come, and of one that
        // talks all the time only so much is heard.
        for _ in 0..FRAMES_PER_LOOK_MAX {
            if !is_readable(&self.stream) {
                break;
            }
            let (head, bytes) = self.frame(begun, begun + SILENCE_MAX)?;
            self.unasked(head, &bytes, begun)?;
        }
        if has_exited(&self.child) {
            return Err(self.end(&io::ErrorKind::UnexpectedEof.into(), begun));
        }
        if SILENCE_MAX < self.heard.elapsed() {
            return Err(self.end(&io::ErrorKind::TimedOut.into(), self.heard));
        }
        Ok(())
    }

    /// Waits for the next frame that is more than a line or a sign of life.
    pub(super) fn next_report(&mut self) -> Result<(Head, Vec<u8>), Death> {
        loop {
            let begun = Instant::now();
            let (head, bytes) = self.frame(begun, begun + SILENCE_MAX)?;
            match head.kind {
                Kind::Log | Kind::Heartbeat => self.unasked(head, &bytes, begun)?,
                _ => return Ok((head, bytes)),
            }
        }
    }

    /// Ends the child because of what it said.
    pub(super) fn refuse(&mut self, what: String) -> Death {
        self.end(&super::wire::nonsense(what), Instant::now())
    }

    /// Another handle to write to it.
    pub(super) fn writer(&self) -> io::Result<UnixStream> {
        self.stream.try_clone()
    }

    /// Reads the next frame; the bytes of one whose bytes stand in shared memory are left there.
    fn frame(&mut self, begun: Instant, deadline: Instant) -> Result<(Head, Vec<u8>), Death> {
        let Self { child, stream, .. } = self;
        let mut patient = Patient { stream, child, deadline };
        let frame = read_head(&mut patient).and_then(|head| {
            let head = head.ok_or(io::ErrorKind::UnexpectedEof)?;
            let mut bytes = vec![0; if head.kind.is_shared() { 0 } else { head.len }];
            patient.read_exact(&mut bytes)?;
            Ok((head, bytes))
        });
        self.heard = Instant::now();
        frame.map_err(|error| self.end(&error, begun))
    }

    /// Takes a frame that answers no call.
    fn unasked(&mut self, head: Head, bytes: &[u8], begun: Instant) -> Result<(), Death> {
        match head.kind {
            Kind::Log => self.log_line(bytes),
            Kind::Heartbeat => {}
            kind => {
                let error = super::wire::nonsense(format!("a frame of kind {kind:?}"));
                return Err(self.end(&error, begun));
            }
        }
        Ok(())
    }

    /// Which generation of its plugin's children it belongs to.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Ends the child, which nobody wants any more.
    pub(super) fn retire(self) {
        let Self { plugin, generation, log, .. } = &self;
        let pid = self.child.id();
        let message =
            format!("plugin {plugin}: child {pid} of generation {generation} has ended with its last call");
        let level = Level::Info;
        log.line(&LogLine { plugin, level, target: "host", message: &message, fields_json: "" });
    }

    /// The child's process, and what it may do.
    pub(super) fn occupant(&self) -> Occupant {
        Occupant { pid: self.child.id(), confinement: self.confinement }
    }

    /// Ends the child and whatever it started, and says what it died of.
    fn end(&mut self, error: &io::Error, begun: Instant) -> Death {
        let is_late = matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock);
        let is_nonsense = error.kind() == io::ErrorKind::InvalidData;
        // A crash closes the socket a moment before the process has ended.
        for _ in 0..50 {
            if is_late || is_nonsense || has_exited(&self.child) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let ended_itself = has_exited(&self.child);
        let status = self.kill();
        match status {
            _ if is_nonsense => Death::Nonsense(error.to_string()),
            Some(status) if ended_itself => Death::Crashed(how(status)),
            _ if is_late => Death::Late(begun.elapsed().as_millis()),
            _ => Death::Crashed("it closed its socket".to_owned()),
        }
    }

    /// Ends the child and whatever it started, once.
    fn kill(&mut self) -> Option<ExitStatus> {
        if std::mem::replace(&mut self.is_ended, true) {
            return None;
        }
        family::end(&mut self.child)
    }

    fn log_line(&self, bytes: &[u8]) {
        let Ok(line) = serde_json::from_slice::<RemoteLine>(bytes) else { return };
        let RemoteLine { level, target, message, fields_json } = &line;
        let level = Level::from_code(*level);
        self.log.line(&LogLine { plugin: &self.plugin, level, target, message, fields_json });
    }
}

/// Starts a child, reads what it has, and keeps it to what it is for: if nobody says what, metrics if it has any.
pub(super) fn spawn(
    launcher: &Launcher,
    library: &Library,
    generation: u64,
    role: Option<Role>,
    log: &HostLog,
) -> Result<(Process, Manifest), String> {
    let mut process =
        Process::start(launcher, library, generation, log).map_err(|error| error.to_string())?;
    let ready = process.ready(START_DEADLINE).map_err(|death| death.to_string())?;
    let manifest: Manifest = serde_json::from_slice(&ready).map_err(|error| error.to_string())?;
    let by_itself = if manifest.has_only_channels() { Role::Channels } else { Role::Metrics };
    let role = role.unwrap_or(by_itself);
    process.confine(role, START_DEADLINE).map_err(|death| death.to_string())?;
    Ok((process, manifest))
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Reads until the deadline, as long as the child lives.
struct Patient<'a> {
    stream: &'a mut UnixStream,
    child: &'a Child,
    deadline: Instant,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut is_gone = false;
        loop {
            match self.stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Another process may still hold the other end open: the end of the stream would never come.
                    if is_gone {
                        return Ok(0);
                    }
                    is_gone = has_exited(self.child);
                    if !is_gone && self.deadline <= Instant::now() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}
