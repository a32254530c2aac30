//! What travels between the server and a plugin's child: frames of a kind, a call number and bytes. Batches, sums and
//! numbers stand in shared memory, and the frame only says how long they are.
//!
//! Both ends are the same program, so numbers are in the machine's own order. What comes from the child is input all
//! the same: its plugin can have damaged it.

use crate::batch::Batch;
use crate::raw::{self, Raw};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The longest frame, in bytes.
pub(super) const FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To the child: what it is for, before all calls; JSON.
    Confine,
    /// To the child: make an instance of a metric; JSON.
    Create,
    /// To the child: make an instance of a channel; JSON.
    CreateChannel,
    /// To the child: an instance is not needed any more.
    Destroy,
    /// To the child: observe a batch.
    Observe,
    /// To the child: turn sums into values.
    Value,
    /// To the child: render content.
    Render,
    /// To the child: deliver messages.
    Deliver,
    /// To the child: take a webhook request.
    Ingest,
    /// To the child: try whether messages could be delivered.
    Health,
    /// To the child: the message may leave.
    Go,
    /// To the child: the message must not leave.
    Stay,
    /// From the child: what it loaded, or why not; JSON.
    Ready,
    /// From the child: how far it is kept from anything else; JSON.
    Confined,
    /// From the child: the instance was made; JSON.
    Created,
    /// From the child: the numbers that a call gave.
    Numbers,
    /// From the child: a message is about to leave, and waits for a word.
    Begin,
    /// From the child: what became of a message; JSON.
    Outcome,
    /// From the child: an event that a call told; JSON.
    Event,
    /// From the child: what a call wrote.
    Written,
    /// From the child: how the call of a channel ended; JSON.
    Ended,
    /// From the child: the call failed; JSON.
    Fault,
    /// From the child: a line that the plugin logged; JSON.
    Log,
    /// From the child: it lives.
    Heartbeat,
}

const KINDS: [Kind; 24] = [
    Kind::Confine,
    Kind::Create,
    Kind::CreateChannel,
    Kind::Destroy,
    Kind::Observe,
    Kind::Value,
    Kind::Render,
    Kind::Deliver,
    Kind::Ingest,
    Kind::Health,
    Kind::Go,
    Kind::Stay,
    Kind::Ready,
    Kind::Confined,
    Kind::Created,
    Kind::Numbers,
    Kind::Begin,
    Kind::Outcome,
    Kind::Event,
    Kind::Written,
    Kind::Ended,
    Kind::Fault,
    Kind::Log,
    Kind::Heartbeat,
];

/// What stands before the bytes of a frame: their number, the kind, the call.
pub(super) const HEAD_LEN: usize = 16;

/// The beginning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// The instance; in reports of a message, its index; else 0.
    pub(super) about: u32,
    /// The call, or 0.
    pub(super) call: u32,
    /// Bytes that follow, or that stand in shared memory.
    pub(super) len: usize,
}

impl Kind {
    /// Whether the bytes stand in shared memory.
    pub(super) fn is_shared(self) -> bool {
        matches!(self, Self::Observe | Self::Value | Self::Numbers)
    }
}

impl Head {
    pub(super) fn new(kind: Kind, about: u32, call: u32) -> Self {
        Self { kind, about, call, len: 0 }
    }

    fn to_bytes(self, len: usize) -> [u8; HEAD_LEN] {
        let mut bytes = [0; HEAD_LEN];
        bytes[..4].copy_from_slice(&(len as u32).to_ne_bytes());
        bytes[4..8].copy_from_slice(&(self.kind as u32).to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.about.to_ne_bytes());
        bytes[12..].copy_from_slice(&self.call.to_ne_bytes());
        bytes
    }

    /// Reads the beginning of a frame.
    pub(super) fn from_bytes(bytes: [u8; HEAD_LEN]) -> io::Result<Self> {
        let [len, kind, about, call] = [0, 4, 8, 12]
            .map(|at| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        let len = len as usize;
        match KINDS.get(kind as usize) {
            Some(kind) if len <= FRAME_BYTES_MAX => Ok(Self { kind: *kind, about, call, len }),
            Some(_) => Err(nonsense(format!("a frame of {len} bytes"))),
            None => Err(nonsense(format!("a frame of kind {kind}"))),
        }
    }
}

pub(super) fn nonsense(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Writes a frame with the bytes that follow.
pub(super) fn write_frame(stream: &mut impl Write, head: Head, bytes: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(HEAD_LEN + bytes.len());
    frame.extend_from_slice(&head.to_bytes(bytes.len()));
    frame.extend_from_slice(bytes);
    stream.write_all(&frame)
}

/// Writes a frame whose bytes, so many, stand in shared memory.
pub(super) fn write_shared(stream: &mut impl Write, head: Head, len: usize) -> io::Result<()> {
    stream.write_all(&head.to_bytes(len))
}

/// Whether bytes or the end of the stream can be read at once.
pub(super) fn is_readable(stream: &UnixStream) -> bool {
    let mut poll = libc::pollfd { fd: stream.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the struct lives through the call, and there is one of it.
    unsafe { libc::poll(&raw mut poll, 1, 0) != 0 }
}

/// Waits a moment for bytes without going to sleep: to be woken takes longer than a metric takes to answer.
pub(super) fn linger(stream: &UnixStream) {
    const MOMENT: Duration = Duration::from_micros(60);
    let begun = Instant::now();
    while !is_readable(stream) && begun.elapsed() < MOMENT {
        // Where there is only one processor, the other side needs it.
        std::thread::yield_now();
    }
}

/// Reads the head of the next frame; `None` at the end of the stream.
pub(super) fn read_head(stream: &mut impl Read) -> io::Result<Option<Head>> {
    let mut bytes = [0; HEAD_LEN];
    match stream.read_exact(&mut bytes) {
        Ok(()) => Head::from_bytes(bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lays out a batch as the parts of a frame: a description, then the columns as they stand in memory.
pub(super) fn batch_parts<'a>(batch: &'a Batch, description: &'a mut Vec<u8>) -> Vec<&'a [u8]> {
    let raw = batch.raw();
    description.clear();
    for number in raw.describe() {
        description.extend_from_slice(&number.to_ne_bytes());
    }
    std::iter::once(description.as_slice()).chain(raw.parts).collect()
}

/// Reads a batch from its parts.
pub(super) fn read_batch(mut bytes: &[u8]) -> io::Result<Batch> {
    let from = &mut bytes;
    let number =
        |from: &mut &[u8]| raw::numbers::<u32>(from, 1).map(|numbers| numbers.first().copied().unwrap_or(0));
    let (n_rows, n_columns) = (number(from)? as usize, number(from)? as usize);
    let mut columns = Vec::new();
    for _ in 0..n_columns {
        columns.push((number(from)?, number(from)? as usize));
    }
    let batch = Raw::read(from, n_rows, &columns)?;
    if from.is_empty() { Ok(batch) } else { Err(nonsense(format!("{} bytes too many", from.len()))) }
}
