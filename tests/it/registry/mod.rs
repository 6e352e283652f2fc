//! The application's use cases on both databases.

mod configurations;
mod records;
mod schema;
