//! The resume record: all that a restart must know of a partition, as one line of text.
//!
//! It is kept where the partition's committed offset is, in the same transaction as the output that it stands for. It is
//! for people too: `dataflow resume show` shows it.

use std::fmt;
use std::str::FromStr;

use schemas::EventTime;

use crate::partitions::Watermark;
use crate::record::Offset;

/// The version of the format that this program writes; it reads this one and older ones.
pub const VERSION: u32 = 1;
/// What Kafka keeps with a committed offset is at most 4 096 bytes by default; the record stays far below.
pub const MAX_BYTES: usize = 1_024;
/// How many joins a record has room for; a partition that has so many within its replay does not become idle again.
pub const MAX_JOINS: usize = 12;
/// What may not stand in the name of an owner: it separates fields.
const SEPARATOR: char = ';';

/// A partition's resume record, without the offset that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeRecord {
    /// W: every window that ends at or before this is durable in every sink; none before the first.
    pub closed_through: Option<EventTime>,
    /// The greatest event time (at most its record's time) below the resume offset.
    pub greatest_event: Option<EventTime>,
    /// The next offset to be read: what lies below was received, and its late and rejected records were forwarded.
    pub position: Offset,
    /// How many partitions the topic had.
    pub partitions: u32,
    /// The joins that lie at or above the resume offset, and the last one below it, in order.
    pub joins: Vec<Join>,
    /// When the last valid record was read, or when the group first started, by the clock.
    pub seen: EventTime,
    /// Whether the partition was idle: known to have nothing to read.
    pub is_idle: bool,
    /// The epoch of the job that wrote the record.
    pub epoch: u64,
    /// The highest revision of any row so far.
    pub revision: u64,
    /// The fingerprint of the settings that change what is counted.
    pub settings: Fingerprint,
    /// Who wrote it: host, process, start.
    pub owner: String,
    /// What became of the records below the position.
    pub totals: RecordTotals,
}

/// A partition that had been idle came back at `offset`: from there on, what the job watermark had closed is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Join {
    /// The first record for which it holds.
    pub offset: Offset,
    /// The job watermark at that moment.
    pub watermark: Watermark,
}

/// XXH3 of the settings that change what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fingerprint(pub u64);

/// What became of a partition's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecordTotals {
    /// Records received.
    pub received: u64,
    /// Records that went into a count.
    pub counted: u64,
    /// Valid events of windows that were final.
    pub late: u64,
    /// Records that are no valid events.
    pub rejected: u64,
    /// Valid events whose type is not asked for.
    pub filtered: u64,
}

impl RecordTotals {
    /// Whether every record received became exactly one of the others.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.received == self.counted + self.late + self.rejected + self.filtered
    }

    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        RecordTotals {
            received: self.received + other.received,
            counted: self.counted + other.counted,
            late: self.late + other.late,
            rejected: self.rejected + other.rejected,
            filtered: self.filtered + other.filtered,
        }
    }
}

/// Why a text is no record that this program can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A newer program wrote it.
    #[error("it has version {0}, and this program reads up to version {VERSION}")]
    Newer(u32),
    /// It is not one of ours.
    #[error("it is not a resume record: {0}")]
    Foreign(String),
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for ResumeRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Option<EventTime>| time.map(|time| time.to_string()).unwrap_or_default();
        let joins: Vec<_> = self.joins.iter().map(ToString::to_string).collect();
        let RecordTotals { received, counted, late, rejected, filtered } = self.totals;
        write!(
            f,
            "v={VERSION};w={};wm={};pos={};parts={};joins={};seen={}{};epoch={};rev={};set={};own={};n={received}/{counted}/{late}/{rejected}/{filtered}",
            time(self.closed_through),
            time(self.greatest_event),
            self.position.0,
            self.partitions,
            joins.join(","),
            self.seen,
            if self.is_idle { ",idle" } else { "" },
            self.epoch,
            self.revision,
            self.settings,
            self.owner.replace(SEPARATOR, ","),
        )
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A watermark before 1970 closes no window: the epoch says the same.
        let time = EventTime::from_millis(self.watermark.raw_millis()).unwrap_or(EventTime::MIN);
        write!(f, "{}@{time}", self.offset.0)
    }
}

impl FromStr for ResumeRecord {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let fields = Fields(text);
        match fields.number::<u32>("v")? {
            newer @ VERSION.. if newer > VERSION => return Err(Unreadable::Newer(newer)),
            0 => return Err(Unreadable::Foreign("there is no version 0".to_owned())),
            _ => {}
        }
        let seen = fields.get("seen")?;
        let (seen, is_idle) = seen.strip_suffix(",idle").map_or((seen, false), |seen| (seen, true));
        let joins = fields.get("joins")?;
        Ok(ResumeRecord {
            closed_through: fields.optional_time("w")?,
            greatest_event: fields.optional_time("wm")?,
            position: Offset(fields.number("pos")?),
            partitions: fields.number("parts")?,
            joins: joins.split(',').filter(|join| !join.is_empty()).map(parse_join).collect::<Result<_, _>>()?,
            seen: parse_time("seen", seen)?,
            is_idle,
            epoch: fields.number("epoch")?,
            revision: fields.number("rev")?,
            settings: u64::from_str_radix(fields.get("set")?, 16)
                .map(Fingerprint)
                .map_err(|_| foreign("set", fields.get("set").unwrap_or_default()))?,
            owner: fields.get("own")?.to_owned(),
            totals: parse_totals(fields.get("n")?)?,
        })
    }
}

/// `key=value;key=value`; unknown keys are passed over.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Result<&'a str, Unreadable> {
        let mut pairs = self.0.split(SEPARATOR).filter_map(|field| field.split_once('='));
        let found = pairs.find(|(key, _)| *key == name);
        found.map(|(_, value)| value).ok_or_else(|| Unreadable::Foreign(format!("there is no field {name}")))
    }

    fn number<N: FromStr>(&self, name: &str) -> Result<N, Unreadable> {
        let text = self.get(name)?;
        text.parse().map_err(|_| foreign(name, text))
    }

    fn optional_time(&self, name: &str) -> Result<Option<EventTime>, Unreadable> {
        match self.get(name)? {
            "" => Ok(None),
            text => parse_time(name, text).map(Some),
        }
    }
}

fn foreign(name: &str, value: &str) -> Unreadable {
    Unreadable::Foreign(format!("the field {name} is {value:?}"))
}

fn parse_time(name: &str, text: &str) -> Result<EventTime, Unreadable> {
    EventTime::parse(text.as_bytes()).map_err(|_| foreign(name, text))
}

fn parse_join(text: &str) -> Result<Join, Unreadable> {
    let parse = || {
        let (offset, time) = text.split_once('@')?;
        let time = EventTime::parse(time.as_bytes()).ok()?;
        Some(Join { offset: Offset(offset.parse().ok()?), watermark: Watermark::at(time.millis()) })
    };
    parse().ok_or_else(|| foreign("joins", text))
}

fn parse_totals(text: &str) -> Result<RecordTotals, Unreadable> {
    let numbers: Result<Vec<u64>, _> = text.split('/').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([received, counted, late, rejected, filtered]) => Ok(RecordTotals {
            received: *received,
            counted: *counted,
            late: *late,
            rejected: *rejected,
            filtered: *filtered,
        }),
        _ => Err(foreign("n", text)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn time() -> impl Strategy<Value = EventTime> {
        (EventTime::MIN.millis()..=EventTime::MAX.millis()).prop_map(|millis| EventTime::from_millis(millis).unwrap())
    }

    fn join() -> impl Strategy<Value = Join> {
        (any::<u64>(), time())
            .prop_map(|(offset, time)| Join { offset: Offset(offset), watermark: Watermark::at(time.millis()) })
    }

    prop_compose! {
        fn any_record()(
            (closed_through, greatest_event, seen) in (prop::option::of(time()), prop::option::of(time()), time()),
            (position, partitions, epoch, revision) in any::<(u64, u32, u64, u64)>(),
            joins in prop::collection::vec(join(), 0..=MAX_JOINS),
            (is_idle, settings) in any::<(bool, u64)>(),
            owner in "[a-z0-9.-]{1,64}:[0-9]{1,7},2026-11-21T23:00:00Z",
            totals in any::<[u64; 5]>(),
        ) -> ResumeRecord {
            let [received, counted, late, rejected, filtered] = totals;
            ResumeRecord {
                closed_through, greatest_event, position: Offset(position), partitions, joins, seen, is_idle, epoch,
                revision, settings: Fingerprint(settings), owner,
                totals: RecordTotals { received, counted, late, rejected, filtered },
            }
        }
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written_and_is_short(record in any_record()) {
            let text = record.to_string();
            prop_assert!(text.len() <= MAX_BYTES, "{} bytes: {}", text.len(), text);
            prop_assert_eq!(text.parse::<ResumeRecord>(), Ok(record));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = text.parse::<ResumeRecord>();
        }
    }

    const WRITTEN: &str = "v=1;w=2024-01-01T12:03:00Z;wm=2024-01-01T12:03:09.5Z;pos=812;parts=4;\
        joins=700@2024-01-01T12:01:00Z;seen=2026-11-21T23:00:00Z,idle;epoch=3;rev=0;set=00000000000000ff;\
        own=host:42,2026-11-21T22:59:00Z;n=800/790/4/5/1";

    #[test]
    fn a_newer_version_is_told_from_a_foreign_text() {
        assert_eq!(WRITTEN.replace("v=1", "v=2").parse::<ResumeRecord>(), Err(Unreadable::Newer(2)));
        for text in ["", "hello", &WRITTEN.replace("v=1", "v=0"), &WRITTEN.replace("epoch=3", "epoch=")] {
            assert!(matches!(text.parse::<ResumeRecord>(), Err(Unreadable::Foreign(_))), "{text}");
        }
    }

    #[test]
    fn fields_that_are_not_known_are_passed_over() {
        let known: ResumeRecord = WRITTEN.parse().unwrap();
        assert_eq!(format!("{WRITTEN};more=1").parse(), Ok(known.clone()));
        assert!(known.is_idle && known.totals.balance());
    }
}
