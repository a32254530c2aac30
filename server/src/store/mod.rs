//! The one place that knows the database: SQLite opened for durability, or PostgreSQL.
//!
//! Rows stay in here; what goes in and out are domain types. Tables that every event touches are written with
//! statements of our own ([`log`], [`stats`]), many rows at a time; the rest goes through sea-orm entities.

pub(crate) mod audiences;
pub(crate) mod bookmark;
pub(crate) mod bulk;
pub(crate) mod channels;
mod entity;
pub(crate) mod experiences;
pub(crate) mod experiments;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod open;
pub(crate) mod outbox;
pub(crate) mod profiles;
pub(crate) mod rejected;
pub(crate) mod sent;
pub(crate) mod sources;
pub(crate) mod stats;
pub(crate) mod suppressions;
pub(crate) mod tail;
pub(crate) mod verdicts;
pub(crate) mod webhooks;
pub(crate) mod weights;

use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, RuntimeErr,
    SqlErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

/// The only project there is for now; every table that will know more of them has the column.
pub(crate) const PROJECT: i64 = 1;

/// What the store can answer instead of what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Something with this name is already there, or somebody else was faster.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The database is away, full or too slow; the same request may succeed later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A row breaks a rule of what it stands for.
    #[error("corrupt row: {0}")]
    Corrupt(String),
    /// A statement of ours is wrong.
    #[error("query failed: {0}")]
    Query(String),
}

impl StoreError {
    /// Whether the same request may succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(detail)) = error.sql_err() {
            return Self::Conflict(detail);
        }
        match error {
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Self::Unavailable(error.to_string()),
            DbErr::Exec(RuntimeErr::SqlxError(ref cause))
            | DbErr::Query(RuntimeErr::SqlxError(ref cause)) => match &**cause {
                sea_orm::SqlxError::Database(database) if !is_transient(database.code().as_deref()) => {
                    Self::Query(error.to_string())
                }
                _ => Self::Unavailable(error.to_string()),
            },
            _ => Self::Query(error.to_string()),
        }
    }
}

/// SQLite: busy, locked, I/O error, full, cannot open. PostgreSQL: classes 08, 53, 57, 58, 40.
fn is_transient(code: Option<&str>) -> bool {
    let Some(code) = code else { return true };
    match code.parse::<u32>() {
        Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 5 | 6 | 10 | 13 | 14),
        _ => ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class)),
    }
}

/// One database: a connection that writes, and others that read.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
}

impl Store {
    /// For reading.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For a single statement that writes by itself.
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Opens a transaction that writes; on SQLite it holds the write lock from the start.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let sqlite_transaction_mode =
            (self.backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
        Ok(self.writer.begin_with_options(options).await?)
    }

    /// Opens a transaction that reads: everything in it is of one moment.
    pub(crate) async fn snapshot(&self) -> Result<DatabaseTransaction, StoreError> {
        let is_postgres = self.backend() == DbBackend::Postgres;
        let options = TransactionOptions {
            isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: is_postgres.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: (!is_postgres).then_some(SqliteTransactionMode::Deferred),
        };
        Ok(self.reader.begin_with_options(options).await?)
    }

    /// Which database it is.
    pub(crate) fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }
}
