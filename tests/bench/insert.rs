//! The least that stores a shopper's events durably: the same rows into the same table with the same indexes as the
//! server's log, a thousand to a transaction, `synchronous=FULL`, by rusqlite. Called again for the same file it goes
//! on where it ended, as the server does. Prints rows, elapsed microseconds and CPU ticks for `tests/bench/run`.
#![expect(clippy::print_stdout, reason = "the figures are for whoever started it")]

use rusqlite::{Connection, Result, params};
use std::time::Instant;

const N_TRANSACTIONS: i64 = 100;
const ROWS_PER_TRANSACTION: i64 = 1_000;
const N_UNITS: i64 = 20_000;

/// CPU time of this process so far, in the kernel's ticks.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "insert.sqlite".to_owned());
    let mut db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
         PRAGMA wal_autocheckpoint = 16384; PRAGMA secure_delete = ON;
         CREATE TABLE IF NOT EXISTS event_log (seq INTEGER PRIMARY KEY AUTOINCREMENT, project_id BIGINT NOT NULL,
             message_id TEXT NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, order_id TEXT, trust SMALLINT NOT NULL,
             event_time BIGINT NOT NULL, received_at BIGINT NOT NULL, sighting TEXT, body TEXT NOT NULL,
             UNIQUE (project_id, message_id));
         CREATE INDEX IF NOT EXISTS event_log_unit ON event_log (project_id, unit);
         CREATE INDEX IF NOT EXISTS event_log_order ON event_log (project_id, order_id) WHERE order_id IS NOT NULL;",
    )?;
    let known: i64 = db.query_row("SELECT COALESCE(MAX(seq), 0) FROM event_log", [], |row| row.get(0))?;
    let (begun, before) = (Instant::now(), ticks());
    for transaction_idx in 0..N_TRANSACTIONS {
        let transaction = db.transaction()?;
        {
            let mut insert = transaction.prepare(
                "INSERT INTO event_log (project_id, message_id, name, unit, order_id, trust, event_time, received_at,
                     sighting, body) VALUES (1, ?1, ?2, ?3, ?4, 0, ?5, ?5, NULL, ?6)",
            )?;
            for row_idx in 0..ROWS_PER_TRANSACTION {
                let number = known + transaction_idx * ROWS_PER_TRANSACTION + row_idx;
                // Units in an order that is not the key's, as shoppers come.
                let unit = format!("unit-{}", number.wrapping_mul(7_919) % N_UNITS);
                let (message_id, order_id) = (format!("{number:x}/completed"), format!("{number:x}"));
                let body = format!(
                    r#"{{"properties":{{"order_id":"{order_id}","revenue":"{}.50","currency":"USD"}}}}"#,
                    number % 200
                );
                insert.execute(params![message_id, "Order Completed", unit, order_id, number, body])?;
            }
        }
        transaction.commit()?;
    }
    let (rows, elapsed) = (N_TRANSACTIONS * ROWS_PER_TRANSACTION, begun.elapsed());
    println!("{rows} {} {}", elapsed.as_micros(), ticks() - before);
    Ok(())
}
