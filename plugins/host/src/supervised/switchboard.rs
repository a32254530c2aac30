//! A child whose calls run side by side. A thread of its own reads what the child says and passes it on to the calls
//! that it is about; each call's own thread does the rest, and may take its time.

use super::process::{Answer, CREATE_DEADLINE, Death, Process};
use super::record::Occupant;
use super::wire::{Head, Kind, write_frame};
use crate::channel_calls::OpenCall;
use crate::outcome::Outcome;
use podium_plugin_abi::codes;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Instant;

/// The longest outcome, in bytes; its texts are cut long before.
const OUTCOME_SIZE_MAX: usize = 64 * 1024;

/// The calls of one child. The child ends when nobody has this any more: neither its plugin nor a call.
pub(super) struct Switchboard {
    occupant: Occupant,
    generation: u64,
    writer: Mutex<UnixStream>,
    lines: Mutex<Lines>,
    /// The instances of channels that it has.
    made: Mutex<HashSet<u32>>,
}

#[derive(Default)]
struct Lines {
    open: HashMap<u32, Line>,
    last_call: u32,
    death: Option<Death>,
}

/// What there is of a call that runs.
struct Line {
    call: Arc<OpenCall>,
    reports: SyncSender<Report>,
}

/// What the child says of a call.
enum Report {
    Begin(u32),
    Outcome(u32, Outcome),
    Over(Answer),
}

/// Closes a call's line, however the call ends.
struct Closing<'a>(&'a Switchboard, u32);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        lock(&self.0.lines).open.remove(&self.1);
    }
}

impl Switchboard {
    /// Takes a child that is ready.
    pub(super) fn over(process: Process) -> io::Result<Arc<Self>> {
        let board = Arc::new(Self {
            occupant: process.occupant(),
            generation: process.generation(),
            writer: Mutex::new(process.writer()?),
            lines: Mutex::default(),
            made: Mutex::default(),
        });
        let weak = Arc::downgrade(&board);
        thread::Builder::new().name("plugin-calls".to_owned()).spawn(move || read(process, &weak))?;
        Ok(board)
    }

    pub(super) fn occupant(&self) -> Occupant {
        self.occupant
    }

    /// Which generation of its plugin's children it belongs to.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// What the child died of, if it did.
    pub(super) fn death(&self) -> Option<Death> {
        lock(&self.lines).death.clone()
    }

    /// Whether it has this instance of a channel.
    pub(super) fn has(&self, instance: u32) -> bool {
        lock(&self.made).contains(&instance)
    }

    /// Makes an instance under a number that no other has; the inner error is the JSON of a fault.
    pub(super) fn create(&self, instance: u32, create_json: &[u8]) -> Result<Answer, Death> {
        let call = Arc::new(OpenCall::new(&crate::ChannelCall::default(), 0, 0));
        let deadline = Instant::now() + CREATE_DEADLINE;
        let answer = self.call((Kind::CreateChannel, instance), create_json, &call, deadline)?;
        if answer.is_ok() {
            lock(&self.made).insert(instance);
        }
        Ok(answer)
    }

    /// Ends an instance.
    pub(super) fn forget(&self, instance: u32) {
        if lock(&self.made).remove(&instance) {
            self.write(Head::new(Kind::Destroy, instance, 0), &[]);
        }
    }

    /// Makes a call and stays with it until it ends, at most until the deadline; the inner error is the JSON of a
    /// fault. What is reported meanwhile goes to `call`, on this thread.
    pub(super) fn call(
        &self,
        (kind, instance): (Kind, u32),
        bytes: &[u8],
        call: &Arc<OpenCall>,
        deadline: Instant,
    ) -> Result<Answer, Death> {
        let begun = Instant::now();
        let (number, reports) = self.open(call)?;
        let _closing = Closing(self, number);
        self.write(Head::new(kind, instance, number), bytes);
        loop {
            match reports.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Report::Begin(message)) => {
                    // A call that is over is not answered, so that nothing leaves in it any more.
                    let may_leave = call.begin(message) == codes::OK;
                    let word = if may_leave { Kind::Go } else { Kind::Stay };
                    self.write(Head::new(word, message, number), &[]);
                }
                Ok(Report::Outcome(message, outcome)) => drop(call.outcome(message, &outcome)),
                Ok(Report::Over(answer)) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) => return Err(Death::Late(begun.elapsed().as_millis())),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.death().unwrap_or(Death::Crashed("it is gone".to_owned())));
                }
            }
        }
    }

    fn open(&self, call: &Arc<OpenCall>) -> Result<(u32, Receiver<Report>), Death> {
        // Two of each message, and the end.
        let (sender, reports) = mpsc::sync_channel(2 * call.n_messages() + 1);
        let mut lines = lock(&self.lines);
        if let Some(death) = &lines.death {
            return Err(death.clone());
        }
        lines.last_call = lines.last_call.wrapping_add(1);
        let number = lines.last_call;
        lines.open.insert(number, Line { call: Arc::clone(call), reports: sender });
        Ok((number, reports))
    }

    /// Says something to the child. One that does not listen is ended by its reader, which tells the calls.
    fn write(&self, head: Head, bytes: &[u8]) {
        let mut writer = lock(&self.writer);
        if write_frame(&mut *writer, head, bytes).is_err() {
            drop(writer.shutdown(Shutdown::Both));
        }
    }

    /// Passes a frame on to its call, unless that is over; an error says what makes no sense.
    fn pass_on(&self, head: Head, bytes: Vec<u8>) -> Result<(), String> {
        let lines = lock(&self.lines);
        let Some(Line { call, reports }) = lines.open.get(&head.call) else { return Ok(()) };
        let report = match head.kind {
            Kind::Begin => Report::Begin(head.about),
            Kind::Outcome if bytes.len() <= OUTCOME_SIZE_MAX => {
                let outcome = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
                Report::Outcome(head.about, outcome)
            }
            Kind::Event => {
                call.event(&bytes);
                return Ok(());
            }
            Kind::Written => {
                call.write(&bytes);
                return Ok(());
            }
            Kind::Created | Kind::Ended => Report::Over(Ok(bytes)),
            Kind::Fault => Report::Over(Err(bytes)),
            kind => return Err(format!("a frame of kind {kind:?}")),
        };
        reports.try_send(report).map_err(|_| "too many reports of one call".to_owned())
    }

    /// Ends all calls: the child is gone.
    fn end(&self, death: Death) {
        let mut lines = lock(&self.lines);
        lines.death = Some(death);
        lines.open.clear();
    }
}

impl Drop for Switchboard {
    fn drop(&mut self) {
        // Wakes the reader, which finds that nobody is left.
        drop(lock(&self.writer).shutdown(Shutdown::Both));
    }
}

/// Reads what a child says, until it is gone or nobody wants it any more.
fn read(mut process: Process, board: &Weak<Switchboard>) {
    loop {
        let report = process.next_report();
        let Some(board) = board.upgrade() else { return process.retire() };
        let passed = report.and_then(|(head, bytes)| {
            board.pass_on(head, bytes).map_err(|nonsense| process.refuse(nonsense))
        });
        if let Err(death) = passed {
            board.end(death);
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
