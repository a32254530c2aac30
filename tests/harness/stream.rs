//! A client of server-sent events that sees every line as it comes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any pause of a stream that is alive.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// An open stream; closed on drop.
#[derive(Debug)]
pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
    /// The status line and the headers, in lower case.
    pub(crate) head: Vec<String>,
}

impl Stream {
    /// Asks for a path and reads the head of the answer.
    #[track_caller]
    pub(crate) fn open(url: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let host = url.strip_prefix("http://").unwrap();
        let mut socket = TcpStream::connect(host).unwrap();
        socket.set_read_timeout(Some(SILENCE_MAX)).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {host}\r\n").unwrap();
        for (name, value) in headers {
            write!(socket, "{name}: {value}\r\n").unwrap();
        }
        socket.write_all(b"\r\n").unwrap();
        let mut stream = Self { reader: BufReader::new(socket), head: Vec::new() };
        loop {
            let line = stream.line().expect("the head of an answer");
            if line.is_empty() {
                return stream;
            }
            stream.head.push(line.to_lowercase());
        }
    }

    pub(crate) fn status(&self) -> &str {
        self.head[0].split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// What comes after `name: ` in the next line that begins with it; `None` at the end of the stream.
    pub(crate) fn next(&mut self, name: &str) -> Option<String> {
        loop {
            let line = self.line()?;
            if let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")) {
                return Some(value.to_owned());
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let n_read = self.reader.read_line(&mut line).unwrap_or_else(|error| panic!("no line: {error}"));
        (n_read > 0).then(|| line.trim_end().to_owned())
    }
}
