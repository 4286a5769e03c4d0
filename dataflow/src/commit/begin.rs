//! Where a job begins: what the resume records say, checked against the topic as it is now.

use std::ops::Range;

use schemas::{EventTime, Window};
use serde::{Deserialize, Serialize};

use super::record::{Fingerprint, Join, RecordTotals, ResumeRecord, Unreadable};
use crate::distinct::Time;
use crate::error::Error;
use crate::kafka::CommittedOffset;
use crate::partitions::Watermark;
use crate::record::Offset;

/// What every worker begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The epoch of this job: higher than that of every job before it.
    pub epoch: u64,
    /// The first window whose rows are not durable: no row of an earlier time is written again.
    pub first_open: Time,
    /// The highest revision of any row so far.
    pub revision: u64,
    /// Whether there was no record.
    pub is_first: bool,
    /// Each partition, by its number.
    pub partitions: Vec<Begin>,
}

/// Where a partition begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The first offset to be read.
    pub offset: Offset,
    /// The partition's watermark before that offset.
    pub watermark: Watermark,
    /// The joins from there on, after the one that holds there.
    pub joins: Vec<Join>,
    /// What lies below was received before: it is counted again where its window is open, and nothing else.
    pub position: Offset,
    /// When the last valid record was read, or when the group first started; milliseconds since the Unix epoch.
    pub seen_millis: i64,
    /// What became of the records below the position.
    pub totals: RecordTotals,
    /// The end of the partition when the job started; 0 where there is none.
    pub end: Offset,
}

impl Begin {
    /// At `offset`, without a past.
    #[must_use]
    pub fn fresh(offset: Offset, seen_millis: i64) -> Self {
        Begin {
            offset,
            watermark: Watermark::BEGINNING,
            joins: Vec::new(),
            position: offset,
            seen_millis,
            totals: RecordTotals::default(),
            end: Offset(0),
        }
    }

    /// A partition that the topic has got since: read from its beginning; what the job has closed is late.
    #[must_use]
    pub fn joining(offset: Offset, seen_millis: i64, watermark: Watermark) -> Self {
        Begin { joins: vec![Join { offset, watermark }], ..Begin::fresh(offset, seen_millis) }
    }
}

impl Start {
    /// Of a job without resume records, over partitions that begin at these offsets.
    #[must_use]
    pub fn first(offsets: impl IntoIterator<Item = Offset>, now_millis: i64) -> Self {
        let partitions = offsets.into_iter().map(|offset| Begin::fresh(offset, now_millis)).collect();
        Start { epoch: 1, first_open: 0, revision: 0, is_first: true, partitions }
    }

    /// The event time up to which everything is durable; none before the first window.
    #[must_use]
    pub fn closed_through(&self) -> Watermark {
        watermark_of(self.first_open)
    }
}

/// The watermark that has just closed every window before `first_open`.
#[must_use]
pub fn watermark_of(first_open: Time) -> Watermark {
    match i64::try_from(first_open) {
        Ok(0) | Err(_) => Watermark::BEGINNING,
        Ok(ordinal) => Watermark::at(ordinal.saturating_mul(Window::MILLIS)),
    }
}

/// What records are checked against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The group, or the file, for messages: `group footfall-dataflow`.
    pub home: &'a str,
    /// How a job begins anew: `choose a new --group`.
    pub anew: &'a str,
    /// The input topic.
    pub topic: &'a str,
    /// Of the settings of this job.
    pub settings: Fingerprint,
    /// By how much a watermark trails the greatest event, in milliseconds.
    pub out_of_orderness_millis: i64,
    /// The first and the next offset of each partition.
    pub extents: &'a [Range<u64>],
}

/// From committed records to a start; `None` where there is no record at all. The epoch is that of the records, plus 1.
///
/// # Errors
/// [`Error::Refused`] where a record cannot be used as the topic and the settings are now.
pub fn resume(
    committed: &[Option<CommittedOffset>],
    expected: &Expected<'_>,
    now_millis: i64,
) -> Result<Option<Start>, Error> {
    let mut records = Vec::new();
    for (partition, commit) in committed.iter().enumerate() {
        records.push(commit.as_ref().map(|commit| read(partition, commit, expected)).transpose()?);
    }
    let newest = records.iter().flatten().map(|(_, record)| record);
    let Some(epoch) = newest.clone().map(|record| record.epoch).max() else { return Ok(None) };
    let known = newest.clone().map(|record| record.partitions).max().unwrap_or(0) as usize;
    let Expected { home, anew, topic, extents, .. } = expected;
    if known > extents.len() {
        return Err(refused(
            "fewer-partitions",
            &format!(
                "topic {topic} has {} partitions, but the resume records of {home} know {known}; was it created anew? \
                 then {anew}",
                extents.len()
            ),
        ));
    }
    let closed_through = newest.clone().filter_map(|record| record.closed_through).max();
    let first_open = closed_through.map_or(0, |time| Watermark::at(time.millis()).first_open_window());
    let revision = newest.map(|record| record.revision).max().unwrap_or(0);
    let mut partitions = Vec::new();
    for (number, (record, extent)) in records.into_iter().zip(*extents).enumerate() {
        let begin = match record {
            Some((offset, record)) => {
                check_extent(number, offset, &record, extent, expected)?;
                begin(offset, record, expected.out_of_orderness_millis)
            }
            None if number < known => {
                return Err(refused(
                    "missing-record",
                    &format!(
                        "{home} has no resume record of partition {number} of topic {topic}, although {known} partitions \
                         were committed; records of a group expire 7 days after its last commit: {anew} and say with \
                         --from where it begins"
                    ),
                ));
            }
            None => Begin::joining(Offset(extent.start), now_millis, watermark_of(first_open)),
        };
        partitions.push(Begin { end: Offset(extent.end), ..begin });
    }
    Ok(Some(Start { epoch: epoch + 1, first_open, revision, is_first: false, partitions }))
}

fn read(partition: usize, commit: &CommittedOffset, expected: &Expected<'_>) -> Result<(Offset, ResumeRecord), Error> {
    let Expected { home, anew, topic, settings, .. } = expected;
    let record: ResumeRecord = commit.metadata.parse().map_err(|why: Unreadable| {
        let (page, remedy) = match why {
            Unreadable::Newer(_) => ("newer-record", "run the version that wrote it, or a later one".to_owned()),
            Unreadable::Foreign(_) => ("foreign-commit", format!("another program writes there: stop it, or {anew}")),
        };
        refused(
            page,
            &format!(
                "the resume record of partition {partition} of topic {topic} in {home} cannot be used: {why}; {remedy}"
            ),
        )
    })?;
    if record.settings != *settings {
        return Err(refused(
            "other-settings",
            &format!(
                "the resume record of partition {partition} of topic {topic} in {home} was made with other settings \
                 (fingerprint {}, now {settings}): the same events would be counted differently; restore --out-of-orderness, \
                 --allowed-lateness, --max-future-skew, --event-types and --environment, or {anew}",
                record.settings
            ),
        ));
    }
    Ok((Offset(commit.offset), record))
}

fn check_extent(
    partition: usize,
    offset: Offset,
    record: &ResumeRecord,
    extent: &Range<u64>,
    expected: &Expected<'_>,
) -> Result<(), Error> {
    let Expected { home, anew, topic, .. } = expected;
    if offset.0 < extent.start {
        return Err(refused(
            "below-the-log-start",
            &format!(
                "partition {partition} of topic {topic} begins at offset {}, but the job must read on from {}: its retention \
                 has deleted events that were not counted; {anew} and say with --from where it begins",
                extent.start, offset.0
            ),
        ));
    }
    let furthest = offset.max(record.position);
    if furthest.0 > extent.end {
        return Err(refused(
            "beyond-the-end",
            &format!(
                "partition {partition} of topic {topic} ends at offset {}, but {home} has read it up to {}: the topic was \
                 created anew, or its brokers have lost records; {anew}",
                extent.end, furthest.0
            ),
        ));
    }
    Ok(())
}

fn begin(offset: Offset, record: ResumeRecord, out_of_orderness_millis: i64) -> Begin {
    let complete = |time: EventTime| Watermark::at(time.millis() - out_of_orderness_millis);
    Begin {
        offset,
        watermark: record.greatest_event.map_or(Watermark::BEGINNING, complete),
        joins: record.joins,
        position: record.position.max(offset),
        seen_millis: record.seen.millis(),
        totals: record.totals,
        end: Offset(0),
    }
}

/// A refusal, with the page that says what to do.
fn refused(page: &str, sentence: &str) -> Error {
    Error::Refused(format!("{sentence} (docs/runbooks/{page}.md)"))
}
