//! What stands between a client and the server, refuses the first requests as an overloaded server would, and passes the
//! others on.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

/// A request with events that came.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) is_gzip: bool,
    pub(crate) n_bytes: usize,
    /// What the client was answered.
    pub(crate) status: u16,
}

/// A proxy on a free port, until the test ends.
#[derive(Debug)]
pub(crate) struct Refuser {
    url: String,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    target: OnceLock<String>,
    refusals: Vec<u16>,
    sent: Mutex<Vec<Sent>>,
}

struct Request {
    method: String,
    /// Everything before the body, without what concerns the connection.
    head: String,
    body: Vec<u8>,
    sent: Sent,
}

impl Refuser {
    /// Listens, and will answer the first `POST`s with these statuses.
    pub(crate) fn new(refusals: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (target, sent) = (OnceLock::new(), Mutex::default());
        let inner = Arc::new(Inner { target, refusals: refusals.to_vec(), sent });
        let serving = Arc::clone(&inner);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let inner = Arc::clone(&serving);
                thread::spawn(move || while inner.serve(&stream).is_some() {});
            }
        });
        Self { url, inner }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Passes on to the server at `url`.
    pub(crate) fn pass_on_to(&self, url: &str) {
        self.inner.target.set(url.strip_prefix("http://").unwrap().to_owned()).unwrap();
    }

    /// Every `POST` that came, in its order.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.inner.sent.lock().unwrap().clone()
    }
}

impl Inner {
    /// Answers one request; `None` at the end of the connection.
    fn serve(&self, mut client: &TcpStream) -> Option<()> {
        let request = read(client)?;
        if request.method != "POST" {
            return client.write_all(&self.ask(&request)?).ok();
        }
        let refused = {
            let mut sent = self.sent.lock().unwrap();
            let refused = self.refusals.get(sent.len()).copied();
            sent.push(Sent { status: refused.unwrap_or(200), ..request.sent.clone() });
            refused
        };
        let Some(status) = refused else { return client.write_all(&self.ask(&request)?).ok() };
        let body = "{\"success\":false,\"code\":\"later\",\"message\":\"later\"}";
        let head = format!(
            "HTTP/1.1 {status} Later\r\nretry-after: 1\r\naccess-control-allow-origin: *\r\n\
             access-control-expose-headers: retry-after\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        client.write_all((head + body).as_bytes()).ok()
    }

    /// What the server answers.
    fn ask(&self, request: &Request) -> Option<Vec<u8>> {
        let mut server = TcpStream::connect(self.target.get()?).ok()?;
        server.write_all(format!("{}connection: close\r\n\r\n", request.head).as_bytes()).ok()?;
        server.write_all(&request.body).ok()?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).ok()?;
        Some(answer)
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (method, rest) = line.trim_end().split_once(' ')?;
    let (method, path) = (method.to_owned(), rest.split(' ').next()?.to_owned());
    let mut request = Request {
        method,
        head: line.clone(),
        body: Vec::new(),
        sent: Sent { path, content_type: String::new(), is_gzip: false, n_bytes: 0, status: 0 },
    };
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => value.trim().clone_into(&mut request.sent.content_type),
            "content-encoding" => request.sent.is_gzip = value.trim() == "gzip",
            "content-length" => request.sent.n_bytes = value.trim().parse().ok()?,
            "connection" => continue,
            _ => {}
        }
        request.head.push_str(&line);
    }
    request.body = vec![0; request.sent.n_bytes];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
