//! Doubles of a provider, on loopback: they answer, hang and break off as told, and keep what arrived.

use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The most bytes of one request that are kept.
const REQUEST_SIZE_MAX: usize = 16 * 1024 * 1024;
/// How long a request may take to arrive.
const READ_MAX: Duration = Duration::from_secs(10);
const DRIP_PAUSE: Duration = Duration::from_millis(20);

/// What a double speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1: whole requests are read and answered.
    Http,
    /// Nothing: connections hang and break off.
    Tcp,
}

/// What a double does with a request, or with a connection if it does not speak HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Answers with this status and these header lines; the body is the request's head, as careless providers do.
    Answers(&'static str),
    /// Says nothing more.
    Hangs,
    /// Begins a status line, and sends one byte of it after the other for ever.
    Drips,
    /// Breaks the connection off.
    Resets,
    /// Closes the connection in good order, without an answer.
    Closes,
}

/// A provider that does as told.
pub(super) struct Double {
    address: SocketAddr,
    seen: Arc<Seen>,
}

/// What a double has seen so far.
#[derive(Default)]
pub(super) struct Seen {
    n_connections: AtomicUsize,
    n_begun: AtomicUsize,
    requests: Mutex<Vec<Vec<u8>>>,
    held: Mutex<Vec<TcpStream>>,
}

impl Double {
    /// Starts one.
    pub(super) fn start(protocol: Protocol, does: Does) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, seen) = (listener.local_addr()?, Arc::new(Seen::default()));
        let keeper = Arc::clone(&seen);
        // It ends with the process, which does nothing but this check.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                keeper.n_connections.fetch_add(1, Ordering::SeqCst);
                let seen = Arc::clone(&keeper);
                // An error of a connection is the other side's doing.
                thread::spawn(move || drop(seen.serve(stream, protocol, does)));
            }
        });
        Ok(Self { address, seen })
    }

    /// Finds an address where nobody listens.
    pub(super) fn nobody() -> io::Result<SocketAddr> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }
}

impl Seen {
    /// How many connections came.
    pub(super) fn n_connections(&self) -> usize {
        self.n_connections.load(Ordering::SeqCst)
    }

    /// Of how many requests something has arrived.
    pub(super) fn n_begun(&self) -> usize {
        self.n_begun.load(Ordering::SeqCst)
    }

    /// The requests that arrived in full.
    pub(super) fn requests(&self) -> Vec<Vec<u8>> {
        lock(&self.requests).clone()
    }

    fn serve(&self, mut stream: TcpStream, protocol: Protocol, does: Does) -> io::Result<()> {
        let mut head = String::new();
        if protocol == Protocol::Http {
            stream.set_read_timeout(Some(READ_MAX))?;
            let request = self.read(&mut stream)?;
            let is_head = |part: &[u8]| part == b"\r\n\r\n";
            let head_len = request.windows(4).position(is_head).unwrap_or(request.len());
            head = String::from_utf8_lossy(&request[..head_len]).into_owned();
            lock(&self.requests).push(request);
        }
        match does {
            Does::Answers(status) => {
                let answer = format!(
                    "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{head}",
                    head.len()
                );
                let answer = if status.starts_with("204") {
                    format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n")
                } else {
                    answer
                };
                stream.write_all(answer.as_bytes())?;
                stream.shutdown(Shutdown::Write)
            }
            Does::Hangs => {
                lock(&self.held).push(stream);
                Ok(())
            }
            Does::Drips => {
                stream.write_all(b"HTTP/1.1 200 ")?;
                loop {
                    stream.write_all(b"x")?;
                    thread::sleep(DRIP_PAUSE);
                }
            }
            Does::Resets => reset_on_close(&stream),
            Does::Closes => Ok(()),
        }
    }

    /// Reads one request to its end.
    fn read(&self, stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        let mut request = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        while !is_whole(&request) && request.len() < REQUEST_SIZE_MAX {
            let n_read = stream.read(&mut buffer)?;
            if n_read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if request.is_empty() {
                self.n_begun.fetch_add(1, Ordering::SeqCst);
            }
            request.extend_from_slice(&buffer[..n_read]);
        }
        Ok(request)
    }
}

/// Whether a request has all that its head says.
fn is_whole(request: &[u8]) -> bool {
    let Some(head_len) = request.windows(4).position(|part| part == b"\r\n\r\n") else { return false };
    let (head, body) = (String::from_utf8_lossy(&request[..head_len]), &request[head_len + 4..]);
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    };
    if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return body.ends_with(b"0\r\n\r\n");
    }
    header("content-length").and_then(|len| len.parse().ok()).unwrap_or(0) <= body.len()
}

/// Makes the end of a connection a break: what is on its way is lost, and the other side is told so.
fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the descriptor is open, and the option is read from a `linger` of this size.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
