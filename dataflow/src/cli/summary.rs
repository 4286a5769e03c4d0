//! What a job did, in words and figures.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use schemas::Reason;

use super::logging;
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
    /// From the first read to the last acknowledgement.
    pub(super) elapsed: Duration,
}

/// Says what the job did: a table for people, one log line for machines.
pub(super) fn say(job: &Job, context: &Context<'_>) {
    if !logging::is_json() {
        return logging::say(&text(job, context));
    }
    let totals = job.partitions.totals();
    tracing::info!(
        received = totals.received,
        counted = totals.counted,
        late = totals.late,
        rejected = totals.all_rejected(),
        filtered = totals.filtered,
        windows_closed = job.windows.closed_count(),
        "{}",
        headline(job, context.verb, context, &totals)
    );
}

/// Says how far a job came that failed.
pub(super) fn say_stopped(job: &Job, context: &Context<'_>) {
    let totals = job.partitions.totals();
    if totals.received > 0 {
        logging::note(&headline(job, "stopped after", context, &totals));
    }
}

/// The closing summary, as aligned lines.
fn text(job: &Job, context: &Context<'_>) -> String {
    let totals = job.partitions.totals();
    let mut text = headline(job, context.verb, context, &totals);
    text.push('\n');
    let received = totals.received;
    let mut line = |label: &str, records: u64, note: &str| {
        let share = if received == 0 { 0.0 } else { percent(records, received) };
        // Writing to a string cannot fail.
        let gap = if note.is_empty() { "" } else { "  " };
        let _ = writeln!(text, "  {label:<20} {:>15}  {share:>7.3} %{gap}{note}", HumanCount(records).to_string());
    };
    line("received", received, "");
    line("counted", totals.counted, "");
    line("late", totals.late, &kept(totals.late, context.late.as_deref(), "--late"));
    line("rejected", totals.all_rejected(), &kept(totals.all_rejected(), context.rejects.as_deref(), "--rejects"));
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

fn headline(job: &Job, verb: &str, context: &Context<'_>, totals: &Totals) -> String {
    let seconds = context.elapsed.as_secs_f64();
    let inputs = job.partitions.len();
    let rate = if seconds > 0.0 { totals.received as f64 / seconds } else { 0.0 };
    format!(
        "{} {} in {inputs} {} ({}) in {seconds:.2} s: {} events/s",
        verb,
        plural(totals.received, "record"),
        if inputs == 1 { "partition" } else { "partitions" },
        HumanBytes(totals.bytes_read),
        HumanCount(rate as u64),
    )
}

/// `1 record`, `2 records`.
pub(super) fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", HumanCount(count), if count == 1 { "" } else { "s" })
}

fn kept(records: u64, place: Option<&str>, flag: &str) -> String {
    match place {
        _ if records == 0 => String::new(),
        Some(place) => format!("kept in {place}"),
        None => format!("not kept; {flag} PATH keeps them"),
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}
