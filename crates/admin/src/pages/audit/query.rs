//! The filters in the URL of the audit log.

use chrono::{DateTime, Days, NaiveDate};
use registry::{AuditFilter, AuditResult};
use registry_core::clock::Timestamp;
use registry_core::finding::Finding;
use serde::Deserialize;

/// The query of the URL; days are in UTC.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    /// Part of the actor's name.
    #[serde(default)]
    pub(super) actor: String,
    /// An action, or an action prefix that ends with a dot.
    #[serde(default)]
    pub(super) action: String,
    /// Kind, id, or part of the name of the object.
    #[serde(default)]
    pub(super) object: String,
    /// `done`, `refused` or `failed`.
    #[serde(default)]
    pub(super) result: String,
    /// The first day, or a timestamp (RFC 3339).
    #[serde(default)]
    pub(super) from: String,
    /// The last day, or a timestamp (RFC 3339).
    #[serde(default)]
    pub(super) to: String,
    /// `on`: with what API keys and tokens did.
    #[serde(default)]
    pub(super) programs: String,
    /// `on`: with what workers did by themselves.
    #[serde(default)]
    pub(super) worker: String,
    /// Only events with a smaller number.
    pub(super) before: Option<i64>,
    /// Only events with a larger number.
    pub(super) after: Option<i64>,
}

impl Query {
    /// The filters, and the parameters that could not be parsed and are ignored.
    pub(super) fn filter(&self) -> (AuditFilter, Vec<Finding>) {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut problems = Vec::new();
        let mut moment = |pointer: &str, text: &str, whole_day: bool| {
            let read = read_moment(text.trim(), whole_day);
            if read.is_none() && !text.trim().is_empty() {
                let message = "Enter a day such as 2026-11-23, or a timestamp such as 2026-11-23T09:00:00Z.";
                problems.push(Finding::error(pointer, "invalid_value", message));
            }
            read
        };
        let filter = AuditFilter {
            actor: text(&self.actor),
            action: text(&self.action),
            subject: text(&self.object),
            result: AuditResult::parse(&self.result),
            from: moment("/from", &self.from, false),
            until: moment("/to", &self.to, true),
            before_number: None,
            without_programs: self.programs.is_empty(),
            without_worker: self.worker.is_empty(),
        };
        (filter, problems)
    }

    /// The filters as a query, without the position in the log.
    pub(super) fn filters(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("actor", &self.actor),
            ("action", &self.action),
            ("object", &self.object),
            ("result", &self.result),
            ("from", &self.from),
            ("to", &self.to),
            ("programs", &self.programs),
            ("worker", &self.worker),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    /// Whether the events are narrowed to fewer than those of all users.
    pub(super) fn filtered(&self) -> bool {
        let narrowing = Self { programs: String::new(), worker: String::new(), ..self.clone() };
        !narrowing.filters().is_empty()
    }

    /// Whether events of programs or workers are left out.
    pub(super) fn hides(&self) -> bool {
        self.programs.is_empty() || self.worker.is_empty()
    }

    /// The address of the same events with those of programs and workers.
    pub(super) fn with_all(&self) -> String {
        let all = Self { programs: "on".to_owned(), worker: "on".to_owned(), ..self.clone() };
        format!("/ui/audit?{}", all.filters())
    }
}

/// The beginning of a day (for the end of a range: of the next day), or an exact timestamp.
fn read_moment(text: &str, whole_day: bool) -> Option<Timestamp> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let day = if whole_day { day.checked_add_days(Days::new(1))? } else { day };
        return Some(day.and_hms_opt(0, 0, 0)?.and_utc());
    }
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn last_day_is_included_completely() {
        let query = Query { from: "2026-11-22".into(), to: "2026-11-23".into(), ..Query::default() };
        let (filter, problems) = query.filter();
        assert_eq!(problems, []);
        assert_eq!(filter.from.unwrap().to_rfc3339(), "2026-11-22T00:00:00+00:00");
        assert_eq!(filter.until.unwrap().to_rfc3339(), "2026-11-24T00:00:00+00:00");
        let query = Query { from: "yesterday".into(), ..Query::default() };
        let (filter, problems) = query.filter();
        assert_eq!((filter.from, problems[0].pointer.as_str()), (None, "/from"));
        assert_eq!(query.filters(), "from=yesterday");
    }
}
