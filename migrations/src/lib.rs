//! The database schema of Podium, one step a file, each with its way back. The same steps run on SQLite and
//! PostgreSQL; instants are microseconds UTC in integers, JSON is text, sums wider than 64 bits are decimals.

use sea_orm_migration::prelude::{
    MigrationTrait, MigratorTrait, SchemaManager, SqliteQueryBuilder, TableCreateStatement, async_trait,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

mod m20261124_000001_create_registry;
mod m20261124_000002_create_event_log;
mod m20261124_000003_create_projection;
mod m20261125_000004_create_unreadable_row;
mod m20261125_000005_create_delivery;
mod m20261125_000006_create_tail;
mod m20261125_000007_create_history;
mod m20261126_000008_create_profile;
mod m20261126_000009_create_experience;
mod m20261126_000020_extend_rejected_event;
mod m20261126_000021_create_source;
mod m20261126_000022_extend_api_key;

pub use sea_orm_migration::prelude::{DbErr, MigratorTrait as Migrations};

/// Every step, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_create_registry::Migration),
            Box::new(m20261124_000002_create_event_log::Migration),
            Box::new(m20261124_000003_create_projection::Migration),
            Box::new(m20261125_000004_create_unreadable_row::Migration),
            Box::new(m20261125_000005_create_delivery::Migration),
            Box::new(m20261125_000006_create_tail::Migration),
            Box::new(m20261125_000007_create_history::Migration),
            Box::new(m20261126_000008_create_profile::Migration),
            Box::new(m20261126_000009_create_experience::Migration),
            Box::new(m20261126_000020_extend_rejected_event::Migration),
            Box::new(m20261126_000021_create_source::Migration),
            Box::new(m20261126_000022_extend_api_key::Migration),
        ]
    }
}

/// Creates a table that is only ever found by its key. SQLite then keeps its rows in the key's own tree, so that a
/// row that changes is one page and not two.
async fn create_by_key(manager: &SchemaManager<'_>, table: TableCreateStatement) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::Sqlite {
        let sql = format!("{} WITHOUT ROWID", table.to_string(SqliteQueryBuilder));
        manager.get_connection().execute_unprepared(&sql).await?;
        return Ok(());
    }
    manager.create_table(table).await
}
