//! From which pages a key may be used.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::text_null;

/// Adds a column to `api_key`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("api_key").add_column(text_null("origins")).to_owned();
        manager.alter_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("api_key").drop_column("origins").to_owned();
        manager.alter_table(table).await
    }
}
