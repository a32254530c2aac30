//! Many rows in few statements, on both databases.

use super::StoreError;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use std::fmt::Write;

/// Rows in one statement. Few sizes, so that each statement is prepared once and kept.
const CHUNKS: [usize; 4] = [128, 32, 8, 1];

/// An insert of many rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Insert<'a> {
    /// Where they go.
    pub(crate) table: &'a str,
    /// The columns, in the order of the values.
    pub(crate) columns: &'a [&'a str],
    /// What follows the values, such as `ON CONFLICT …`.
    pub(crate) suffix: &'a str,
}

impl Insert<'_> {
    /// Inserts rows whose values stand one after another.
    ///
    /// # Errors
    ///
    /// [`StoreError`], with nothing said about which rows went in: the transaction is to be given up.
    pub(crate) async fn rows(&self, db: &impl ConnectionTrait, values: Vec<Value>) -> Result<(), StoreError> {
        let n_columns = self.columns.len();
        let mut n_rows = values.len() / n_columns;
        let mut values = values.into_iter();
        for chunk in CHUNKS {
            while chunk <= n_rows {
                let some: Vec<Value> = values.by_ref().take(chunk * n_columns).collect();
                let backend = db.get_database_backend();
                let sql = self.sql(chunk, backend);
                db.execute_raw(Statement::from_sql_and_values(backend, sql, some)).await?;
                n_rows -= chunk;
            }
        }
        Ok(())
    }

    fn sql(&self, n_rows: usize, backend: DbBackend) -> String {
        let n_columns = self.columns.len();
        let mut sql = String::with_capacity(64 + n_rows * n_columns * 6);
        let _ = write!(sql, "INSERT INTO {} ({}) VALUES ", self.table, self.columns.join(", "));
        for row_idx in 0..n_rows {
            sql.push_str(if row_idx == 0 { "(" } else { ", (" });
            for column_idx in 0..n_columns {
                let comma = if column_idx == 0 { "" } else { ", " };
                // SQLite looks a numbered parameter up among all of them, each time.
                let _ = match backend {
                    DbBackend::Postgres => write!(sql, "{comma}${}", row_idx * n_columns + column_idx + 1),
                    _ => write!(sql, "{comma}?"),
                };
            }
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(self.suffix);
        sql
    }
}

/// A condition that `column` is one of the texts in the JSON list that is parameter `$n`.
pub(crate) fn in_json_list(backend: DbBackend, column: &str, n: u32) -> String {
    match backend {
        DbBackend::Postgres => {
            format!("{column} = ANY(ARRAY(SELECT jsonb_array_elements_text(${n}::jsonb)))")
        }
        _ => format!("{column} IN (SELECT value FROM json_each(${n}))"),
    }
}

/// A JSON list of texts.
pub(crate) fn json_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.collect::<serde_json::Value>().to_string()
}
