//! Everything outside, as the application is given it.

use crate::ports::secret_store::SecretStore;
use crate::ports::trusted_http::TrustedHttpClient;
use crate::ports::upstream::Upstream;

/// All ports to the outside in one.
pub trait ExternalServices: Upstream + TrustedHttpClient + SecretStore {}

impl<T: Upstream + TrustedHttpClient + SecretStore> ExternalServices for T {}
