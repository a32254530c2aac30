//! What is folded from the log, and can be made again from it.

use crate::create_by_key;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, double_null, integer, integer_null, string, text,
};

/// Creates `unit_stat`, `variant_stat` and `bookmark`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_by_key(manager, unit_stat()).await?;
        create_by_key(manager, variant_stat()).await?;
        manager.create_table(bookmark()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["bookmark", "variant_stat", "unit_stat"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// One row for each unit of an experiment: its first assignment, its first exposure, its accumulators.
fn unit_stat() -> TableCreateStatement {
    Table::create()
        .table("unit_stat")
        .col(big_integer("experiment_id"))
        .col(text("unit"))
        .col(integer_null("assigned_variant"))
        .col(integer_null("assigned_version"))
        .col(double_null("assigned_propensity"))
        .col(integer_null("variant"))
        .col(big_integer_null("exposed_at"))
        .col(big_integer_null("stratum"))
        .col(double_null("propensity"))
        .col(text("metrics"))
        .primary_key(Index::create().col("experiment_id").col("unit"))
        .to_owned()
}

/// The exact sums of a variant, by metric, stratum and bucket of first exposure.
fn variant_stat() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("variant_stat")
        .col(big_integer("experiment_id"))
        .col(integer("slot"))
        .col(big_integer("stratum"))
        .col(big_integer("bucket"))
        .col(integer("variant"))
        .col(big_integer("n"))
        .col(big_integer("n_nonzero"));
    for sum in ["y", "d", "yy", "yd", "dd"] {
        table.col(string(sum));
    }
    let key = ["experiment_id", "slot", "stratum", "bucket", "variant"];
    let mut index = Index::create();
    for column in key {
        index.col(column);
    }
    table.primary_key(&mut index).to_owned()
}

/// How far the fold has come, and what it was made with.
fn bookmark() -> TableCreateStatement {
    Table::create().table("bookmark").col(string("name").primary_key()).col(text("value")).to_owned()
}
