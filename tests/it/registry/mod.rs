//! The application's use cases on both databases.

mod configurations;
mod drafts;
mod records;
mod schema;
