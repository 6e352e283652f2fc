//! OAuth documents.
