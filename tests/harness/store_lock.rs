//! Holding the store up from outside, as a backup, a slow disk or a careless administrator does.

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Nothing can be written to the event log while this lives.
#[derive(Debug)]
pub(crate) struct StoreLock {
    runtime: Runtime,
    db: DatabaseConnection,
}

impl StoreLock {
    /// Waits for whoever is writing, then keeps everyone from writing.
    #[track_caller]
    pub(crate) fn hold(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut options = ConnectOptions::new(url.to_owned());
        options
            .max_connections(1)
            .min_connections(1)
            .connect_timeout(Duration::from_secs(5))
            .sqlx_logging(false);
        let db = runtime.block_on(async {
            let db = Database::connect(options).await.unwrap();
            let statements: &[&str] = match db.get_database_backend() {
                DbBackend::Sqlite => &["PRAGMA busy_timeout = 10000", "BEGIN IMMEDIATE"],
                _ => &["BEGIN", "LOCK TABLE event_log IN ACCESS EXCLUSIVE MODE"],
            };
            for statement in statements {
                db.execute_unprepared(statement).await.unwrap();
            }
            db
        });
        Self { runtime, db }
    }

    pub(crate) fn release(self) {
        self.runtime.block_on(self.db.execute_unprepared("COMMIT")).unwrap();
    }
}

/// Changes a database behind the server's back.
#[track_caller]
pub(crate) fn tamper(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Database::connect(url).await.unwrap();
        let changed = db.execute_unprepared(sql).await.unwrap();
        assert!(changed.rows_affected() > 0, "nothing to change: {sql}");
    });
}
