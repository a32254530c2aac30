//! Table `message`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "message")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) project_id: i64,
    pub(crate) request: String,
    pub(crate) request_sha256: String,
    pub(crate) position: i32,
    pub(crate) channel: String,
    pub(crate) is_transactional: bool,
    pub(crate) unit: String,
    pub(crate) address: String,
    pub(crate) address_key: String,
    pub(crate) payload_sha256: Option<String>,
    pub(crate) fields: String,
    pub(crate) collapse_key: String,
    pub(crate) facts: String,
    pub(crate) exposure: Option<String>,
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) epoch: i64,
    pub(crate) attempts: i32,
    pub(crate) due_at: i64,
    pub(crate) lease_until: Option<i64>,
    pub(crate) begun_at: Option<i64>,
    pub(crate) expires_at: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) provider_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
