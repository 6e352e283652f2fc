//! The application's use cases on both databases.

mod audit;
mod configurations;
mod drafts;
mod generations;
mod integrations;
pub(crate) mod logos;
mod people;
mod records;
mod schema;
mod sealing;
mod secret_mappings;
