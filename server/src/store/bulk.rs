//! Many rows in few statements, on both databases.

use super::StoreError;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde::Serialize;

/// The most bytes of rows in one statement.
const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// An insert of many rows. They go to the database as one parameter, a JSON list of lists: a parameter for each
/// value costs more than the database takes to read JSON, and every statement is the same text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Insert<'a> {
    /// Where they go.
    pub(crate) table: &'a str,
    /// The columns, in the order of the values, each with its type in PostgreSQL.
    pub(crate) columns: &'a [(&'a str, &'a str)],
    /// The columns by which a row replaces an earlier one; if there are none, a row that is there already is an
    /// error.
    pub(crate) key: &'a [&'a str],
}

impl Insert<'_> {
    /// Inserts rows that [`lists`] made.
    ///
    /// # Errors
    ///
    /// [`StoreError`], with nothing said about which rows went in: the transaction is to be given up.
    pub(crate) async fn rows(&self, db: &impl ConnectionTrait, lists: Vec<String>) -> Result<(), StoreError> {
        let backend = db.get_database_backend();
        let sql = self.sql(backend);
        for list in lists {
            db.execute_raw(Statement::from_sql_and_values(backend, &sql, [list.into()])).await?;
        }
        Ok(())
    }

    /// Removes rows.
    ///
    /// - `lists`: the values of the key's columns, in the order of `key`, as [`lists`] made them.
    pub(crate) async fn remove(
        &self,
        db: &impl ConnectionTrait,
        lists: Vec<String>,
    ) -> Result<(), StoreError> {
        let backend = db.get_database_backend();
        let sql = self.removing_sql(backend);
        for list in lists {
            db.execute_raw(Statement::from_sql_and_values(backend, &sql, [list.into()])).await?;
        }
        Ok(())
    }

    fn removing_sql(&self, backend: DbBackend) -> String {
        let table = self.table;
        if backend != DbBackend::Postgres {
            let values: Vec<_> = (0..self.key.len()).map(|idx| format!("value->>{idx}")).collect();
            let (key, values) = (self.key.join(", "), values.join(", "));
            // The first member, by which SQLite judges whether an index will do, has to be of no type.
            return format!(
                "DELETE FROM {table} WHERE (0, {key}) IN (SELECT 0, {values} FROM jsonb_each($1))"
            );
        }
        let is_key = |(idx, name): (usize, &&str)| {
            let of_type = self.columns.iter().find(|(column, _)| column == name).map_or("text", |(_, of)| of);
            format!("{table}.{name} = (value->>{idx})::{of_type}")
        };
        let same = self.key.iter().enumerate().map(is_key).collect::<Vec<_>>().join(" AND ");
        format!("DELETE FROM {table} USING jsonb_array_elements($1::jsonb) AS list (value) WHERE {same}")
    }

    fn sql(&self, backend: DbBackend) -> String {
        let (table, names) = (self.table, self.names());
        let value = |(idx, (_, of_type)): (usize, &(&str, &str))| match backend {
            DbBackend::Postgres => format!("(value->>{idx})::{of_type}"),
            _ => format!("value->>{idx}"),
        };
        let values = self.columns.iter().enumerate().map(value).collect::<Vec<_>>().join(", ");
        if backend != DbBackend::Postgres {
            // Unlike `ON CONFLICT`, replacing finds the place of a row only once. And a statement that fails need not
            // be undone by itself: its transaction is given up.
            let on_conflict = if self.key.is_empty() { "FAIL" } else { "REPLACE" };
            return format!(
                "INSERT OR {on_conflict} INTO {table} ({names}) SELECT {values} FROM jsonb_each($1)"
            );
        }
        let insert = format!(
            "INSERT INTO {table} ({names}) SELECT {values} FROM jsonb_array_elements($1::jsonb) AS list (value)"
        );
        if self.key.is_empty() {
            return insert;
        }
        let others = self.columns.iter().filter(|(name, _)| !self.key.contains(name));
        let set: Vec<_> = others.map(|(name, _)| format!("{name} = excluded.{name}")).collect();
        let update =
            if set.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", set.join(", ")) };
        format!("{insert} ON CONFLICT ({}) DO {update}", self.key.join(", "))
    }

    /// The columns' names, as a query lists them.
    pub(crate) fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// The rows of a table of the project in parameter `$1` whose column is in the JSON list of texts in parameter `$2`; a
/// text twice, and they come twice.
pub(crate) fn among(backend: DbBackend, table: &str, column: &str) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "{table} WHERE project_id = $1 AND {column} = ANY(ARRAY(SELECT jsonb_array_elements_text($2::jsonb)))"
        ),
        // In the order of the list, one by one: for `IN` it would sort the list first.
        _ => format!("jsonb_each($2) CROSS JOIN {table} WHERE project_id = $1 AND {column} = value"),
    }
}

/// Rows as JSON lists, none much longer than a statement should be.
///
/// - `rows`: each serializes as a list of its columns' values. A number that neither `i64` nor `f64` holds is to be
///   a text.
pub(crate) fn lists(rows: impl Iterator<Item = impl Serialize>) -> Result<Vec<String>, StoreError> {
    let mut lists = Vec::new();
    let mut list = Vec::new();
    for row in rows {
        list.push(if list.is_empty() { b'[' } else { b',' });
        serde_json::to_writer(&mut list, &row).map_err(|error| StoreError::Query(error.to_string()))?;
        if STATEMENT_BYTES_MAX < list.len() {
            lists.push(close(std::mem::take(&mut list))?);
        }
    }
    if !list.is_empty() {
        lists.push(close(list)?);
    }
    Ok(lists)
}

fn close(mut list: Vec<u8>) -> Result<String, StoreError> {
    list.push(b']');
    String::from_utf8(list).map_err(|error| StoreError::Query(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::{ConnectOptions, Database};

    const PRICES: Insert<'static> = Insert {
        table: "price",
        columns: &[("shop", "bigint"), ("cents", "bigint"), ("product", "text"), ("stock", "bigint")],
        key: &["shop", "cents", "product"],
    };

    #[tokio::test]
    async fn rows_go_by_their_whole_key_however_many_share_a_part_of_it() {
        let mut options = ConnectOptions::new("sqlite::memory:");
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.unwrap();
        let table = "CREATE TABLE price (shop bigint, cents bigint, product text, stock bigint, \
                     PRIMARY KEY (shop, cents, product)) WITHOUT ROWID";
        db.execute_unprepared(table).await.unwrap();
        let rows = [(1, 499, "a", 1), (1, 499, "b", 1), (2, 499, "a", 1), (1, 500, "b", 1)];
        PRICES.rows(&db, lists(rows.iter()).unwrap()).await.unwrap();
        let gone = [(1, 499, "b"), (2, 499, "a"), (2, 500, "b")];
        PRICES.remove(&db, lists(gone.iter()).unwrap()).await.unwrap();
        let texts = async |sql: String, column: &str| {
            let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, ["[]".into()]);
            let rows = db.query_all_raw(statement).await.unwrap();
            rows.iter().map(|row| row.try_get("", column).unwrap()).collect::<Vec<String>>()
        };
        let left = "SELECT cents || product AS left FROM price WHERE $1 = '[]' ORDER BY 1".to_owned();
        assert_eq!(texts(left, "left").await, ["499a", "500b"]);
        let plan = texts(format!("EXPLAIN QUERY PLAN {}", PRICES.removing_sql(DbBackend::Sqlite)), "detail");
        let plan = plan.await.join("; ");
        assert!(plan.contains("PRIMARY KEY (shop=? AND cents=? AND product=?)"), "{plan}");
    }
}
