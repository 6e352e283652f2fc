//! The database: entities, the one way to write, typed columns, backup, faults of the database.

pub(crate) mod audit_action;
pub(crate) mod columns;
pub(crate) mod connect;
pub(crate) mod csv;
pub(crate) mod database_fault;
pub(crate) mod deployment_values;
pub(crate) mod durability;
#[expect(unreachable_pub, reason = "sea-orm's derives want public items in this private module")]
pub(crate) mod entity;
pub(crate) mod hosts;
pub(crate) mod joined;
pub(crate) mod logo_queue;
pub(crate) mod notify;
pub(crate) mod owner;
pub(crate) mod primary;
pub(crate) mod replica;
pub(crate) mod settings_generations;
pub(crate) mod typed;
pub(crate) mod writability;
pub(crate) mod write;
