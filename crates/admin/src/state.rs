//! What every page needs from the process that mounts the pages.

use registry::Registry;

/// What the pages need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AdminState {
    /// The application.
    pub registry: Registry,
    /// Whether session cookies are for https only; then they also carry the `__Host-` prefix.
    pub secure_cookies: bool,
    /// The version, shown in the page footer.
    pub version: &'static str,
    /// Whether pages omit the enhancement layer even when it is built in.
    pub basic: bool,
}

/// Maximum size of a form in bytes: an Advanced Configuration of 256 KiB, percent-encoded.
pub(crate) const MAX_FORM_BYTES: usize = 1024 * 1024;
