//! Sign-in by password: attempts, lockout, passwords.

pub(crate) mod lockout;
pub(crate) mod passwords;
pub(crate) mod sign_in;
