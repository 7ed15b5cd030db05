//! How values lie in columns: ids as uuid, times as microseconds, states as numbers, structures as JSON text.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};
use stroem_core::{AttemptNumber, InstanceId, JobId, JobStatus, StepStatus, TagSet, Timestamp, WorkerId};
use stroem_engine::{JobRow, JobStop, TimerKind};
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use crate::failure::{Failure, Outcome};

/// The number of a step's state. Numbers below 4 are not terminal: the index `step_open` is made of them.
pub(crate) const fn step_status(status: StepStatus) -> i64 {
    match status {
        StepStatus::Pending => 0,
        StepStatus::Ready => 1,
        StepStatus::Running => 2,
        StepStatus::Suspended => 3,
        StepStatus::Completed => 4,
        StepStatus::Failed => 5,
        StepStatus::Skipped => 6,
        StepStatus::Cancelled => 7,
    }
}

/// The number of a job's state.
pub(crate) const fn job_status(status: JobStatus) -> i64 {
    match status {
        JobStatus::Pending => 0,
        JobStatus::Running => 1,
        JobStatus::Completed => 2,
        JobStatus::Failed => 3,
        JobStatus::Cancelled => 4,
        JobStatus::Skipped => 5,
    }
}

/// The number of a stop's cause.
pub(crate) const fn job_stop(stop: JobStop) -> i64 {
    match stop {
        JobStop::Cancelled => 0,
        JobStop::TimedOut => 1,
    }
}

/// The number of a timer's kind.
pub(crate) const fn timer_kind(kind: TimerKind) -> i64 {
    match kind {
        TimerKind::JobDeadline => 0,
        TimerKind::AttemptDeadline => 1,
    }
}

/// The state that people see: a stop that was asked for shows its end already.
pub(crate) const fn shown(job: &JobRow) -> JobStatus {
    match job.stop {
        Some(JobStop::Cancelled) => JobStatus::Cancelled,
        Some(JobStop::TimedOut) => JobStatus::Failed,
        None => job.status,
    }
}

/// Finds what a number stands for.
pub(crate) fn number<T: Copy>(found: i64, all: &[T], code: impl Fn(T) -> i64, what: &str) -> Outcome<T> {
    let known = all.iter().copied().find(|value| code(*value) == found);
    known.ok_or_else(|| Failure::corrupt(format!("{found} is no {what}")))
}

/// Reads the columns of a row from left to right.
pub(crate) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    pub(crate) fn value<T: FromSql<'a>>(&mut self) -> Outcome<T> {
        let index = self.next;
        self.next += 1;
        self.row.try_get(index).map_err(|error| column(index, &error))
    }

    fn bytes(&mut self) -> Outcome<[u8; 16]> {
        Ok(self.value::<Uuid>()?.into_bytes())
    }

    pub(crate) fn job(&mut self) -> Outcome<JobId> {
        Ok(JobId::from_bytes(self.bytes()?))
    }

    pub(crate) fn worker(&mut self) -> Outcome<WorkerId> {
        Ok(WorkerId::from_bytes(self.bytes()?))
    }

    pub(crate) fn worker_if_any(&mut self) -> Outcome<Option<WorkerId>> {
        Ok(self.value::<Option<Uuid>>()?.map(|id| WorkerId::from_bytes(id.into_bytes())))
    }

    pub(crate) fn instance(&mut self) -> Outcome<InstanceId> {
        Ok(InstanceId::from_bytes(self.bytes()?))
    }

    /// A number that is never negative and fits into 32 bits.
    pub(crate) fn small(&mut self) -> Outcome<u32> {
        let (index, found) = (self.next, self.value::<i64>()?);
        u32::try_from(found).map_err(|error| column(index, &error))
    }

    /// A number that is never negative.
    pub(crate) fn count(&mut self) -> Outcome<u64> {
        counted(self.value()?)
    }

    pub(crate) fn attempt(&mut self) -> Outcome<AttemptNumber> {
        Ok(AttemptNumber(self.small()?))
    }

    pub(crate) fn time(&mut self) -> Outcome<Timestamp> {
        Ok(Timestamp::from_micros(self.value()?))
    }

    pub(crate) fn time_if_any(&mut self) -> Outcome<Option<Timestamp>> {
        Ok(self.value::<Option<i64>>()?.map(Timestamp::from_micros))
    }

    /// A text that `parse` understands.
    pub(crate) fn text<T, E: std::fmt::Display>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Outcome<T> {
        let (index, text) = (self.next, self.value::<&str>()?);
        parse(text).map_err(|error| column(index, &error))
    }

    /// A text that `parse` understands, or null.
    pub(crate) fn text_if_any<T, E: std::fmt::Display>(
        &mut self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Outcome<Option<T>> {
        let (index, text) = (self.next, self.value::<Option<&str>>()?);
        text.map(parse).transpose().map_err(|error| column(index, &error))
    }

    pub(crate) fn json_if_any<T: DeserializeOwned>(&mut self) -> Outcome<Option<T>> {
        self.text_if_any(|text| serde_json::from_str(text))
    }

    pub(crate) fn tags(&mut self) -> Outcome<TagSet> {
        self.text(TagSet::from_queue_key)
    }

    pub(crate) fn step_status(&mut self) -> Outcome<StepStatus> {
        number(self.value()?, StepStatus::ALL, step_status, "step status")
    }

    pub(crate) fn job_status(&mut self) -> Outcome<JobStatus> {
        number(self.value()?, JobStatus::ALL, job_status, "job status")
    }
}

fn column(index: usize, error: &dyn std::fmt::Display) -> Failure {
    Failure::corrupt(format!("column {index}: {error}"))
}

/// An id as a column holds it.
pub(crate) const fn uuid(bytes: &[u8; 16]) -> Uuid {
    Uuid::from_bytes(*bytes)
}

/// A text as a column holds it. PostgreSQL has no zero character in texts; the replacement character stands for it.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The JSON text of a value.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Outcome<String> {
    serde_json::to_string(value).map_err(|error| Failure::corrupt(format!("no JSON: {error}")))
}

/// The JSON text of a value that may be missing.
pub(crate) fn json_if_any<T: Serialize>(value: Option<&T>) -> Outcome<Option<String>> {
    value.map(json).transpose()
}

/// The microseconds of a time that may be missing.
pub(crate) fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_micros)
}

/// A count as a column holds it.
pub(crate) fn count(value: u64) -> Outcome<i64> {
    i64::try_from(value).map_err(|_| Failure::corrupt(format!("{value} is too large for a column")))
}

/// A count as a column held it.
pub(crate) fn counted(value: i64) -> Outcome<u64> {
    u64::try_from(value).map_err(|_| Failure::corrupt(format!("{value} is no count")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_states_are_as_old_files_have_them() {
        let steps: Vec<_> =
            StepStatus::ALL.iter().map(|status| (status.as_str(), step_status(*status))).collect();
        assert_eq!(
            steps,
            [
                ("pending", 0),
                ("ready", 1),
                ("running", 2),
                ("completed", 4),
                ("failed", 5),
                ("skipped", 6),
                ("cancelled", 7),
                ("suspended", 3),
            ]
        );
        let jobs: Vec<_> =
            JobStatus::ALL.iter().map(|status| (status.as_str(), job_status(*status))).collect();
        assert_eq!(
            jobs,
            [
                ("pending", 0),
                ("running", 1),
                ("completed", 2),
                ("failed", 3),
                ("cancelled", 4),
                ("skipped", 5)
            ]
        );
        assert_eq!([JobStop::Cancelled, JobStop::TimedOut].map(job_stop), [0, 1]);
        assert_eq!([TimerKind::JobDeadline, TimerKind::AttemptDeadline].map(timer_kind), [0, 1]);
    }

    #[test]
    fn a_text_loses_its_zero_characters_only() {
        assert_eq!(plain("a\0b"), "a\u{fffd}b");
        assert!(matches!(plain("plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn open_steps_have_numbers_below_four() {
        for status in StepStatus::ALL {
            assert_eq!(step_status(*status) < 4, !status.is_terminal(), "{status}");
        }
    }
}
