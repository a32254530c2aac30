//! Which ids are one person, and what was said of that.

use super::bulk::{Insert, among, lists};
use super::{PROJECT, StoreError};
use podium_core::identity::Link;
use podium_core::projection::Trust;
use podium_core::time::Timestamp;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

const IDENTITY: Insert<'static> = Insert {
    table: "identity",
    columns: &[("project_id", "bigint"), ("id", "text"), ("person", "text")],
    key: &["project_id", "id"],
};

const LINK: Insert<'static> = Insert {
    table: "identity_link",
    columns: &[
        ("project_id", "bigint"),
        ("user_id", "text"),
        ("other_id", "text"),
        ("is_alias", "smallint"),
        ("trust", "smallint"),
        ("event_time", "bigint"),
        ("message_id", "text"),
    ],
    key: &["project_id", "user_id", "other_id", "is_alias", "trust"],
};

/// An id that is not its person's own, and the person.
pub(crate) type Member = (Box<str>, Arc<str>);

/// Those of some ids that are not their person's own.
pub(crate) async fn persons(db: &impl ConnectionTrait, ids: &[&str]) -> Result<Vec<Member>, StoreError> {
    members(db, "identity.id", ids).await
}

/// The ids of some persons, but for their own.
pub(crate) async fn ids(db: &impl ConnectionTrait, persons: &[&str]) -> Result<Vec<Member>, StoreError> {
    members(db, "identity.person", persons).await
}

async fn members(db: &impl ConnectionTrait, column: &str, texts: &[&str]) -> Result<Vec<Member>, StoreError> {
    let condition = among(db.get_database_backend(), "identity", column);
    let rows = select(db, &format!("SELECT identity.id, identity.person FROM {condition}"), texts).await?;
    rows.iter().map(member).collect()
}

/// Calls `each` with every id that is not its person's own.
pub(crate) async fn all(db: &impl ConnectionTrait, mut each: impl FnMut(Member)) -> Result<(), StoreError> {
    const PAGE: usize = 20_000;
    let sql =
        format!("SELECT id, person FROM identity WHERE project_id = $1 AND id > $2 ORDER BY id LIMIT {PAGE}");
    let mut last = String::new();
    loop {
        let values = [PROJECT.into(), last.clone().into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql.clone(), values);
        let rows = db.query_all_raw(statement).await?;
        for row in &rows {
            let (id, person) = member(row)?;
            last = id.to_string();
            each((id, person));
        }
        if rows.len() < PAGE {
            return Ok(());
        }
    }
}

fn member(row: &QueryResult) -> Result<Member, StoreError> {
    Ok((row.try_get_by_index::<String>(0)?.into(), row.try_get_by_index::<String>(1)?.into()))
}

/// Everything that was said of some ids beside a user's.
pub(crate) async fn links_of_others(
    db: &impl ConnectionTrait,
    others: &[&str],
) -> Result<Vec<Link>, StoreError> {
    let condition = among(db.get_database_backend(), "identity_link", "other_id");
    links(&select(db, &format!("SELECT {} FROM {condition}", LINK.names()), others).await?)
}

/// What a server said on purpose of some users, as the one that stays or as the one that is replaced.
pub(crate) async fn joins_of(db: &impl ConnectionTrait, users: &[&str]) -> Result<Vec<Link>, StoreError> {
    let mut found = Vec::new();
    for column in ["user_id", "other_id"] {
        let condition = among(db.get_database_backend(), "identity_link", column);
        let sql = format!("SELECT {} FROM {condition} AND is_alias = 1 AND trust = 0", LINK.names());
        found.extend(links(&select(db, &sql, users).await?)?);
    }
    Ok(found)
}

fn links(rows: &[QueryResult]) -> Result<Vec<Link>, StoreError> {
    let link = |row: &QueryResult| {
        Ok(Link {
            user: row.try_get_by_index::<String>(1)?.into(),
            other: row.try_get_by_index::<String>(2)?.into(),
            is_alias: row.try_get_by_index::<i16>(3)? != 0,
            trust: if row.try_get_by_index::<i16>(4)? == 0 { Trust::Server } else { Trust::Publishable },
            time: Timestamp::from_micros(row.try_get_by_index(5)?),
            message_id: row.try_get_by_index::<String>(6)?.into(),
        })
    };
    rows.iter().map(link).collect()
}

/// What is to be written of ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// What was said, each instead of what the same said of the same ids before.
    pub(crate) links: Vec<Link>,
    /// What counts no more.
    pub(crate) dropped: Vec<Link>,
    /// Ids that are not their person's own from now on.
    pub(crate) members: Vec<Member>,
    /// Ids that are.
    pub(crate) own: Vec<Box<str>>,
}

impl Written {
    /// Writes it.
    pub(crate) async fn write(&self, db: &impl ConnectionTrait) -> Result<(), StoreError> {
        let key = |link: &Link| {
            let (user, other) = (link.user.clone(), link.other.clone());
            (PROJECT, user, other, i16::from(link.is_alias), link.trust as i16)
        };
        LINK.remove(db, lists(self.dropped.iter().map(key))?).await?;
        let row = |link: &Link| {
            let (project, user, other, is_alias, trust) = key(link);
            (project, user, other, is_alias, trust, link.time.as_micros(), link.message_id.clone())
        };
        LINK.rows(db, lists(self.links.iter().map(row))?).await?;
        IDENTITY.remove(db, lists(self.own.iter().map(|id| (PROJECT, id)))?).await?;
        let members = self.members.iter().map(|(id, person)| (PROJECT, id, &**person));
        IDENTITY.rows(db, lists(members)?).await
    }
}

/// Removes all of it, before it is made again.
pub(crate) async fn clear(db: &impl ConnectionTrait) -> Result<(), StoreError> {
    for table in ["identity", "identity_link"] {
        db.execute_unprepared(&format!("DELETE FROM {table}")).await?;
    }
    Ok(())
}

async fn select(
    db: &impl ConnectionTrait,
    sql: &str,
    texts: &[&str],
) -> Result<Vec<QueryResult>, StoreError> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let texts: BTreeSet<&str> = texts.iter().copied().collect();
    let values = [PROJECT.into(), json!(texts).to_string().into()];
    Ok(db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?)
}
