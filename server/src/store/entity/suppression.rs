//! Table `suppression`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "suppression")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) project_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) channel: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) address_key: String,
    pub(crate) scope: i16,
    pub(crate) reason: String,
    pub(crate) created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
