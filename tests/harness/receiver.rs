//! An endpoint for webhooks, which answers as it is told and remembers what came.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request that came whole.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signature: String,
    pub(crate) body: String,
}

/// What it is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status, and lines of headers.
    Status(u16, &'static str),
    /// The connection is closed without an answer.
    Nothing,
}

type Answers = Arc<dyn Fn(&Posted, usize) -> Reply + Send + Sync>;

/// A server on a free port, until the test ends.
#[derive(Debug)]
pub(crate) struct Receiver {
    url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Receiver {
    /// Listens. `answers` is given each request and how many came before it.
    pub(crate) fn new(answers: impl Fn(&Posted, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let posted = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen): (Answers, _) = (Arc::new(answers), Arc::clone(&posted));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                thread::spawn(move || while serve(&stream, &answers, &seen).is_some() {});
            }
        });
        Self { url, posted }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Everything that came, in its order.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }
}

/// Answers one request; `None` at the end of the connection.
fn serve(stream: &TcpStream, answers: &Answers, seen: &Mutex<Vec<Posted>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut id, mut timestamp, mut signature) = (String::new(), String::new(), String::new());
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => value.trim().clone_into(&mut id),
            "webhook-timestamp" => value.trim().clone_into(&mut timestamp),
            "webhook-signature" => value.trim().clone_into(&mut signature),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let posted = Posted { id, timestamp, signature, body: String::from_utf8(body).ok()? };
    let n_before = {
        let mut seen = seen.lock().unwrap();
        seen.push(posted.clone());
        seen.len() - 1
    };
    match answers(&posted, n_before) {
        Reply::Status(status, headers) => {
            let mut stream = stream;
            let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n{headers}\r\n");
            stream.write_all(head.as_bytes()).ok()
        }
        Reply::Nothing => None,
    }
}
