//! A mail server that answers, fails and hangs as told, and remembers what it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does when a command comes, or at its beginning (`""`), or when a message has come (`"."`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// What a server that works does.
    Usual,
    /// Says this.
    Says(&'static str),
    /// Says this, and closes.
    Closes(&'static str),
    /// Says nothing until the other side goes.
    Hangs,
    /// Begins an answer, and sends the rest of it byte by byte without an end.
    Drips,
}

/// What the server got.
#[derive(Default)]
pub(crate) struct Got {
    pub(crate) n_connections: usize,
    /// The commands of all connections.
    pub(crate) commands: Vec<String>,
    /// The messages as they came, without the dot that ends them.
    pub(crate) messages: Vec<String>,
}

/// A server that runs as long as the test does.
pub(crate) struct Scripted {
    pub(crate) port: u16,
    got: Arc<Mutex<Got>>,
}

impl Scripted {
    /// Starts a server; `script` is told the number of the connection and the command's first word.
    pub(crate) fn start(script: impl Fn(usize, &str) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (got, script) = (Arc::new(Mutex::new(Got::default())), Arc::new(script));
        let shared = Arc::clone(&got);
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (script, got) = (Arc::clone(&script), Arc::clone(&shared));
                got.lock().unwrap().n_connections += 1;
                thread::spawn(move || {
                    let script = |command: &str| script(connection, command);
                    // The other side may go at any time.
                    drop(Conversation::new(stream.unwrap(), got).run(&script));
                });
            }
        });
        Self { port, got }
    }

    /// Takes what it got so far.
    pub(crate) fn got(&self) -> Got {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

struct Conversation {
    reader: BufReader<TcpStream>,
    got: Arc<Mutex<Got>>,
}

/// The conversation is over.
struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Conversation {
    fn new(stream: TcpStream, got: Arc<Mutex<Got>>) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream), got }
    }

    fn run(mut self, script: &dyn Fn(&str) -> Does) -> Result<(), Over> {
        self.answer(script(""), "220 mail.example ESMTP")?;
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            assert!(line.ends_with("\r\n"), "{line:?}");
            let line = line.trim_end();
            self.got.lock().unwrap().commands.push(line.to_owned());
            let word = line.split([' ', ':']).next().unwrap_or_default();
            let usual = match word {
                "EHLO" => "250-mail.example\r\n250-AUTH LOGIN PLAIN\r\n250 SIZE 50000000",
                "AUTH" => "235 2.7.0 welcome",
                "DATA" => "354 go ahead",
                "QUIT" => "221 2.0.0 bye",
                _ => "250 2.0.0 Ok",
            };
            let does = script(word);
            self.answer(does, usual)?;
            if word == "DATA" && does == Does::Usual {
                let message = self.message()?;
                self.got.lock().unwrap().messages.push(message);
                self.answer(script("."), "250 2.0.0 Ok: queued as 4F1B2C")?;
            }
        }
    }

    /// Reads up to the dot that ends a message, as strictly as the standard says.
    fn message(&mut self) -> Result<String, Over> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n.\r\n") {
            if self.reader.read_until(b'\n', &mut bytes)? == 0 {
                return Err(Over);
            }
        }
        bytes.truncate(bytes.len() - 3);
        let message = String::from_utf8(bytes).unwrap();
        let rest = message.replace("\r\n", "");
        assert!(!rest.contains(['\r', '\n']) && message.is_ascii(), "{message:?}");
        Ok(message.replace("\r\n..", "\r\n."))
    }

    fn answer(&mut self, does: Does, usual: &str) -> Result<(), Over> {
        let stream = self.reader.get_mut();
        match does {
            Does::Usual => write!(stream, "{usual}\r\n")?,
            Does::Says(reply) => write!(stream, "{reply}\r\n")?,
            Does::Closes(reply) => {
                write!(stream, "{reply}")?;
                return Err(Over);
            }
            Does::Hangs => {
                stream.read_to_end(&mut Vec::new())?;
                return Err(Over);
            }
            Does::Drips => loop {
                write!(stream, "2")?;
                thread::sleep(Duration::from_millis(5));
            },
        }
        Ok(())
    }
}
