//! Connections that are kept for the next message.

use crate::smtp::reply::Reply;
use crate::smtp::session::{Failure, Server, Session};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many connections wait for the next message.
const IDLE_MAX: usize = 8;
/// How long one waits. Servers close theirs after minutes, and what stands between forgets them sooner.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);

/// How long one may take to show that it still works.
const RESET_MAX: Duration = Duration::from_secs(5);

/// A server, and connections to it.
pub(crate) struct Pool {
    server: Server,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    session: Session,
    since: Instant,
}

/// A message in an envelope.
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) message: Vec<u8>,
    /// Its own name, equal for all attempts.
    pub(crate) message_id: String,
}

/// How long things may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// By when the server has all of the message.
    pub(crate) sent: Instant,
    /// By when it has said whether it takes it.
    pub(crate) answered: Instant,
}

/// Why a message was not sent, or nobody knows.
#[derive(Debug)]
pub(crate) enum NotSent {
    Failed(Failure),
    /// It must not begin any more.
    Cancelled,
}

impl NotSent {
    fn leaves_connection(&self) -> bool {
        match self {
            Self::Failed(failure) => failure.leaves_connection(),
            Self::Cancelled => true,
        }
    }
}

impl From<Failure> for NotSent {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Pool {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, idle: Mutex::default() }
    }

    /// Connects, logs in, and sends nothing.
    pub(crate) fn try_out(&self, until: Instant) -> Result<(), Failure> {
        Session::open(&self.server, until).map(Session::quit)
    }

    /// Sends a message. `begin` is asked just before it can leave, and may forbid it.
    pub(crate) fn send(
        &self,
        letter: &Letter,
        limits: Limits,
        begin: impl FnOnce() -> bool,
    ) -> Result<Reply, NotSent> {
        let mut session = self.session_for(letter, limits.sent)?;
        let sent = send_on(&mut session, letter, limits, begin);
        // A connection that broke is dropped without a word, which in the middle of a message would become part
        // of it.
        if sent.as_ref().err().is_none_or(NotSent::leaves_connection) {
            self.keep(session);
        }
        sent
    }

    /// Finds a connection on which the server takes our sender. Those that it has closed meanwhile do not count.
    fn session_for(&self, letter: &Letter, until: Instant) -> Result<Session, Failure> {
        while let Some(mut session) = self.take_idle() {
            session.wait_until(until.min(Instant::now() + RESET_MAX));
            if session.reset().is_err() {
                continue;
            }
            session.wait_until(until);
            match session.sender(&letter.from, letter.message.len()) {
                Err(failure) if !failure.leaves_connection() => {}
                answered => return self.with(session, answered),
            }
        }
        let mut session = Session::open(&self.server, until)?;
        let answered = session.sender(&letter.from, letter.message.len());
        self.with(session, answered)
    }

    fn with(&self, session: Session, answered: Result<(), Failure>) -> Result<Session, Failure> {
        match answered {
            Ok(()) => Ok(session),
            Err(failure) => {
                if failure.leaves_connection() {
                    self.keep(session);
                }
                Err(failure)
            }
        }
    }

    fn keep(&self, session: Session) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(Idle { session, since: Instant::now() });
        } else {
            drop(idle);
            session.quit();
        }
    }

    /// Takes the connection that was used last, and lets go of those that have waited too long.
    fn take_idle(&self) -> Option<Session> {
        let mut idle = lock(&self.idle);
        let fresh = idle.iter().position(|idle| idle.since.elapsed() < IDLE_TIME_MAX).unwrap_or(idle.len());
        let stale: Vec<Idle> = idle.drain(..fresh).collect();
        let taken = idle.pop();
        drop(idle);
        for idle in stale {
            idle.session.quit();
        }
        taken.map(|idle| idle.session)
    }
}

fn send_on(
    session: &mut Session,
    letter: &Letter,
    limits: Limits,
    begin: impl FnOnce() -> bool,
) -> Result<Reply, NotSent> {
    session.recipient(&letter.to)?;
    if !begin() {
        return Err(NotSent::Cancelled);
    }
    session.data()?;
    session.content(&letter.message)?;
    session.wait_until(limits.answered);
    Ok(session.verdict()?)
}

fn lock(idle: &Mutex<Vec<Idle>>) -> MutexGuard<'_, Vec<Idle>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Letter, Limits, NotSent, Pool};
    use crate::outcome;
    use crate::smtp::session::{Server, Step, Tls};
    use podium_plugin::Outcome;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::{Duration, Instant};

    /// More than the system keeps of what is on its way between two sockets.
    const MESSAGE_LEN: usize = 64 << 20;

    fn pool(port: u16) -> Pool {
        Pool::new(Server { host: "127.0.0.1".to_owned(), port, tls: Tls::None, login: None })
    }

    fn letter(len: usize) -> Letter {
        let [from, to, message_id] = ["a@a.example", "b@b.example", "<1@a.example>"].map(ToOwned::to_owned);
        Letter { from, to, message: vec![b'x'; len], message_id }
    }

    /// Listens, and answers as it should up to the message; then it goes, or reads no more.
    fn server(goes: bool) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let mut reader = BufReader::new(listener.accept().unwrap().0);
            for reply in ["220 hi", "250 hi", "250 ok", "250 ok"] {
                reader.get_mut().write_all(format!("{reply}\r\n").as_bytes()).unwrap();
                reader.read_line(&mut String::new()).unwrap();
            }
            reader.get_mut().write_all(b"354 go\r\n").unwrap();
            reader.read_exact(&mut [0; 64]).unwrap();
            if !goes {
                // As long as the test runs.
                thread::park();
            }
        });
        port
    }

    #[test]
    fn a_break_in_the_middle_of_the_message_is_deferred() {
        for goes in [true, false] {
            let pool = pool(server(goes));
            let letter = letter(MESSAGE_LEN);
            let end = Instant::now() + Duration::from_secs(if goes { 60 } else { 2 });
            let sent = pool.send(&letter, Limits { sent: end, answered: end }, || true);
            let Err(NotSent::Failed(failure)) = sent else { panic!("{sent:?}") };
            assert_eq!(failure.step, Step::Content, "{failure:?}");
            assert_eq!(outcome::of(&failure), Outcome::Deferred { after_s: 0 });
        }
    }

    #[test]
    fn a_message_that_must_not_begin_is_not_sent_and_leaves_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let mut reader = BufReader::new(listener.accept().unwrap().0);
            reader.get_mut().write_all(b"220 hi\r\n").unwrap();
            let mut commands = Vec::new();
            let mut line = String::new();
            while 0 < reader.read_line(&mut line).unwrap() {
                commands.extend(line.split_whitespace().next().map(ToOwned::to_owned));
                line.clear();
                reader.get_mut().write_all(b"250 ok\r\n").unwrap();
            }
            commands
        });
        let pool = pool(port);
        let end = Instant::now() + Duration::from_mins(1);
        for _ in 0..2 {
            let sent = pool.send(&letter(1), Limits { sent: end, answered: end }, || false);
            assert!(matches!(sent, Err(NotSent::Cancelled)), "{sent:?}");
        }
        drop(pool);
        assert_eq!(server.join().unwrap(), ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT"]);
    }
}
