//! The log: the truth that everything else is a fold over.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, pk_auto, small_integer, string, string_null, text, text_null};

/// Creates `event_log` and `rejected_event`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(event_log()).await?;
        manager.create_table(rejected_event()).await?;
        let db = manager.get_connection();
        db.execute_unprepared("CREATE INDEX event_log_unit ON event_log (project_id, unit)").await?;
        db.execute_unprepared(
            "CREATE INDEX event_log_order ON event_log (project_id, order_id) WHERE order_id IS NOT NULL",
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["rejected_event", "event_log"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn event_log() -> TableCreateStatement {
    Table::create()
        .table("event_log")
        .col(pk_auto("seq").big_integer())
        .col(big_integer("project_id"))
        .col(string("message_id"))
        .col(text("name"))
        .col(text("unit"))
        .col(text_null("order_id"))
        .col(small_integer("trust"))
        .col(big_integer("event_time"))
        .col(big_integer("received_at"))
        .col(text_null("sighting"))
        .col(text("body"))
        .index(Index::create().unique().name("event_log_message").col("project_id").col("message_id"))
        .to_owned()
}

fn rejected_event() -> TableCreateStatement {
    Table::create()
        .table("rejected_event")
        .col(pk_auto("id").big_integer())
        .col(big_integer("project_id"))
        .col(big_integer("received_at"))
        .col(string_null("message_id"))
        .col(string("reason"))
        .col(string("pointer"))
        .col(text("detail"))
        .to_owned()
}
