//! Messages on their way out, the channels they take, and who must not be contacted.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, small_integer, string, string_null, text, text_null,
};

/// Creates `channel`, `payload`, `message`, `attempt` and `suppression`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [channel(), payload(), message(), attempt(), suppression()] {
            manager.create_table(table).await?;
        }
        let db = manager.get_connection();
        for index in [
            "CREATE INDEX message_due ON message (channel, due_at) WHERE state = 'queued'",
            "CREATE INDEX message_open ON message (state) WHERE state IN ('queued', 'claimed', 'begun')",
            "CREATE INDEX message_newest ON message (project_id, created_at, id)",
            "CREATE INDEX message_leased ON message (lease_until) WHERE lease_until IS NOT NULL",
            "CREATE INDEX message_request ON message (project_id, request)",
            "CREATE INDEX message_provider ON message (channel, provider_id) WHERE provider_id IS NOT NULL",
            "CREATE INDEX message_unit ON message (project_id, unit)",
        ] {
            db.execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["suppression", "attempt", "message", "payload", "channel"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// A channel that an operator has set up: which one of a plugin, and its settings, with secrets by name.
fn channel() -> TableCreateStatement {
    Table::create()
        .table("channel")
        .col(big_integer("project_id"))
        .col(string("key"))
        .col(string("channel"))
        .col(text("settings"))
        .col(big_integer("revision"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(text_null("paused_why"))
        .primary_key(Index::create().col("project_id").col("key"))
        .to_owned()
}

/// What a channel made of a content, under the hash of both.
fn payload() -> TableCreateStatement {
    Table::create().table("payload").col(string("sha256").primary_key()).col(text("payload")).to_owned()
}

/// One message to one person. `epoch` goes up with every claim: whoever holds an earlier one writes nothing.
fn message() -> TableCreateStatement {
    Table::create()
        .table("message")
        .col(string("id").primary_key())
        .col(big_integer("project_id"))
        .col(string("request"))
        .col(string("request_sha256"))
        .col(integer("position"))
        .col(string("channel"))
        .col(boolean("is_transactional"))
        .col(text("unit"))
        .col(text("address"))
        .col(text("address_key"))
        .col(string_null("payload_sha256"))
        .col(text("fields"))
        .col(text("collapse_key"))
        .col(text("facts"))
        .col(text_null("exposure"))
        .col(string("state"))
        .col(text("reason"))
        .col(big_integer("epoch"))
        .col(integer("attempts"))
        .col(big_integer("due_at"))
        .col(big_integer_null("lease_until"))
        .col(big_integer_null("begun_at"))
        .col(big_integer("expires_at"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(text_null("provider_id"))
        .to_owned()
}

/// One try to send a message.
fn attempt() -> TableCreateStatement {
    Table::create()
        .table("attempt")
        .col(string("message_id"))
        .col(big_integer("epoch"))
        .col(big_integer("started_at"))
        .col(big_integer_null("begun_at"))
        .col(big_integer_null("ended_at"))
        .col(string_null("outcome"))
        .col(text_null("detail"))
        .primary_key(Index::create().col("message_id").col("epoch"))
        .to_owned()
}

/// An address that must not be contacted on a channel: with marketing, or (`scope` 1) with anything.
fn suppression() -> TableCreateStatement {
    Table::create()
        .table("suppression")
        .col(big_integer("project_id"))
        .col(string("channel"))
        .col(text("address_key"))
        .col(small_integer("scope"))
        .col(string("reason"))
        .col(big_integer("created_at"))
        .primary_key(Index::create().col("project_id").col("channel").col("address_key"))
        .to_owned()
}
