//! The events of a page under the days they happened on, with runs of a worker folded into one line.

use super::diff::{Change, changes};
use super::sentence::{Sentence, sentence};
use chrono::NaiveDate;
use registry::{AuditEvent, AuditSubject};

/// Events of a worker in a row that are folded, at least.
const MIN_FOLDED: usize = 3;

/// A day, in UTC.
pub(super) struct Day {
    pub(super) date: NaiveDate,
    pub(super) lines: Vec<Line>,
}

/// One line of a day.
pub(super) enum Line {
    /// An event.
    Event(Box<Entry>),
    /// Events of a worker in a row.
    Run(Run),
}

/// Events of a worker in a row.
pub(super) struct Run {
    pub(super) entries: Vec<Entry>,
    /// How many different objects they are about.
    pub(super) objects: usize,
}

/// An event with what the page says of it.
pub(super) struct Entry {
    pub(super) event: AuditEvent,
    pub(super) subject: AuditSubject,
    pub(super) sentence: Sentence,
    pub(super) changes: Vec<Change>,
}

impl Entry {
    fn new(event: AuditEvent, subject: AuditSubject) -> Self {
        let changes = changes(event.before.as_ref(), event.after.as_ref());
        Self { sentence: sentence(&event, &subject, &changes), event, subject, changes }
    }

    /// What the object is called: as at the time of the event, else as now.
    pub(super) fn name(&self) -> &str {
        let known = self.event.subject_name.as_deref().or(self.subject.name.as_deref());
        let known = known.or_else(|| self.event.subject_id.as_deref().filter(|id| id.len() < 24));
        known.unwrap_or(match self.event.subject_kind.as_str() {
            "organisation" => "the organisation",
            kind => kind,
        })
    }

    fn is_worker(&self) -> bool {
        self.event.door == "worker"
    }
}

/// Puts `events`, newest first, under their days.
pub(super) fn days(events: Vec<AuditEvent>, subjects: Vec<AuditSubject>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    let mut entries =
        events.into_iter().zip(subjects).map(|(event, subject)| Entry::new(event, subject)).peekable();
    while let Some(entry) = entries.next() {
        let date = entry.event.at.date_naive();
        let mut run = vec![entry];
        while run[0].is_worker()
            && let Some(next) = entries.next_if(|next| next.is_worker() && next.event.at.date_naive() == date)
        {
            run.push(next);
        }
        if days.last().is_none_or(|day| day.date != date) {
            days.push(Day { date, lines: Vec::new() });
        }
        if let Some(day) = days.last_mut() {
            day.lines.extend(lines(run));
        }
    }
    days
}

/// The events as one line if there are enough of them, else each as its own.
fn lines(entries: Vec<Entry>) -> Vec<Line> {
    if entries.len() < MIN_FOLDED {
        return entries.into_iter().map(|entry| Line::Event(Box::new(entry))).collect();
    }
    let mut objects: Vec<_> =
        entries.iter().map(|entry| (&entry.event.subject_kind, &entry.event.subject_id)).collect();
    objects.sort();
    objects.dedup();
    let objects = objects.len();
    vec![Line::Run(Run { entries, objects })]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use registry_core::id::AuditEventId;

    fn event(at: &str, door: &str, subject: &str) -> AuditEvent {
        AuditEvent {
            number: 1,
            id: "00000000-0000-0000-0000-000000000001".parse::<AuditEventId>().unwrap(),
            at: at.parse().unwrap(),
            actor_kind: "system".into(),
            actor_id: None,
            actor_name: "one".into(),
            door: door.into(),
            action: "registration.failed".into(),
            subject_kind: "registration".into(),
            subject_id: Some(subject.into()),
            subject_name: None,
            workspace_id: None,
            request_id: None,
            address: None,
            before: None,
            after: None,
            hash: String::new(),
        }
    }

    #[test]
    fn runs_of_a_worker_are_folded_within_a_day() {
        let events = vec![
            event("2026-11-23T10:00:00Z", "worker", "a"),
            event("2026-11-23T09:00:00Z", "worker", "b"),
            event("2026-11-23T08:00:00Z", "worker", "a"),
            event("2026-11-23T07:00:00Z", "web", "a"),
            event("2026-11-23T06:00:00Z", "worker", "a"),
            event("2026-11-23T05:00:00Z", "worker", "a"),
            event("2026-11-22T05:00:00Z", "worker", "a"),
        ];
        let subjects = vec![AuditSubject::default(); events.len()];
        let shown: Vec<Vec<(usize, usize)>> = days(events, subjects)
            .iter()
            .map(|day| {
                let line = |line: &Line| match line {
                    Line::Event(_) => (1, 0),
                    Line::Run(run) => (run.entries.len(), run.objects),
                };
                day.lines.iter().map(line).collect()
            })
            .collect();
        assert_eq!(shown, [vec![(3, 2), (1, 0), (1, 0), (1, 0)], vec![(1, 0)]]);
    }
}
