//! What the events debugger shows: more of what was rejected, and the last events without our own decisions.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, small_integer, string, string_null, text_null};

/// Adds columns to `rejected_event`, and an index to `event_log`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            let table = Table::alter().table("rejected_event").add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        // Decisions are most of the log, and nobody looks for them here.
        let sql = "CREATE INDEX event_log_sent ON event_log (project_id, seq) WHERE name <> '$decision'";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX event_log_sent").await?;
        for column in columns() {
            let table =
                Table::alter().table("rejected_event").drop_column(column.get_column_name()).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}

/// What was not kept of an event has the value that says nothing.
fn columns() -> Vec<ColumnDef> {
    vec![
        string("event_type").default("track").to_owned(),
        string_null("name"),
        text_null("unit"),
        text_null("other_id"),
        big_integer_null("event_time"),
        small_integer("trust").default(0).to_owned(),
    ]
}
