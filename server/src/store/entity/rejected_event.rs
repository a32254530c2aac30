//! Table `rejected_event`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rejected_event")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) project_id: i64,
    pub(crate) received_at: i64,
    pub(crate) message_id: Option<String>,
    pub(crate) event_type: String,
    pub(crate) name: Option<String>,
    pub(crate) unit: Option<String>,
    pub(crate) other_id: Option<String>,
    pub(crate) event_time: Option<i64>,
    pub(crate) trust: i16,
    pub(crate) reason: String,
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
