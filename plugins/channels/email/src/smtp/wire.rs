//! Bytes to and from a server, where no wait is longer than it may be.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The longest line that a server may send, in bytes. The protocol allows 512.
const LINE_LEN_MAX: usize = 4_096;
/// How long to wait for one of several addresses of a server.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A connection. Every wait on it ends by the same moment, however slowly the bytes come.
pub(crate) struct Wire {
    stream: Stream,
    unread: Vec<u8>,
}

enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
    /// The attempt to encrypt it failed.
    Gone,
}

/// A socket whose reads and writes end in time.
struct Timed {
    socket: TcpStream,
    until: Instant,
}

impl Wire {
    /// Connects to one of the addresses of `host`.
    pub(crate) fn connect(host: &str, port: u16, until: Instant) -> io::Result<Self> {
        let addresses = addresses(host, port, until)?;
        let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, left(until)?.min(CONNECT_MAX)) {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    let stream = Stream::Plain(Timed { socket, until });
                    return Ok(Self { stream, unread: Vec::new() });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sets the moment by which every wait ends.
    pub(crate) fn wait_until(&mut self, until: Instant) {
        match &mut self.stream {
            Stream::Plain(timed) => timed.until = until,
            Stream::Tls(stream) => stream.sock.until = until,
            Stream::Gone => {}
        }
    }

    /// Encrypts what follows, after checking that the server is `host`.
    pub(crate) fn encrypt(&mut self, config: &Arc<ClientConfig>, host: &str) -> io::Result<()> {
        // What came before in clear may be anybody's.
        if !self.unread.is_empty() {
            return Err(io::Error::new(ErrorKind::InvalidData, "the server spoke before TLS began"));
        }
        let Stream::Plain(mut timed) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(io::Error::new(ErrorKind::NotConnected, "there is no connection to encrypt"));
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut timed)?;
        }
        self.stream = Stream::Tls(Box::new(StreamOwned::new(tls, timed)));
        Ok(())
    }

    /// Tells our own address.
    pub(crate) fn own_address(&self) -> io::Result<IpAddr> {
        let socket = match &self.stream {
            Stream::Plain(timed) => &timed.socket,
            Stream::Tls(stream) => &stream.sock.socket,
            Stream::Gone => return Err(ErrorKind::NotConnected.into()),
        };
        socket.local_addr().map(|address| address.ip())
    }

    /// Sends bytes. An error says that not all of them left.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream: &mut dyn Write = match &mut self.stream {
            Stream::Plain(timed) => timed,
            Stream::Tls(stream) => stream,
            Stream::Gone => return Err(ErrorKind::NotConnected.into()),
        };
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// Reads one line, without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(len) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=len).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
            if LINE_LEN_MAX < self.unread.len() {
                return Err(io::Error::new(ErrorKind::InvalidData, "the server sends a line without end"));
            }
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let stream: &mut dyn Read = match &mut self.stream {
            Stream::Plain(timed) => timed,
            Stream::Tls(stream) => stream,
            Stream::Gone => return Err(ErrorKind::NotConnected.into()),
        };
        let mut chunk = [0; 1_024];
        match stream.read(&mut chunk) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => {
                self.unread.extend(chunk.iter().take(len));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.until)?))?;
        self.socket.read(bytes).map_err(in_time)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.until)?))?;
        self.socket.write(bytes).map_err(in_time)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Resolves a name on a thread of its own: nothing else bounds how long the system takes for it.
fn addresses(host: &str, port: u16, until: Instant) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, resolved) = mpsc::channel();
    let host = host.to_owned();
    thread::Builder::new().name("resolve".into()).spawn(move || {
        let addresses = (host, port).to_socket_addrs().map(Iterator::collect);
        // Nobody may be waiting any more.
        drop(sender.send(addresses));
    })?;
    resolved.recv_timeout(left(until)?).map_err(|_| io::Error::from(ErrorKind::TimedOut))?
}

/// Tells how long is left, at least a moment.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// What a socket says when its time-out is over depends on the system.
fn in_time(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}
