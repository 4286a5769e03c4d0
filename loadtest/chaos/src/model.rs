//! What must come out of a topic, worked out as naively as it can be: read it partition by partition, keep the latest
//! time, keep sets of users.
//!
//! This is a second opinion on the generator's answer key, from the bytes alone, and the only opinion on which
//! records are late and rejected.

use std::collections::BTreeMap;
use std::fmt;

use kit::job::OUT_OF_ORDERNESS_MILLIS;
use kit::topic::Record;
use kit::totals::Totals;
use schemas::{EventTime, MAX_RECORD_BYTES, ResultRow, Window, decode_general};

/// A record that is not counted, as its topic has to keep it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kept {
    /// The partition it came from.
    pub(crate) partition: u32,
    /// The offset it came from.
    pub(crate) offset: i64,
    /// Why it is not counted.
    pub(crate) reason: String,
    /// Its key.
    pub(crate) key: Option<Vec<u8>>,
    /// Its value, or the first 64 KiB of it.
    pub(crate) value: Option<Vec<u8>>,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = String::from_utf8_lossy(self.value.as_deref().unwrap_or_default());
        let beginning: String = value.chars().take(120).collect();
        write!(f, "partition {} offset {}, {}: {beginning}", self.partition, self.offset, self.reason)
    }
}

/// What must come out of a topic.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// The final rows of all windows that every partition has passed.
    pub(crate) rows: Vec<ResultRow>,
    /// The records that come too late.
    pub(crate) late: Vec<Kept>,
    /// The records that are no events.
    pub(crate) rejected: Vec<Kept>,
    /// How many there are of each.
    pub(crate) totals: Totals,
}

impl Expected {
    /// The last row of each product and window, which is what a table keeps.
    pub(crate) fn last_rows(&self) -> impl Iterator<Item = &ResultRow> {
        let is_last = |(row, next): &(&ResultRow, Option<&ResultRow>)| {
            next.is_none_or(|next| (next.window, &next.product_id) != (row.window, &row.product_id))
        };
        let next = self.rows.iter().skip(1).map(Some).chain([None]);
        self.rows.iter().zip(next).filter(is_last).map(|(row, _)| row)
    }
}

/// Who looked at a product in a window, and in which window's time it took effect: in its own, or in a later one where
/// the partition's watermark had passed its own already and the allowed lateness let it in.
type Users = BTreeMap<String, Window>;

/// Works out what must come out of a topic whose partitions are all fed from the start, or whose events are all on
/// time.
pub(crate) fn judge(partitions: u32, lateness_minutes: u32, records: &[Record]) -> Expected {
    let lateness = i64::from(lateness_minutes) * Window::MILLIS;
    let mut expected = Expected::default();
    let mut watermarks = vec![i64::MIN; partitions as usize];
    let mut keys: BTreeMap<(Window, String), Users> = BTreeMap::new();
    for record in records {
        expected.totals.received += 1;
        let watermark = &mut watermarks[record.partition as usize];
        match decode_general(record.value.as_deref().unwrap_or_default()) {
            Err(reason) => {
                expected.totals.rejected += 1;
                expected.rejected.push(kept(record, reason.code()));
            }
            Ok(event) => {
                let window = Window::of(event.timestamp);
                if window.end_millis() + lateness <= *watermark {
                    expected.totals.late += 1;
                    expected.late.push(kept(record, "late"));
                } else {
                    expected.totals.counted += 1;
                    let effect = EventTime::from_millis(*watermark).map_or(window, |time| window.max(Window::of(time)));
                    let key = (window, event.product_id.into_owned());
                    let first = keys.entry(key).or_default().entry(event.user_id.into_owned()).or_insert(effect);
                    *first = effect.min(*first);
                }
                *watermark = (*watermark).max(event.timestamp.millis() - OUT_OF_ORDERNESS_MILLIS);
            }
        }
    }
    let passed = watermarks.into_iter().min().unwrap_or(i64::MIN);
    expected.rows =
        keys.into_iter().flat_map(|((window, product), users)| rows(window, &product, &users, passed)).collect();
    expected
}

/// The rows of a product and window: one for each time at which users were added, up to the time that every partition
/// has passed. The first has revision 0, the others the number of windows by which they are behind their own.
fn rows(window: Window, product: &str, users: &Users, passed: i64) -> Vec<ResultRow> {
    let mut added: BTreeMap<Window, u64> = BTreeMap::new();
    users.values().for_each(|effect| *added.entry(*effect).or_default() += 1);
    let (mut rows, mut count) = (Vec::new(), 0);
    for (effect, more) in added.into_iter().filter(|(effect, _)| effect.end_millis() <= passed) {
        count += more;
        let behind = u64::from(effect.ordinal() - window.ordinal());
        let revision = if rows.is_empty() { 0 } else { behind };
        rows.push(ResultRow { product_id: product.to_owned(), window, unique_user_count: count, revision });
    }
    rows
}

fn kept(record: &Record, reason: &str) -> Kept {
    let mut value = record.value.clone();
    if let Some(value) = &mut value {
        value.truncate(MAX_RECORD_BYTES);
    }
    Kept {
        partition: record.partition,
        offset: record.offset,
        reason: reason.to_owned(),
        key: record.key.clone(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use kit::generator::event;

    use super::*;

    fn records(lines: &[(u32, i64, &str)]) -> Vec<Record> {
        let mut offsets = [0; 2];
        let record = |&(partition, seconds, user): &(u32, i64, &str)| {
            let offset = offsets[partition as usize];
            offsets[partition as usize] += 1;
            let value = if user.is_empty() { "{".to_owned() } else { event(user, "p", seconds * 1000) };
            Record { partition, offset, value: Some(value.into_bytes()), ..Record::default() }
        };
        lines.iter().map(record).collect()
    }

    #[test]
    fn a_window_is_final_when_every_partition_has_passed_it_and_counts_each_user_once() {
        let expected = judge(2, 0, &records(&[(0, 1, "a"), (0, 2, "a"), (1, 3, "b"), (0, 70, "a"), (1, 200, "a")]));
        let [row] = &expected.rows[..] else { panic!("{:?}", expected.rows) };
        assert_eq!((row.window.ordinal(), row.unique_user_count), (0, 2));
        assert_eq!((expected.totals.received, expected.totals.counted), (5, 5));
    }

    #[test]
    fn late_and_rejected_records_are_kept_with_their_origin() {
        let expected = judge(1, 0, &records(&[(0, 70, "a"), (0, 59, "b"), (0, 0, ""), (0, 69, "c")]));
        let origins = |kept: &[Kept]| kept.iter().map(|kept| (kept.offset, kept.reason.clone())).collect::<Vec<_>>();
        assert_eq!(origins(&expected.late), [(1, "late".to_owned())]);
        assert_eq!(origins(&expected.rejected), [(2, "not_json".to_owned())]);
        assert!(expected.totals.is_balanced());
    }

    #[test]
    fn with_allowed_lateness_an_event_behind_the_watermark_makes_a_revision_at_the_watermarks_window() {
        // The watermark is at 00:01:05 when b comes, at 00:02:30 when c and a come; a is known. d is too late.
        let lines = [
            (0, 1, "a"),
            (0, 75, "x"),
            (0, 2, "b"),
            (0, 160, "x"),
            (0, 3, "c"),
            (0, 4, "a"),
            (0, 400, "x"),
            (0, 5, "d"),
        ];
        let expected = judge(1, 2, &records(&lines));
        let of_first: Vec<_> = expected.rows.iter().filter(|row| row.window.ordinal() == 0).collect();
        let counts: Vec<_> = of_first.iter().map(|row| (row.unique_user_count, row.revision)).collect();
        assert_eq!(counts, [(1, 0), (2, 1), (3, 2)]);
        assert_eq!(expected.late.len(), 1);
        let last: Vec<_> = expected.last_rows().map(|row| (row.window.ordinal(), row.unique_user_count)).collect();
        assert_eq!(last, [(0, 3), (1, 1), (2, 1)]);
    }
}
