//! Values that are masked in logs, errors and the output of `check`.

use registry::DatabaseHosts;
use registry_core::secret::Secret;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use url::{Position, Url};

/// The mask for a text that may be a secret as a whole. Inside a URL the mask is `redacted`: brackets would be escaped there.
const MASK: &str = "[redacted]";

/// Reads secrets from a list of strings or from one comma-separated string. The errors of this function never quote the input;
/// those of serde for `Vec` would.
pub(super) fn secret_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Vec<Secret>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of strings")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Secret::from).collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(secret) = sequence.next_element()? {
                list.push(secret);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_any(List)
}

/// The URL of the database, or any text in its place: it is not checked here. `Debug` and `Serialize` mask the password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL with its password, for the driver only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is an SQLite database.
    pub fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }

    /// Whether this is a PostgreSQL database.
    pub fn is_postgres(&self) -> bool {
        self.0.starts_with("postgres:") || self.0.starts_with("postgresql:")
    }

    /// The path of the file of an SQLite database; `None`: it is not SQLite, or it is in memory.
    pub fn sqlite_file(&self) -> Option<&str> {
        let rest = self.0.strip_prefix("sqlite:")?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        (!path.is_empty() && path != ":memory:").then_some(path)
    }

    /// The URL for display. Masked are the password and each query parameter whose name contains `pass`. An SQLite URL has no
    /// password and is returned as it is.
    pub fn redacted(&self) -> String {
        if self.is_sqlite() {
            return self.0.clone();
        }
        let hosts = self.hosts();
        // A text that is not a URL may be a password that was put in the wrong place.
        let Ok(mut url) = Url::parse(hosts.as_ref().map_or(&self.0, DatabaseHosts::first_url)) else {
            return MASK.to_owned();
        };
        if url.password().is_some() {
            // `set_password` fails only for a URL without a host, and such a URL has no password.
            let _ = url.set_password(Some("redacted"));
        }
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let secret = name.to_ascii_lowercase().contains("pass");
                (name.into_owned(), if secret { "redacted".to_owned() } else { value.into_owned() })
            })
            .collect();
        if !pairs.is_empty() {
            url.query_pairs_mut().clear().extend_pairs(pairs);
        }
        match hosts {
            Some(hosts) => {
                format!("{}{hosts}{}", &url[..Position::BeforeHost], &url[Position::AfterPort..])
            }
            None => url.to_string(),
        }
    }

    /// The hosts, where there are several: `Url` knows no list.
    pub fn hosts(&self) -> Option<DatabaseHosts> {
        DatabaseHosts::parse(&self.0).ok().flatten().filter(DatabaseHosts::are_several)
    }
}

impl From<String> for DatabaseUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.redacted())
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://me:s3cret@db/registry", "postgres://me:redacted@db/registry"),
            (
                "postgres://db/registry?user=me&password=s3cret",
                "postgres://db/registry?user=me&password=redacted",
            ),
            ("postgres://me@db/registry", "postgres://me@db/registry"),
            (
                "postgres://me:s3cret@h1:5433,h2/registry?sslpassword=s3cret&target_session_attrs=read-write",
                "postgres://me:redacted@h1:5433,h2:5432/registry?sslpassword=redacted",
            ),
            ("postgres://me:s3cret@h1:x,h2/registry", "[redacted]"),
            ("s3cret", "[redacted]"),
            ("sqlite://./data/registry.sqlite?mode=rwc", "sqlite://./data/registry.sqlite?mode=rwc"),
        ] {
            let database = DatabaseUrl::from(url.to_owned());
            assert_eq!(database.redacted(), shown);
            assert_eq!(format!("{database:?}"), shown);
        }
    }

    #[test]
    fn file_of_an_sqlite_url_is_found() {
        for (url, file) in [
            ("sqlite://./data/registry.sqlite?mode=rwc", Some("./data/registry.sqlite")),
            ("sqlite:/var/lib/r.sqlite", Some("/var/lib/r.sqlite")),
            ("sqlite:///var/lib/r.sqlite", Some("/var/lib/r.sqlite")),
            ("sqlite::memory:", None),
            ("postgres://db/registry", None),
        ] {
            assert_eq!(DatabaseUrl::from(url.to_owned()).sqlite_file(), file, "{url}");
        }
    }
}
