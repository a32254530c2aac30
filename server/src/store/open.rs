//! Opening a database so that what it says is committed is on disk.

use super::{Store, StoreError};
use podium_migrations::{Migrations, Migrator};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use std::time::Duration;

/// The first version of SQLite whose WAL reset is known to be sound.
const SQLITE_VERSION_MIN: [u32; 3] = [3, 51, 3];
const READERS_MAX: u32 = 8;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pages of 4 KiB after which the write-ahead log is copied into the database: 64 MiB. A page that many flushes
/// change is copied once.
const WAL_PAGES: &str = "16384";
/// Rows that a reading statement may be ahead of who reads them, so that threads do not take turns row by row.
const ROW_BUFFER: usize = 4_096;
/// Statements kept prepared on each connection.
const STATEMENT_CACHE: usize = 256;

impl Store {
    /// Opens `url` (`sqlite:PATH` or `postgres://…`), checks that commits are durable, and brings the schema up
    /// to date.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if it cannot be reached, [`StoreError::Query`] if it refuses to be durable.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let writer = Database::connect(options(url, 1)).await?;
        if writer.get_database_backend() == DbBackend::Sqlite {
            check_sqlite(&writer).await?;
        } else {
            check_postgres(&writer).await?;
        }
        let reader = Database::connect(options(url, READERS_MAX)).await?;
        let store = Self { writer, reader };
        Migrator::up(store.writer(), None).await?;
        Ok(store)
    }
}

fn options(url: &str, connections_max: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(connections_max)
        .min_connections(1)
        .acquire_timeout(BUSY_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .busy_timeout(BUSY_TIMEOUT)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .pragma("secure_delete", "ON")
                .pragma("temp_store", "MEMORY")
                .pragma("trusted_schema", "OFF")
                .pragma("fullfsync", "ON")
                .pragma("cache_size", "-65536")
                .pragma("wal_autocheckpoint", WAL_PAGES)
                .row_buffer_size(ROW_BUFFER)
                .statement_cache_capacity(STATEMENT_CACHE)
        })
        .map_sqlx_postgres_opts(|postgres| postgres.statement_cache_capacity(STATEMENT_CACHE));
    options
}

async fn setting(db: &DatabaseConnection, sql: &str) -> Result<String, StoreError> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| StoreError::Query(format!("`{sql}` has no answer")))?;
    match row.try_get_by_index::<String>(0) {
        Ok(text) => Ok(text),
        Err(_) => Ok(row.try_get_by_index::<i64>(0)?.to_string()),
    }
}

async fn check_sqlite(db: &DatabaseConnection) -> Result<(), StoreError> {
    let version = setting(db, "SELECT sqlite_version()").await?;
    let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if numbers.as_slice() < SQLITE_VERSION_MIN.as_slice() {
        return Err(StoreError::Query(format!(
            "SQLite {version} can damage its write-ahead log; 3.51.3 or newer is needed"
        )));
    }
    for (pragma, wanted) in
        [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1"), ("secure_delete", "1")]
    {
        let found = setting(db, &format!("PRAGMA {pragma}")).await?;
        if found != wanted {
            return Err(StoreError::Query(format!("SQLite has {pragma} = {found}, {wanted} is needed")));
        }
    }
    Ok(())
}

async fn check_postgres(db: &DatabaseConnection) -> Result<(), StoreError> {
    let version: u32 = setting(db, "SHOW server_version_num").await?.parse().unwrap_or(0);
    if version < 140_000 {
        return Err(StoreError::Query(format!("PostgreSQL 14 or newer is needed, this is {version}")));
    }
    for (name, wanted) in [("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")] {
        let found = setting(db, &format!("SHOW {name}")).await?;
        if found != wanted {
            return Err(StoreError::Query(format!("PostgreSQL has {name} = {found}, {wanted} is needed")));
        }
    }
    Ok(())
}
