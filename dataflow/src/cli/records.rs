//! `dataflow resume`: the resume records of a job, for people.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::Range;

use super::args::{ResumeShowArgs, SourceSpec, check_input_topic};
use super::resume::identity;
use crate::clock;
use crate::commit::begin::{Begin, Expected, Start, resume};
use crate::commit::file;
use crate::commit::kafka::NEW_GROUP;
use crate::commit::ledger::Identity;
use crate::commit::record::ResumeRecord;
use crate::error::Error;
use crate::kafka::{CommittedOffset, Group, topic};

/// The records of a job, and the topic that they are about.
struct Found {
    home: String,
    committed: Vec<Option<CommittedOffset>>,
    extents: Vec<Range<u64>>,
}

fn find(args: &ResumeShowArgs) -> Result<Found, Error> {
    check_input_topic(&args.input_topic)?;
    let extents = topic::inspect(&args.kafka)?.extents(&args.input_topic)?;
    let partitions = u32::try_from(extents.len()).unwrap_or(u32::MAX);
    let (home, mut committed) = match &args.resume {
        Some(path) => (path.display().to_string(), file::read(path)?),
        None => {
            let group = Group::connect(&args.kafka, &args.group.group, &args.input_topic)?;
            (format!("group {}", args.group.group), group.committed(partitions)?)
        }
    };
    committed.resize(committed.len().max(extents.len()), None);
    Ok(Found { home, committed, extents })
}

/// `dataflow resume show`.
pub(super) fn show(args: &ResumeShowArgs) -> Result<(), Error> {
    let Found { home, committed, extents } = find(args)?;
    let records: Vec<_> = committed.iter().map(|commit| commit.as_ref().map(read)).collect();
    let mut text = format!("{home}, topic {}\n", args.input_topic);
    let newest = records.iter().flatten().filter_map(|record| record.as_ref().ok()).max_by_key(|record| record.epoch);
    match newest {
        Some(record) => {
            let closed = record.closed_through.map_or("no window yet".to_owned(), |time| time.to_string());
            let ResumeRecord { epoch, owner, settings, .. } = record;
            let _ = writeln!(text, "epoch {epoch}, settings {settings}, written by {owner}");
            let _ = writeln!(text, "every window that ends at or before this is durable: {closed}\n");
        }
        None => text.push_str("no resume record\n\n"),
    }
    let mut rows = vec![columns([
        "partition",
        "resumes at",
        "position",
        "end",
        "last event",
        "idle",
        "received",
        "counted",
        "late",
        "rejected",
        "filtered",
    ])];
    let mut unreadable = Vec::new();
    for (number, (commit, record)) in committed.iter().zip(&records).enumerate() {
        let end = extents.get(number).map_or("gone".to_owned(), |extent| extent.end.to_string());
        match (commit, record) {
            (Some(commit), Some(Ok(record))) => rows.push(row(number, commit, record, end)),
            (Some(commit), Some(Err(why))) => {
                unreadable.push(format!("partition {number}: {why}: {:?}\n", commit.metadata));
            }
            _ => rows.push(columns([&number.to_string(), "none", "", &end, "", "", "", "", "", "", ""])),
        }
    }
    text.push_str(&aligned(&rows));
    unreadable.iter().for_each(|line| text.push_str(line));
    print(&text)
}

fn read(commit: &CommittedOffset) -> Result<ResumeRecord, String> {
    commit.metadata.parse().map_err(|why: crate::commit::record::Unreadable| why.to_string())
}

fn row(number: usize, commit: &CommittedOffset, record: &ResumeRecord, end: String) -> Vec<String> {
    let totals = record.totals;
    vec![
        number.to_string(),
        commit.offset.to_string(),
        record.position.0.to_string(),
        end,
        record.greatest_event.map_or("none".to_owned(), |time| time.to_string()),
        if record.is_idle { "yes" } else { "no" }.to_owned(),
        totals.received.to_string(),
        totals.counted.to_string(),
        totals.late.to_string(),
        totals.rejected.to_string(),
        totals.filtered.to_string(),
    ]
}

/// `dataflow resume plan`.
pub(super) fn plan(args: &ResumeShowArgs) -> Result<(), Error> {
    let Found { home, committed, extents } = find(args)?;
    let Identity { settings, out_of_orderness_millis, .. } =
        identity(&args.input_topic, &args.group.environment, &args.rules.rules(&SourceSpec::Kafka));
    let anew = if args.resume.is_some() { file::NEW_FILE } else { NEW_GROUP };
    let expected =
        Expected { home: &home, anew, topic: &args.input_topic, settings, out_of_orderness_millis, extents: &extents };
    let Some(start) = resume(&committed, &expected, clock::now_millis())? else {
        let records: u64 = extents.iter().map(|extent| extent.end - extent.start).sum();
        return print(&format!(
            "{home} has no resume record: a first start, by --from; the topic holds {records} records\n"
        ));
    };
    let mut text = format!("{home}, topic {}: a start would have epoch {}", args.input_topic, start.epoch);
    match start.closed_through().millis() {
        Some(_) => {
            let _ = writeln!(text, " and write no row of a window that ends at or before {}\n", start.closed_through());
        }
        None => text.push_str(" and write every row\n\n"),
    }
    text.push_str(&planned(&start));
    print(&text)
}

fn planned(start: &Start) -> String {
    let mut rows = vec![columns(["partition", "reads from", "position", "end", "again", "new"])];
    let mut sums = [0, 0];
    for (number, Begin { offset, position, end, .. }) in start.partitions.iter().enumerate() {
        // Offsets have gaps: there may be fewer records.
        let counts = [position.0 - offset.0, end.0.saturating_sub(position.0)];
        sums = [sums[0] + counts[0], sums[1] + counts[1]];
        let numbers = [number as u64, offset.0, position.0, end.0, counts[0], counts[1]];
        rows.push(numbers.iter().map(u64::to_string).collect());
    }
    rows.push(columns(["all", "", "", "", &sums[0].to_string(), &sums[1].to_string()]));
    aligned(&rows)
}

fn columns<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

/// Columns aligned to the right, as numbers want it.
fn aligned(rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len))
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn print(text: &str) -> Result<(), Error> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Error::Io(format!("cannot write to standard output: {error}"))),
    }
}
