//! What a job did, in words and figures.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use schemas::Reason;

use crate::job::Job;
use crate::partitions::Totals;

/// What the summary says beyond what the job knows.
pub(super) struct Context<'a> {
    /// `replayed`, `counted`.
    pub(super) verb: &'a str,
    /// Where rejected records are kept.
    pub(super) rejects: Option<String>,
    /// Where late records are kept.
    pub(super) late: Option<String>,
    /// Whether the job has failed: then nothing is said of outputs, which are not completed.
    pub(super) has_failed: bool,
    /// From the first read to the last acknowledgement.
    pub(super) elapsed: Duration,
}

/// The closing summary, as aligned lines.
pub(super) fn text(job: &Job, context: &Context<'_>) -> String {
    let totals = job.partitions.totals();
    let mut text = headline(job, context, &totals);
    let received = totals.received;
    let mut line = |label: &str, records: u64, note: &str| {
        let share = if received == 0 { 0.0 } else { percent(records, received) };
        // Writing to a string cannot fail.
        let line = format!("  {label:<20} {:>15}  {share:>7.3} %  {note}", HumanCount(records).to_string());
        let _ = writeln!(text, "{}", line.trim_end());
    };
    line("received", received, "");
    line("counted", totals.counted, "");
    line("late", totals.late, &context.kept(totals.late, context.late.as_deref(), "--late"));
    line(
        "rejected",
        totals.all_rejected(),
        &context.kept(totals.all_rejected(), context.rejects.as_deref(), "--rejects"),
    );
    for (reason, records) in Reason::ALL.into_iter().zip(totals.rejected).filter(|(_, records)| *records > 0) {
        line(&format!("  {reason}"), records, "");
    }
    line("filtered", totals.filtered, "");
    let windows = job.windows.closed_count();
    let _ = writeln!(
        text,
        "  {:<20} {:>15}  at most {} open at once",
        "windows closed",
        HumanCount(windows).to_string(),
        HumanCount(job.windows.most_open())
    );
    if let Some(span) = job.partitions.event_span() {
        let _ = writeln!(text, "  {:<20} {} to {}", "event time", span.earliest, span.latest);
    }
    text
}

fn headline(job: &Job, context: &Context<'_>, totals: &Totals) -> String {
    let seconds = context.elapsed.as_secs_f64();
    let inputs = job.partitions.len();
    let rate = if seconds > 0.0 { totals.received as f64 / seconds } else { 0.0 };
    format!(
        "{} {} in {inputs} {} ({}) in {seconds:.2} s: {} events/s\n",
        context.verb,
        plural(totals.received, "record"),
        if inputs == 1 { "partition" } else { "partitions" },
        HumanBytes(totals.bytes_read),
        HumanCount(rate as u64),
    )
}

fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

impl Context<'_> {
    /// What has become of late or rejected records.
    fn kept(&self, records: u64, place: Option<&str>, flag: &str) -> String {
        match place {
            _ if self.has_failed || records == 0 => String::new(),
            Some(place) => format!("kept in {place}"),
            None => format!("not kept; {flag} PATH keeps them"),
        }
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}
