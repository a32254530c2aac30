//! What is folded from the log beside sums: the largest values of units, and when a metric last read something.

use crate::create_by_key;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, text};

/// Creates `unit_tail` and `metric_newest`. What is folded is then to be made anew; until it is, nothing is noted in
/// `bookmark`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_by_key(manager, unit_tail()).await?;
        create_by_key(manager, metric_newest()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["metric_newest", "unit_tail"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        let db = manager.get_connection();
        db.execute_unprepared("DELETE FROM bookmark WHERE name = 'fold'").await?;
        // Histories, of which the release before knows nothing.
        db.execute_unprepared("DELETE FROM variant_stat WHERE slot < -2").await?;
        Ok(())
    }
}

/// One row for each unit whose value is not zero, in the order of values, so that the largest are side by side.
fn unit_tail() -> TableCreateStatement {
    Table::create()
        .table("unit_tail")
        .col(big_integer("experiment_id"))
        .col(integer("slot"))
        .col(big_integer("numerator"))
        .col(text("unit"))
        .col(integer("variant"))
        .col(big_integer("stratum"))
        .col(big_integer("bucket"))
        .col(big_integer("denominator"))
        .col(big_integer_null("history"))
        .primary_key(Index::create().col("experiment_id").col("slot").col("numerator").col("unit"))
        .to_owned()
}

/// The time of the newest event that a metric reads.
fn metric_newest() -> TableCreateStatement {
    Table::create()
        .table("metric_newest")
        .col(big_integer("metric_id").primary_key())
        .col(big_integer("event_time"))
        .to_owned()
}
