//! Open connections, kept for the next request to the same origin.

use super::NoAnswer;
use super::connect::Connector;
use super::connection::Connection;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::{Position, Url};

/// How many origins are remembered; with one more, all are forgotten. Endpoints of browsers decide which they
/// are, and there are few push services.
const ORIGINS_MAX: usize = 64;
/// How long a connection of HTTP/1.1 is kept, which nobody asks whether it is still there.
const IDLE_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Pool {
    origins: std::sync::Mutex<HashMap<String, Arc<Mutex<Kept>>>>,
}

/// The connections to one origin: one of HTTP/2 for all, or as many of HTTP/1.1 as are not in use.
#[derive(Default)]
struct Kept {
    shared: Option<Connection>,
    idle: Vec<(Connection, Instant)>,
    /// When none could be opened the last time.
    failed: Option<Instant>,
}

impl Pool {
    /// Takes a connection to the origin of `url`, a new one if none is left. While one is being opened, others
    /// wait for it: it may be for all of them, and so is its failure.
    pub(crate) async fn take(&self, url: &Url, connector: &Connector) -> Result<Connection, NoAnswer> {
        let kept = self.kept(url);
        let began = Instant::now();
        let mut kept = kept.lock().await;
        if let Some(connection) = kept.take() {
            return Ok(connection);
        }
        if kept.failed.is_some_and(|failed| began < failed) {
            return Err(NoAnswer::NotSent("no connection for somebody else just now".into()));
        }
        let connection = connector.connect(url).await.inspect_err(|_| kept.failed = Some(Instant::now()))?;
        kept.shared = connection.share();
        Ok(connection)
    }

    /// Gives a connection back whose answer was read.
    pub(crate) async fn put(&self, url: &Url, connection: Connection) {
        if matches!(connection, Connection::Http1(_)) && !connection.is_closed() {
            self.kept(url).lock().await.idle.push((connection, Instant::now()));
        }
    }

    fn kept(&self, url: &Url) -> Arc<Mutex<Kept>> {
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
