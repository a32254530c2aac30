//! What people register: keys, experiments, their weights versions, metrics.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, integer, pk_auto, string, text, text_null};

/// Creates `api_key`, `experiment`, `weights_version`, `metric`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(api_key()).await?;
        manager.create_table(experiment()).await?;
        manager.create_table(weights_version()).await?;
        manager.create_table(metric()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["metric", "weights_version", "experiment", "api_key"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn api_key() -> TableCreateStatement {
    Table::create()
        .table("api_key")
        .col(string("id").primary_key())
        .col(big_integer("project_id"))
        .col(string("scope"))
        .col(string("name"))
        .col(string("secret_sha256"))
        .col(text_null("secret"))
        .col(big_integer("created_at"))
        .col(big_integer_null("revoked_at"))
        .to_owned()
}

fn experiment() -> TableCreateStatement {
    Table::create()
        .table("experiment")
        .col(pk_auto("id").big_integer())
        .col(big_integer("project_id"))
        .col(string("key"))
        .col(integer("version"))
        .col(string("status"))
        .col(text("definition"))
        .col(text_null("served"))
        .col(big_integer("revision"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(big_integer_null("started_at"))
        .col(big_integer_null("concluded_at"))
        .index(
            Index::create()
                .unique()
                .name("experiment_key_version")
                .col("project_id")
                .col("key")
                .col("version"),
        )
        .to_owned()
}

fn weights_version() -> TableCreateStatement {
    Table::create()
        .table("weights_version")
        .col(big_integer("experiment_id"))
        .col(integer("version"))
        .col(big_integer("created_at"))
        .col(string("cause"))
        .col(text("weights"))
        .col(text_null("beliefs"))
        .primary_key(Index::create().col("experiment_id").col("version"))
        .to_owned()
}

fn metric() -> TableCreateStatement {
    Table::create()
        .table("metric")
        .col(pk_auto("id").big_integer())
        .col(string("metric"))
        .col(text("config"))
        .col(string("currency"))
        .col(big_integer("revision"))
        .index(Index::create().unique().name("metric_config").col("metric").col("config").col("currency"))
        .to_owned()
}
