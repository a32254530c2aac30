//! One client for all providers: HTTP/1.1 and HTTP/2, connections that are kept, no redirects, no proxy.
//!
//! When there is no answer it says what a sender must know: whether the request can have left.

mod connect;
mod connection;
mod pool;
mod reach;

use crate::moment::Moment;
use connect::Connector;
use connection::{Connection, NotAnswered, answer};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use podium_plugin::prelude::*;
use pool::Pool;
use tokio::time::timeout_at;
use tokio_rustls::rustls::RootCertStore;
use url::Url;

pub(crate) use hyper::StatusCode;
pub(crate) use hyper::header;
pub(crate) use reach::Reach;

/// How often a request is tried that came upon a connection which the other side had closed.
const TRIES_MAX: usize = 3;
/// The longest wait that a provider may ask for.
const RETRY_S_MAX: u32 = 86_400;
/// When to try again if nothing says when.
pub(crate) const RETRY_S: u32 = 30;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/2, without asking where there is no TLS to ask by.
    Http2,
    /// HTTP/2 if the other side offers it by TLS, HTTP/1.1 otherwise.
    Negotiated,
}

/// Sends requests; for many threads at a time.
pub(crate) struct Http {
    connector: Connector,
    pool: Pool,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Empty if it was too long, too slow, or broke off: the status says enough.
    pub(crate) body: Bytes,
}

/// Why nothing came back.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// It would lead where it may not.
    Forbidden(String),
    /// It cannot have left, or the other side said that it did nothing with it.
    NotSent(String),
    /// It may have arrived.
    Unknown(String),
}

impl Http {
    pub(crate) fn new(protocol: Protocol, reach: Reach, roots: &RootCertStore) -> Result<Self> {
        Ok(Self { connector: Connector::new(protocol, reach, roots)?, pool: Pool::default() })
    }

    /// Posts `body`, and waits for the answer until the moment's deadline.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: &HeaderMap,
        body: Vec<u8>,
        moment: &Moment,
    ) -> Result<Answer, NoAnswer> {
        let body = Bytes::from(body);
        for _ in 0..TRIES_MAX {
            let mut connection = self.connection(url, moment).await?;
            let sent = timeout_at(moment.deadline, connection.post(url, headers, body.clone())).await;
            match sent.map_err(|_| NoAnswer::Unknown("no answer in time".into()))? {
                Ok(response) => {
                    let answer = answer(response, moment.deadline).await;
                    self.pool.put(url, connection);
                    return Ok(answer);
                }
                Err(NotAnswered::Closed) => {}
                Err(NotAnswered::NotProcessed(text)) => return Err(NoAnswer::NotSent(text)),
                Err(NotAnswered::Unknown(text)) => return Err(NoAnswer::Unknown(text)),
            }
        }
        Err(NoAnswer::NotSent("the other side closes every connection".into()))
    }

    /// Sees to it that there is a connection, and sends nothing.
    pub(crate) async fn connect(&self, url: &Url, moment: &Moment) -> Result<(), NoAnswer> {
        let connection = self.connection(url, moment).await?;
        self.pool.put(url, connection);
        Ok(())
    }

    async fn connection(&self, url: &Url, moment: &Moment) -> Result<Connection, NoAnswer> {
        let taken = timeout_at(moment.deadline, self.pool.take(url, &self.connector)).await;
        taken.map_err(|_| NoAnswer::NotSent("no connection in time".into()))?
    }
}

impl Answer {
    /// Tells when to try again, in seconds.
    pub(crate) fn retry_after_s(&self, otherwise: u32) -> u32 {
        let header = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        header.and_then(|text| text.trim().parse().ok()).unwrap_or(otherwise).min(RETRY_S_MAX)
    }

    /// Says for the operator what came back; `reason` is the provider's word for it, or empty.
    pub(crate) fn words(&self, reason: &str) -> String {
        let words = match self.status {
            status if status.is_redirection() => "redirects are not followed",
            _ => reason,
        };
        let separator = if words.is_empty() { "" } else { ": " };
        format!("HTTP {}{separator}{words}", self.status.as_u16())
    }
}

impl NoAnswer {
    /// Says what becomes of the message, and tells the operator why if the outcome cannot.
    pub(crate) fn outcome(self, provider: &str) -> Outcome {
        match self {
            Self::Forbidden(text) => Outcome::Rejected(text),
            Self::NotSent(text) => noted(provider, &text, Outcome::Deferred { after_s: RETRY_S }),
            Self::Unknown(text) => Outcome::Unknown(text),
        }
    }
}

/// Logs what an outcome has no room for.
pub(crate) fn noted(provider: &str, words: &str, outcome: Outcome) -> Outcome {
    log(Level::Warn, &format!("{provider}: {words}"));
    outcome
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Connection, Http, Moment, NotAnswered, Protocol, Reach, StatusCode};
    use hyper::HeaderMap;
    use std::future::Future;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;
    use tokio::io::duplex;
    use tokio::runtime::Builder;
    use tokio::task::yield_now;
    use tokio::time::Instant;
    use tokio_rustls::rustls::RootCertStore;
    use url::Url;

    /// On one thread, so that nobody looks at a socket until we wait for something.
    fn alone<T>(work: impl Future<Output = T>) -> T {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn http() -> Http {
        Http::new(Protocol::Negotiated, Reach::Anywhere, &RootCertStore::empty()).unwrap()
    }

    /// A connection that the other side has just closed, which nobody has noticed; before, it may have waited for
    /// requests.
    async fn just_closed(is_http2: bool, has_waited: bool) -> Connection {
        let (ours, theirs) = duplex(1 << 10);
        let connection = Connection::open(ours, is_http2).await.unwrap();
        if has_waited {
            yield_now().await;
        }
        drop(theirs);
        assert!(!connection.is_closed());
        connection
    }

    /// Answers one request.
    fn service() -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"\r\n\r\nhello") {
                let mut some = [0; 256];
                let len = stream.read(&mut some).unwrap();
                got.extend(&some[..len]);
            }
            stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        url.parse().unwrap()
    }

    #[test]
    fn a_connection_that_closes_in_the_instant_of_use_says_that_nothing_left() {
        for (is_http2, has_waited) in [(false, false), (false, true), (true, false), (true, true)] {
            let url = "http://push.example/".parse().unwrap();
            let sent = alone(async {
                let mut connection = just_closed(is_http2, has_waited).await;
                connection.post(&url, &HeaderMap::new(), Bytes::from_static(b"hello")).await
            });
            assert!(matches!(sent, Err(NotAnswered::Closed)), "{is_http2} {has_waited}");
        }
    }

    #[test]
    fn a_connection_that_closes_in_the_instant_of_use_is_replaced() {
        for has_waited in [false, true] {
            let (http, url) = (http(), service());
            let answer = alone(async {
                http.pool.put(&url, just_closed(false, has_waited).await);
                let moment = Moment { now_s: 0, deadline: Instant::now() + Duration::from_secs(20) };
                http.post(&url, &HeaderMap::new(), b"hello".to_vec(), &moment).await
            });
            assert_eq!(answer.unwrap().status, StatusCode::CREATED);
        }
    }
}
