//! What happened to experiments, the verdicts that were noted, and who is told by webhook.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, integer_null, pk_auto, string, text, text_null,
};

/// Creates `history`, `noted_verdict`, `webhook` and `webhook_delivery`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [history(), noted_verdict(), webhook(), webhook_delivery()] {
            manager.create_table(table).await?;
        }
        let db = manager.get_connection();
        for index in [
            "CREATE INDEX history_experiment ON history (experiment_id, id)",
            "CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, due_at)",
        ] {
            db.execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["webhook_delivery", "webhook", "noted_verdict", "history"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// One thing that happened to an experiment, written with it. Only `undone_by` changes, once: the entry that took it
/// back.
fn history() -> TableCreateStatement {
    Table::create()
        .table("history")
        .col(pk_auto("id").big_integer())
        .col(big_integer("experiment_id"))
        .col(big_integer("at"))
        .col(text("actor"))
        .col(string("kind"))
        .col(text("detail"))
        .col(big_integer_null("undone_by"))
        .to_owned()
}

/// The verdict that the history of an experiment has got to.
fn noted_verdict() -> TableCreateStatement {
    Table::create()
        .table("noted_verdict")
        .col(big_integer("experiment_id").primary_key())
        .col(text("verdict"))
        .to_owned()
}

/// Who is told: where, signed with which secret, of what; and what came of it last.
fn webhook() -> TableCreateStatement {
    Table::create()
        .table("webhook")
        .col(string("id").primary_key())
        .col(big_integer("project_id"))
        .col(text("url"))
        .col(string("secret"))
        .col(text("events"))
        .col(big_integer("created_at"))
        .col(big_integer_null("attempted_at"))
        .col(integer_null("status"))
        .col(text_null("error"))
        .col(big_integer_null("disabled_at"))
        .col(text_null("disabled_why"))
        .to_owned()
}

/// What a webhook is still to be told; deleted once it was.
fn webhook_delivery() -> TableCreateStatement {
    Table::create()
        .table("webhook_delivery")
        .col(string("id").primary_key())
        .col(string("webhook_id"))
        .col(text("body"))
        .col(integer("attempts"))
        .col(big_integer("created_at"))
        .col(big_integer("due_at"))
        .to_owned()
}
