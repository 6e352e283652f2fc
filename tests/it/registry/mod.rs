//! The application's use cases on both databases.

mod audit;
mod bulk;
mod configurations;
mod deletions;
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
mod same_again;
mod schema;
mod sealing;
mod secret_mappings;
mod servers;
mod tally;
mod withheld;
