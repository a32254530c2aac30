//! What is always on, and what the units of each of its rules are counted under.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, pk_auto, string, text};

/// Creates `experience` and `experience_rule`.
#[derive(DeriveMigrationName, Debug)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(experience()).await?;
        manager.create_table(experience_rule()).await?;
        let index = "CREATE INDEX experience_rule_experience ON experience_rule (experience_id)";
        manager.get_connection().execute_unprepared(index).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["experience_rule", "experience"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn experience() -> TableCreateStatement {
    Table::create()
        .table("experience")
        .col(pk_auto("id").big_integer())
        .col(big_integer("project_id"))
        .col(string("key"))
        .col(string("status"))
        .col(text("definition"))
        .col(big_integer("revision"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(big_integer_null("published_at"))
        .index(Index::create().unique().name("experience_key").col("project_id").col("key"))
        .to_owned()
}

/// What the units of a rule are counted under: the negative of the row's number stands where the fold has the number of
/// an experiment. A row is never changed or removed, so that figures can be folded anew; with another goal the rule
/// has another row. The rule of the fallback is the empty text.
fn experience_rule() -> TableCreateStatement {
    Table::create()
        .table("experience_rule")
        .col(pk_auto("id").big_integer())
        .col(big_integer("experience_id"))
        .col(string("rule"))
        .col(text("goal"))
        .col(string("currency"))
        .to_owned()
}
