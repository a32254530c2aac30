//! What of the log a metric cannot be asked about, because its plugin dies of it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

/// Creates `unreadable_row`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("unreadable_row")
            .col(big_integer("metric_id"))
            .col(big_integer("fingerprint"))
            .primary_key(Index::create().col("metric_id").col("fingerprint"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("unreadable_row").to_owned()).await
    }
}
