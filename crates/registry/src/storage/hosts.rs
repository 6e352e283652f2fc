//! The hosts of a PostgreSQL URL. libpq lets a URL name several, separated by commas, and says with `target_session_attrs`
//! which of them to use (PostgreSQL documentation, §34.1.1.3 "Specifying Multiple Hosts"); the driver knows neither.

use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::str::FromStr;

/// The parameter that says which of the hosts to use.
const TARGET: &str = "target_session_attrs";
/// The port of a host that names none.
const DEFAULT_PORT: u16 = 5432;

/// The hosts of a URL whose primary is to be found.
#[derive(Clone)]
pub struct DatabaseHosts {
    hosts: Vec<DatabaseHost>,
}

/// One of them.
#[derive(Clone)]
pub(crate) struct DatabaseHost {
    /// `host:port`, for logs.
    pub(crate) name: String,
    /// The URL with this host only.
    pub(crate) url: String,
    /// How to connect to it.
    pub(crate) options: PgConnectOptions,
}

/// Why a URL cannot be used. No variant quotes the URL: a wrong URL may have its password anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHosts {
    /// A place in the list is empty.
    #[error("host {0} of its list is empty")]
    NoHost(usize),
    /// A colon without a number after it.
    #[error("host {0} of its list has a colon and no port after it")]
    NoPort(usize),
    /// A port that is no number from 1 to 65535, or an IPv6 address without brackets.
    #[error("the port of host {0} is not a number from 1 to 65535 (an IPv6 address stands in brackets)")]
    Port(usize),
    /// The parameter is there twice.
    #[error("`target_session_attrs` is there twice")]
    TwoTargets,
    /// A word that libpq does not know.
    #[error("`target_session_attrs` is `read-write` or `primary`")]
    UnknownTarget,
    /// A word of libpq that would choose a host that cannot be written.
    #[error(
        "`target_session_attrs` is `read-write` or `primary`: other values allow a host that cannot be written"
    )]
    ReadOnlyTarget,
    /// SQLite has no hosts.
    #[error("`target_session_attrs` is for PostgreSQL; SQLite has no hosts")]
    Sqlite,
    /// Several hosts in a parameter.
    #[error(
        "several hosts stand in front of the path (`postgres://user@host1:5432,host2:5432/database`), not in `host`, `hostaddr` or `port`"
    )]
    HostParameter,
    /// Anything else.
    #[error("it is not a PostgreSQL URL such as `postgres://user@host1:5432,host2:5432/database`")]
    Url,
}

impl DatabaseHosts {
    /// The hosts of `url`. `None`: one host without a wish, the driver connects to it as it is. Several hosts always mean
    /// the one that can be written, as with `target_session_attrs=read-write`.
    pub fn parse(url: &str) -> Result<Option<Self>, InvalidHosts> {
        let parts = Parts::of(url)?;
        if parts.scheme == "sqlite" {
            return if parts.target.is_some() { Err(InvalidHosts::Sqlite) } else { Ok(None) };
        }
        let several = parts.hosts.len() > 1;
        match parts.target {
            Some("read-write" | "primary") => {}
            None if several => {}
            None => return Ok(None),
            Some("any") if !several => return Ok(None),
            Some("any" | "prefer-standby" | "read-only" | "standby") => {
                return Err(InvalidHosts::ReadOnlyTarget);
            }
            Some(_) => return Err(InvalidHosts::UnknownTarget),
        }
        let mut hosts = Vec::with_capacity(parts.hosts.len());
        for (number, host) in (1..).zip(&parts.hosts) {
            hosts.push(parts.host(number, host, several)?);
        }
        Ok(Some(Self { hosts }))
    }

    /// Whether the URL names more than one.
    pub fn are_several(&self) -> bool {
        self.hosts.len() > 1
    }

    /// The URL with its first host only, password included.
    pub fn first_url(&self) -> &str {
        self.hosts.first().map_or("", |host| &host.url)
    }

    /// The same with further options for each host.
    pub(crate) fn with_options(mut self, change: fn(PgConnectOptions) -> PgConnectOptions) -> Self {
        for host in &mut self.hosts {
            host.options = change(host.options.clone());
        }
        self
    }

    pub(crate) fn as_slice(&self) -> &[DatabaseHost] {
        &self.hosts
    }
}

/// `host1:5432,host2:5432`.
impl fmt::Display for DatabaseHosts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.hosts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{}", host.name)?;
        }
        Ok(())
    }
}

/// As `Display`: the options hold the password.
impl fmt::Debug for DatabaseHosts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A URL, taken apart without decoding anything.
struct Parts<'a> {
    scheme: &'a str,
    /// With its `@`; empty: none.
    user: &'a str,
    hosts: Vec<&'a str>,
    /// With its slash; may be empty.
    path: &'a str,
    /// The parameters but the one that says which host to use.
    query: Vec<&'a str>,
    target: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Result<Self, InvalidHosts> {
        let (scheme, rest) = url.split_once(':').ok_or(InvalidHosts::Url)?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let mut this =
            Self { scheme, user, hosts: hosts.split(',').collect(), path, query: Vec::new(), target: None };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                TARGET if this.target.is_some() => return Err(InvalidHosts::TwoTargets),
                TARGET => this.target = Some(value),
                "host" | "hostaddr" | "port" if value.contains(',') || value.contains("%2C") => {
                    return Err(InvalidHosts::HostParameter);
                }
                // One of several hosts cannot be replaced by another.
                "host" | "hostaddr" | "port" if this.hosts.len() > 1 => {
                    return Err(InvalidHosts::HostParameter);
                }
                _ => this.query.push(parameter),
            }
        }
        Ok(this)
    }

    /// The URL with `host` as its only one.
    fn host(&self, number: usize, host: &str, several: bool) -> Result<DatabaseHost, InvalidHosts> {
        if host.is_empty() && several {
            return Err(InvalidHosts::NoHost(number));
        }
        let (name, port) = match host.rfind(']') {
            Some(end) => host.split_at(end + 1),
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        let port = match port.strip_prefix(':') {
            Some("") => return Err(InvalidHosts::NoPort(number)),
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(InvalidHosts::Port(number))?,
            None if port.is_empty() => DEFAULT_PORT,
            None => return Err(InvalidHosts::Port(number)),
        };
        if name.is_empty() && several {
            return Err(InvalidHosts::NoHost(number));
        }
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query.join("&")) };
        let url = format!("{}://{}{host}{}{query}", self.scheme, self.user, self.path);
        let options = PgConnectOptions::from_str(&url).map_err(|_| InvalidHosts::Url)?;
        let name = if name.is_empty() { "the host".to_owned() } else { format!("{name}:{port}") };
        Ok(DatabaseHost { name, url, options: options.disable_statement_logging() })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn hosts(url: &str) -> Result<Option<Vec<(String, String)>>, InvalidHosts> {
        let parsed = DatabaseHosts::parse(url)?;
        Ok(parsed.map(|parsed| parsed.hosts.into_iter().map(|host| (host.name, host.url)).collect()))
    }

    #[test]
    fn each_host_gets_a_url_of_its_own() {
        for (url, expected) in [
            (
                "postgres://me:pw@h1:5432,h2:5433/db?target_session_attrs=read-write",
                &[("h1:5432", "postgres://me:pw@h1:5432/db"), ("h2:5433", "postgres://me:pw@h2:5433/db")][..],
            ),
            // Without a port: 5432. A password may hold a comma, an escaped `@` and an escaped slash.
            (
                "postgresql://me:p,w%40%2F@h1,h2/db?sslmode=require&target_session_attrs=primary&options=-c%20a%3Db",
                &[
                    ("h1:5432", "postgresql://me:p,w%40%2F@h1/db?sslmode=require&options=-c%20a%3Db"),
                    ("h2:5432", "postgresql://me:p,w%40%2F@h2/db?sslmode=require&options=-c%20a%3Db"),
                ],
            ),
            (
                "postgres://[::1]:6432,[2001:db8::2],10.0.0.3/",
                &[
                    ("[::1]:6432", "postgres://[::1]:6432/"),
                    ("[2001:db8::2]:5432", "postgres://[2001:db8::2]/"),
                    ("10.0.0.3:5432", "postgres://10.0.0.3/"),
                ],
            ),
            ("postgres://h1,h2", &[("h1:5432", "postgres://h1"), ("h2:5432", "postgres://h2")]),
            // One name behind which the primary changes.
            (
                "postgres://me@db-rw/db?target_session_attrs=read-write&sslmode=prefer",
                &[("db-rw:5432", "postgres://me@db-rw/db?sslmode=prefer")],
            ),
            (
                "postgres:///db?host=/run/postgresql&target_session_attrs=read-write",
                &[("the host", "postgres:///db?host=/run/postgresql")],
            ),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, url)| ((*name).to_owned(), (*url).to_owned())).collect();
            assert_eq!(hosts(url).unwrap(), Some(expected), "{url}");
        }
    }

    #[test]
    fn one_host_without_a_wish_is_left_to_the_driver() {
        for url in [
            "postgres://me:pw@db.example:5433/registry?sslmode=require",
            "postgres:///registry?host=/run/postgresql",
            "postgres://db.example/registry?target_session_attrs=any",
            "sqlite://./data/registry.sqlite?mode=rwc",
            "sqlite::memory:",
            "sqlite:///var/lib/a,b.sqlite",
        ] {
            assert_eq!(hosts(url).unwrap(), None, "{url}");
        }
    }

    #[test]
    fn invalid_list_of_hosts_is_refused_and_nothing_of_it_is_quoted() {
        for (url, expected) in [
            ("postgres://me:s3cret@h1:5432,/db", InvalidHosts::NoHost(2)),
            ("postgres://me:s3cret@,h2/db", InvalidHosts::NoHost(1)),
            ("postgres://me:s3cret@h1,:5432/db", InvalidHosts::NoHost(2)),
            ("postgres://me:s3cret@h1:,h2/db", InvalidHosts::NoPort(1)),
            ("postgres://me:s3cret@h1,h2:s3cret/db", InvalidHosts::Port(2)),
            ("postgres://me:s3cret@h1:0,h2/db", InvalidHosts::Port(1)),
            ("postgres://me:s3cret@h1:65536,h2/db", InvalidHosts::Port(1)),
            ("postgres://me:s3cret@h1:5432:5432,h2/db", InvalidHosts::Port(1)),
            ("postgres://me:s3cret@::1,h2/db", InvalidHosts::Port(1)),
            ("postgres://me:s3cret@[::1]5432,h2/db", InvalidHosts::Port(1)),
            ("postgres://me:s3cret@h1,h2/db?target_session_attrs=any", InvalidHosts::ReadOnlyTarget),
            ("postgres://me:s3cret@h1,h2/db?target_session_attrs=standby", InvalidHosts::ReadOnlyTarget),
            ("postgres://me:s3cret@h1/db?target_session_attrs=read-only", InvalidHosts::ReadOnlyTarget),
            ("postgres://me:s3cret@h1,h2/db?target_session_attrs=s3cret", InvalidHosts::UnknownTarget),
            ("postgres://me:s3cret@h1,h2/db?target_session_attrs=", InvalidHosts::UnknownTarget),
            (
                "postgres://h1,h2/db?target_session_attrs=primary&target_session_attrs=primary",
                InvalidHosts::TwoTargets,
            ),
            ("postgres:///db?host=h1,h2", InvalidHosts::HostParameter),
            ("postgres://h1,h2/db?port=5433", InvalidHosts::HostParameter),
            ("postgres://me:s3cret@h1,h2/db?sslmode=s3cret", InvalidHosts::Url),
            ("s3cret", InvalidHosts::Url),
            ("sqlite://registry.sqlite?target_session_attrs=read-write", InvalidHosts::Sqlite),
        ] {
            let refused = hosts(url).unwrap_err();
            assert_eq!(refused, expected, "{url}");
            assert!(!refused.to_string().contains("s3cret"), "{refused}");
        }
    }

    #[test]
    fn hosts_are_shown_without_credentials() {
        let hosts = DatabaseHosts::parse("postgres://me:s3cret@h1:5433,h2/db").unwrap().unwrap();
        assert_eq!(format!("{hosts}"), "h1:5433,h2:5432");
        assert_eq!(format!("{hosts:?}"), "h1:5433,h2:5432");
    }
}
