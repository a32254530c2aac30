//! The least that stores a shopper's events durably: rows into one table with a unique key, a thousand to a
//! transaction, `synchronous=FULL`. Prints rows, elapsed microseconds and CPU ticks for `tests/bench/run`.
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
         CREATE TABLE event (seq INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
             unit TEXT NOT NULL, order_id TEXT, event_time INTEGER NOT NULL, body TEXT NOT NULL);",
    )?;
    let (begun, before) = (Instant::now(), ticks());
    for transaction_idx in 0..N_TRANSACTIONS {
        let transaction = db.transaction()?;
        {
            let mut insert = transaction.prepare(
                "INSERT INTO event (message_id, name, unit, order_id, event_time, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (message_id) DO NOTHING",
            )?;
            for row_idx in 0..ROWS_PER_TRANSACTION {
                let number = transaction_idx * ROWS_PER_TRANSACTION + row_idx;
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
