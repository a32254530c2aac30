//! Persons: which ids are theirs, what is known of them, and the audiences they are in.

use crate::create_by_key;
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, pk_auto, small_integer, string, text, text_null,
};

/// Adds to `event_log` what its events say of ids; creates `identity_link`, `identity`, `profile`, `audience`,
/// `audience_leaf` and `audience_move`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for column in ["is_known smallint NOT NULL DEFAULT 0", "other_id text"] {
            db.execute_unprepared(&format!("ALTER TABLE event_log ADD COLUMN {column}")).await?;
        }
        create_by_key(manager, identity_link()).await?;
        create_by_key(manager, identity()).await?;
        create_by_key(manager, profile()).await?;
        manager.create_table(audience()).await?;
        manager.create_table(audience_leaf()).await?;
        manager.create_table(audience_move()).await?;
        for index in [
            "event_log_other ON event_log (project_id, seq) WHERE other_id IS NOT NULL",
            "identity_link_other ON identity_link (project_id, other_id)",
            "identity_person ON identity (project_id, person)",
            "profile_due ON profile (project_id, due_at) WHERE due_at IS NOT NULL",
            "audience_move_person ON audience_move (project_id, person)",
            "audience_move_audience ON audience_move (project_id, audience_id)",
        ] {
            db.execute_unprepared(&format!("CREATE INDEX {index}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = ["audience_move", "audience_leaf", "audience", "profile", "identity", "identity_link"];
        for table in tables {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        let db = manager.get_connection();
        db.execute_unprepared("DROP INDEX event_log_other").await?;
        for column in ["other_id", "is_known"] {
            db.execute_unprepared(&format!("ALTER TABLE event_log DROP COLUMN {column}")).await?;
        }
        Ok(())
    }
}

/// What was said of two ids: of each kind the first.
fn identity_link() -> TableCreateStatement {
    Table::create()
        .table("identity_link")
        .col(big_integer("project_id"))
        .col(text("user_id"))
        .col(text("other_id"))
        .col(small_integer("is_alias"))
        .col(small_integer("trust"))
        .col(big_integer("event_time"))
        .col(string("message_id"))
        .primary_key(
            Index::create().col("project_id").col("user_id").col("other_id").col("is_alias").col("trust"),
        )
        .to_owned()
}

/// The ids that are not their person's own.
fn identity() -> TableCreateStatement {
    Table::create()
        .table("identity")
        .col(big_integer("project_id"))
        .col(text("id"))
        .col(text("person"))
        .primary_key(Index::create().col("project_id").col("id"))
        .to_owned()
}

/// What is known of each person, folded from the log, and when that may change by itself.
fn profile() -> TableCreateStatement {
    Table::create()
        .table("profile")
        .col(big_integer("project_id"))
        .col(text("person"))
        .col(big_integer_null("due_at"))
        .col(text("body"))
        .primary_key(Index::create().col("project_id").col("person"))
        .to_owned()
}

fn audience() -> TableCreateStatement {
    Table::create()
        .table("audience")
        .col(pk_auto("id").big_integer())
        .col(big_integer("project_id"))
        .col(string("key"))
        .col(text_null("name"))
        .col(text("condition"))
        .col(big_integer("revision"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .index(Index::create().unique().name("audience_key").col("project_id").col("key"))
        .to_owned()
}

/// The questions about past events that audiences and rules ask, each once.
fn audience_leaf() -> TableCreateStatement {
    Table::create()
        .table("audience_leaf")
        .col(pk_auto("id").big_integer())
        .col(big_integer("project_id"))
        .col(text("leaf"))
        .index(Index::create().unique().name("audience_leaf_text").col("project_id").col("leaf"))
        .to_owned()
}

/// Who entered or left which audience, and when.
fn audience_move() -> TableCreateStatement {
    Table::create()
        .table("audience_move")
        .col(pk_auto("seq").big_integer())
        .col(big_integer("project_id"))
        .col(big_integer("audience_id"))
        .col(text("person"))
        .col(small_integer("entered"))
        .col(big_integer("moved_at"))
        .to_owned()
}
