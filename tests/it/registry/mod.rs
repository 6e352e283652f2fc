//! The application's use cases on both databases.

mod audit;
mod bulk;
mod configurations;
mod drafts;
mod generations;
mod integrations;
mod key_chain;
pub(crate) mod logos;
mod looks;
mod people;
mod records;
mod retention;
mod rollout_model;
mod rollouts;
mod schema;
mod sealing;
mod secret_mappings;
mod servers;
mod tally;
mod withheld;
