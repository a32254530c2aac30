//! Open connections, kept for the next request to the same origin.

use super::NoAnswer;
use super::connect::Connector;
use super::connection::Connection;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use url::{Position, Url};

/// How many origins are remembered; with one more, all are forgotten. Endpoints of browsers decide which they
/// are, and there are few push services.
const ORIGINS_MAX: usize = 64;
/// How long a connection of HTTP/1.1 is kept, which nobody asks whether it is still there.
const IDLE_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Pool {
    origins: Mutex<HashMap<String, Arc<Kept>>>,
}

/// What is known of one origin.
#[derive(Default)]
struct Kept {
    free: Mutex<Free>,
    /// Held while a connection is being opened; tells when none could be opened the last time.
    opening: tokio::sync::Mutex<Option<Instant>>,
}

/// The connections to one origin: one of HTTP/2 for all, or as many of HTTP/1.1 as are not in use.
#[derive(Default)]
struct Free {
    shared: Option<Connection>,
    idle: Vec<(Connection, Instant)>,
}

impl Pool {
    /// Takes a connection to the origin of `url`, a new one if none is left. While one is being opened, others
    /// wait for it: it may be for all of them, and so is its failure.
    pub(crate) async fn take(&self, url: &Url, connector: &Connector) -> Result<Connection, NoAnswer> {
        let kept = self.kept(url);
        let began = Instant::now();
        if let Some(connection) = kept.free().take() {
            return Ok(connection);
        }
        let mut failed = kept.opening.lock().await;
        if let Some(connection) = kept.free().take() {
            return Ok(connection);
        }
        if failed.is_some_and(|failed| began < failed) {
            return Err(NoAnswer::NotSent("no connection for somebody else just now".into()));
        }
        let connection = connector.connect(url).await.inspect_err(|_| *failed = Some(Instant::now()))?;
        kept.free().shared = connection.share();
        Ok(connection)
    }

    /// Gives a connection back whose answer was read. It waits for nobody: the answer is there, and its deadline
    /// may be near.
    pub(crate) fn put(&self, url: &Url, connection: Connection) {
        if matches!(connection, Connection::Http1(_)) && !connection.is_closed() {
            self.kept(url).free().idle.push((connection, Instant::now()));
        }
    }

    fn kept(&self, url: &Url) -> Arc<Kept> {
        let origin = &url[..Position::AfterPort];
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = origins.get(origin) {
            return Arc::clone(kept);
        }
        if origins.len() >= ORIGINS_MAX {
            origins.clear();
        }
        Arc::clone(origins.entry(origin.to_owned()).or_default())
    }
}

impl Kept {
    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Free {
    fn take(&mut self) -> Option<Connection> {
        let shared = self.shared.take_if(|shared| shared.is_closed());
        drop(shared);
        if let Some(shared) = &self.shared {
            return shared.share();
        }
        self.idle.retain(|(connection, since)| !connection.is_closed() && since.elapsed() < IDLE_MAX);
        self.idle.pop().map(|(connection, _)| connection)
    }
}

impl Connection {
    /// Makes another one for the same socket, if the protocol allows.
    fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sender) => Some(Self::Http2(sender.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Connection, Connector, Pool, Url};
    use crate::http::{Protocol, Reach};
    use std::pin::pin;
    use std::task::{Context, Waker};
    use tokio::io::duplex;
    use tokio::runtime::Builder;
    use tokio_rustls::rustls::RootCertStore;

    #[test]
    fn nobody_waits_for_one_that_is_being_opened_while_another_is_free() {
        Builder::new_current_thread().build().unwrap().block_on(async {
            let connector = Connector::new(Protocol::Negotiated, Reach::Anywhere, &RootCertStore::empty());
            let (connector, pool) = (connector.unwrap(), Pool::default());
            let url: Url = "http://push.example/a".parse().unwrap();
            let kept = pool.kept(&url);
            let _opening = kept.opening.lock().await;
            let mut taking = pin!(pool.take(&url, &connector));
            let mut context = Context::from_waker(Waker::noop());
            assert!(taking.as_mut().poll(&mut context).is_pending(), "none is free");
            let (ours, _theirs) = duplex(1);
            pool.put(&url, Connection::open(ours, false).await.unwrap());
            assert!(pin!(pool.take(&url, &connector)).poll(&mut context).is_ready());
        });
    }
}
