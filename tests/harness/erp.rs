//! Another system of the shop, which answers `GET` as it is told and remembers who asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A request that came whole.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The path with the query, as it came.
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
}

/// What it is answered: a status, lines of headers, a body.
#[derive(Clone, Debug)]
pub(crate) struct Said(pub(crate) u16, pub(crate) String, pub(crate) String);

/// What is answered to whom; it may take its time.
type Answers = dyn Fn(&Question) -> Said + Send + Sync;

/// A server on a free port, until the test ends.
#[derive(Debug)]
pub(crate) struct Erp {
    url: String,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl Erp {
    /// Listens.
    pub(crate) fn new(answers: impl Fn(&Question) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen): (Arc<Answers>, _) = (Arc::new(answers), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                thread::spawn(move || serve(&stream, &*answers, &seen));
            }
        });
        Self { url, asked }
    }

    /// Where it is, without a path.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Everything that was asked, in its order.
    pub(crate) fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }

    /// How often it was asked about what stands at the end of the path.
    pub(crate) fn n_asked(&self, end: &str) -> usize {
        self.asked().iter().filter(|question| question.path.ends_with(end)).count()
    }
}

/// Answers one request and closes the connection.
fn serve(mut stream: &TcpStream, answers: &Answers, seen: &Mutex<Vec<Question>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty());
    let headers = headers.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let question = Question { path, headers: headers.collect() };
    seen.lock().unwrap().push(question.clone());
    let Said(status, headers, body) = answers(&question);
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    // Who went away does not hear it.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    Some(())
}

/// Holds answers back until it is opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everything through, now and later.
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open.
    pub(crate) fn pass(&self) {
        let open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(open, |is_open| !*is_open).unwrap());
    }
}
