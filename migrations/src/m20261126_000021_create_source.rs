//! Other systems that conditions may ask.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string, text};

/// Creates `source`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(source()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("source").to_owned()).await
    }
}

/// Headers are JSON, and have the names of secrets instead of secrets.
fn source() -> TableCreateStatement {
    Table::create()
        .table("source")
        .col(big_integer("project_id"))
        .col(string("key"))
        .col(text("url"))
        .col(big_integer("timeout_ms"))
        .col(big_integer("ttl_s"))
        .col(text("headers"))
        .col(big_integer("revision"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .primary_key(Index::create().col("project_id").col("key"))
        .to_owned()
}
