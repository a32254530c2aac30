//! Each step of the schema has its way back.

use crate::harness::events::{history, order, refund, viewed};
use crate::harness::{Book, Engine, Shop, experiment, named, tamper};
use podium_migrations::{Migrations, Migrator};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

const KEY: &str = "banner";
/// The steps of the release before.
const N_STEPS_BEFORE: u32 = 5;
const DAY_MS: i64 = 86_400_000;

pub(crate) fn promises(book: &mut Book) {
    book.both(named!(steps_go_up_down_and_up_again));
    book.both(named!(a_database_of_the_release_before_is_folded_anew));
    book.both(named!(the_largest_values_follow_from_the_log));
}

/// A shop with forty shoppers, most of whom bought before they saw anything.
fn shop(engine: Engine) -> Shop {
    let shop = Shop::open(engine);
    let mut definition = experiment(KEY, &["control", "b"]);
    definition["exposure"] = json!("event");
    shop.run(&definition);
    let shopper = |number: i64| {
        let (unit, at) = (format!("shopper-{number}"), history() + number);
        let variant = if number % 2 == 0 { "control" } else { "b" };
        let id = |what: &str| format!("{what}-{number}");
        let mut events = vec![viewed(&unit, KEY, variant, at)];
        if number % 3 != 0 {
            events.push(order(&unit, &id("before"), 300 + number, at - DAY_MS));
        }
        if number % 4 != 0 {
            events.push(order(&unit, &id("after"), 700 + number, at + DAY_MS));
        }
        if number % 5 == 0 {
            events.push(refund(&unit, &id("after"), Some(100), at + 2 * DAY_MS));
        }
        events
    };
    let events: Vec<Value> = (0..40).flat_map(shopper).collect();
    // In two parts, so that what a flush wrote is changed by another.
    let (first, second) = events.split_at(70);
    shop.log(second);
    shop.log(first);
    shop
}

pub(crate) fn a_database_of_the_release_before_is_folded_anew(engine: Engine) {
    let mut shop = shop(engine);
    let before = shop.report(KEY);
    assert!(shop.podium.stop().success());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Database::connect(shop.database.url()).await.unwrap();
        let n_steps = Migrator::migrations().len() as u32;
        Migrator::down(&db, Some(n_steps - N_STEPS_BEFORE)).await.unwrap();
    });
    // The steps alone do not make up what that release did not keep.
    let rebuild = shop.podium.rebuild(&["--check"]);
    let said = String::from_utf8_lossy(&rebuild.stderr);
    assert_eq!(rebuild.status.code(), Some(1), "{said}");
    shop.restart();
    let after = shop.report(KEY);
    assert_eq!(after.0["metrics"], before.0["metrics"]);
    shop.check_rebuild();
}

pub(crate) fn the_largest_values_follow_from_the_log(engine: Engine) {
    let mut shop = shop(engine);
    shop.check_rebuild();
    tamper(shop.database.url(), "DELETE FROM unit_tail WHERE unit = 'shopper-7'");
    assert_eq!(shop.podium.rebuild(&["--check"]).status.code(), Some(1), "a unit is missing");
    assert!(shop.podium.rebuild(&[]).status.success());
    shop.check_rebuild();
    tamper(shop.database.url(), "UPDATE unit_tail SET history = history + 1 WHERE history IS NOT NULL");
    assert_eq!(shop.podium.rebuild(&["--check"]).status.code(), Some(1), "a past is another");
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
