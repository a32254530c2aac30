//! Each step of the schema has its way back.

use crate::harness::{Book, Engine, named};
use podium_migrations::{Migrations, Migrator};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(steps_go_up_down_and_up_again));
}

pub(crate) fn steps_go_up_down_and_up_again(engine: Engine) {
    let database = engine.database();
    let url = match engine {
        Engine::Sqlite => format!("{}?mode=rwc", database.url()),
        Engine::Postgres => database.url().to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let db = Database::connect(options).await.unwrap();
        let n_steps = Migrator::migrations().len() as u32;
        assert!(n_steps > 0);
        Migrator::up(&db, None).await.unwrap();
        let whole = schema(&db).await;
        // One step back and forth at a time, from each height.
        let mut heights = vec![whole.clone()];
        for _ in 0..n_steps {
            Migrator::down(&db, Some(1)).await.unwrap();
            heights.push(schema(&db).await);
        }
        assert_eq!(heights.last().unwrap().as_slice(), &[] as &[String], "nothing is left at the bottom");
        for height in heights.iter().rev().skip(1) {
            Migrator::up(&db, Some(1)).await.unwrap();
            assert_eq!(schema(&db).await, *height);
        }
        Migrator::fresh(&db).await.unwrap();
        assert_eq!(schema(&db).await, whole);
    });
}

/// Every table, column and index, without the list of migrations itself.
async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let sql = match db.get_database_backend() {
        DbBackend::Sqlite => {
            "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema \
             WHERE tbl_name NOT IN ('seaql_migrations', 'sqlite_sequence') ORDER BY 1"
        }
        _ => {
            "SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable AS line \
             FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name <> 'seaql_migrations' \
             UNION ALL SELECT indexdef FROM pg_indexes \
             WHERE schemaname = 'public' AND tablename <> 'seaql_migrations' ORDER BY 1"
        }
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}
