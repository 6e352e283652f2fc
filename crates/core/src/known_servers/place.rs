//! Where a known server is: a pattern of hosts, and perhaps of paths.

use url::Url;

/// A pattern of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// A host, compared label by label without case. A leading `*` stands for one or more labels, any other `*` for exactly
    /// one. `*` alone is every host, and needs a path.
    pub host: &'static str,
    /// The last segments of the path; `*` stands for exactly one segment that is not empty. Empty: any path.
    pub path_end: &'static str,
}

impl Place {
    /// A host with any path.
    pub const fn host(host: &'static str) -> Self {
        Self { host, path_end: "" }
    }

    /// A host with paths that end like this.
    pub const fn path(host: &'static str, path_end: &'static str) -> Self {
        Self { host, path_end }
    }

    /// Whether `url` is there. Scheme, port, user, query and fragment do not matter.
    pub fn matches(&self, url: &Url) -> bool {
        url.host_str().is_some_and(|host| host_matches(self.host, host))
            && path_matches(self.path_end, url.path())
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}{}", self.host, self.path_end)
    }
}

fn host_matches(pattern: &str, host: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    // The dot at the end of an absolute name changes nothing.
    let host = host.strip_suffix('.').unwrap_or(host);
    let labels: Vec<&str> = host.split('.').collect();
    let (wanted, takes_more) = match pattern.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    };
    let wanted: Vec<&str> = wanted.split('.').collect();
    let Some(more) = labels.len().checked_sub(wanted.len()) else { return false };
    let fits = |(wanted, label): (&&str, &&str)| *wanted == "*" || wanted.eq_ignore_ascii_case(label);
    (more > 0) == takes_more
        && labels.iter().all(|label| !label.is_empty())
        && wanted.iter().zip(&labels[more..]).all(fits)
}

fn path_matches(path_end: &str, path: &str) -> bool {
    if path_end.is_empty() {
        return true;
    }
    let segments =
        |text: &str| -> Vec<String> { text.trim_matches('/').split('/').map(str::to_owned).collect() };
    let (wanted, found) = (segments(path_end), segments(path));
    let Some(start) = found.len().checked_sub(wanted.len()) else { return false };
    wanted
        .iter()
        .zip(&found[start..])
        .all(|(wanted, segment)| if wanted == "*" { !segment.is_empty() } else { wanted == segment })
}
