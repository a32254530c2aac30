//! A mail server that takes everything, remembers it, and may break off after it has.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A mail that the server took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) text: String,
}

/// A server on a free port, until the test ends.
#[derive(Debug)]
pub(crate) struct MailServer {
    port: u16,
    taken: Arc<Mutex<Vec<Mail>>>,
}

type BreaksOff = Arc<dyn Fn(usize) -> bool + Send + Sync>;

impl Mail {
    /// A header's value, folded lines put together.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\r\n\r\n").next()?;
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut lines = unfolded.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }

    /// The addresses in its HTML that begin with `url`, without that.
    pub(crate) fn links(&self, url: &str) -> Vec<String> {
        let text = quoted_printable(&self.text).replace("&amp;", "&");
        text.split('"').filter_map(|part| part.strip_prefix(url).map(str::to_owned)).collect()
    }
}

impl MailServer {
    /// Listens. The n-th mail is taken and not answered if `breaks_off` says so.
    pub(crate) fn new(breaks_off: impl Fn(usize) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (breaks_off, seen): (BreaksOff, _) = (Arc::new(breaks_off), Arc::clone(&taken));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (breaks_off, seen) = (Arc::clone(&breaks_off), Arc::clone(&seen));
                thread::spawn(move || drop(serve(&stream, &breaks_off, &seen)));
            }
        });
        Self { port, taken }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Everything that was taken, in its order.
    pub(crate) fn taken(&self) -> Vec<Mail> {
        self.taken.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, breaks_off: &BreaksOff, taken: &Mutex<Vec<Mail>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream);
    let mut mail = Mail::default();
    stream.write_all(b"220 here\r\n")?;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let command = line.to_ascii_uppercase();
        if command.starts_with("RCPT TO") {
            let address = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
            address.map_or("", |(address, _)| address).clone_into(&mut mail.to);
        } else if command.starts_with("DATA") {
            stream.write_all(b"354 go on\r\n")?;
            loop {
                let mut line = String::new();
                if lines.read_line(&mut line)? == 0 {
                    // It broke off before the final dot: nothing was taken.
                    return Ok(());
                }
                if line == ".\r\n" {
                    break;
                }
                mail.text.push_str(line.strip_prefix('.').unwrap_or(&line));
            }
            let n_before = {
                let mut taken = taken.lock().unwrap();
                taken.push(std::mem::take(&mut mail));
                taken.len() - 1
            };
            if breaks_off(n_before) {
                return Ok(());
            }
        } else if command.starts_with("QUIT") {
            stream.write_all(b"221 bye\r\n")?;
            return Ok(());
        }
        stream.write_all(b"250 ok\r\n")?;
    }
}

fn quoted_printable(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'=');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
