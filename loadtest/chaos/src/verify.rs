//! Comparisons. Nothing here knows where rows come from.

use std::collections::BTreeMap;
use std::fmt::Display;

use kit::topic::Record;
use schemas::names::header;
use schemas::{ResultRow, TopicRow, Window};

use crate::model::Kept;

/// The outcome of a comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// How many rows were compared: those that were expected or found.
    pub(crate) compared: u64,
    /// Each row that is not there as often as it should be, with what is wrong.
    pub(crate) differences: Vec<String>,
}

/// Compares what was found with what was expected: the same rows, each as often as expected, in any order.
pub(crate) fn compare<T: Ord + Display>(
    expected: impl IntoIterator<Item = T>,
    found: impl IntoIterator<Item = T>,
) -> Comparison {
    let mut times: BTreeMap<T, (u64, u64)> = BTreeMap::new();
    expected.into_iter().for_each(|row| times.entry(row).or_default().0 += 1);
    found.into_iter().for_each(|row| times.entry(row).or_default().1 += 1);
    let mut comparison = Comparison::default();
    for (row, (expected, found)) in times {
        comparison.compared += expected.max(found);
        if expected == found {
            continue;
        }
        comparison.differences.push(match (expected, found) {
            (_, 0) => format!("missing: {row}"),
            (0, _) => format!("not expected: {row}"),
            _ => format!("{found} times, not {expected}: {row}"),
        });
    }
    comparison
}

/// The text under which rows are compared: every field of a row.
pub(crate) fn row_text(row: &ResultRow) -> String {
    let ResultRow { product_id, window, unique_user_count, revision } = row;
    format!("window {window} product {product_id}: {unique_user_count} users, revision {revision}")
}

/// The final rows of a results topic, as text, and what is wrong with its other records: those that are no rows, and
/// live rows behind the final one, above it, or below an earlier one.
pub(crate) fn topic_rows(records: &[Record]) -> (Vec<String>, Vec<String>) {
    let mut wrong = Vec::new();
    let (mut finals, mut live) = (Vec::new(), BTreeMap::new());
    let mut closed: BTreeMap<(Window, String), u64> = BTreeMap::new();
    for record in records {
        let TopicRow { row, is_final } = match serde_json::from_slice(record.value.as_deref().unwrap_or_default()) {
            Ok(row) => row,
            Err(error) => {
                wrong.push(format!("no row: {}: {error}", record.text()));
                continue;
            }
        };
        if record.key.as_deref() != Some(row.product_id.as_bytes()) {
            wrong.push(format!("under another key: {}", record.text()));
        }
        let key = (row.window, row.product_id.clone());
        let count = row.unique_user_count;
        if is_final {
            if live.get(&key).is_some_and(|&shown| shown > count) {
                wrong.push(format!("a final row below a live one: {}", record.text()));
            }
            finals.push(row_text(&row));
            closed.insert(key, count);
        } else if closed.contains_key(&key) {
            wrong.push(format!("a live row behind the final one: {}", record.text()));
        } else if live.insert(key, count).is_some_and(|shown| shown > count) {
            wrong.push(format!("a live row below an earlier one: {}", record.text()));
        }
    }
    (finals, wrong)
}

/// The records of a results topic that are final rows.
pub(crate) fn finals(records: &[Record]) -> impl Iterator<Item = &Record> {
    records.iter().filter(|record| {
        let row = serde_json::from_slice::<TopicRow>(record.value.as_deref().unwrap_or_default());
        row.is_ok_and(|row| row.is_final)
    })
}

/// A record, byte for byte: key, value and headers.
pub(crate) fn bytes(record: &Record) -> String {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| bytes.escape_ascii().to_string());
    format!("key {:?}: {} {:?}", text(&record.key), text(&record.value).unwrap_or_default(), record.headers)
}

/// What a late or rejected topic keeps; the error is a record that does not say where it came from.
pub(crate) fn kept(record: &Record) -> Result<Kept, String> {
    let header = |name: &str| record.headers.get(name).cloned();
    let number = |name: &str| header(name).and_then(|text| text.parse::<i64>().ok());
    let read = || {
        Some(Kept {
            partition: number(header::PARTITION)?.try_into().ok()?,
            offset: number(header::OFFSET)?,
            reason: header(header::REASON)?,
            key: record.key.clone(),
            value: record.value.clone(),
        })
    };
    read().ok_or_else(|| format!("without partition, offset or reason: {}", record.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "window a product 1: 2 users";
    const B: &str = "window a product 2: 1 users";

    fn row(window: u32, product: &str, users: u64, is_final: bool) -> Record {
        let row = ResultRow {
            product_id: product.to_owned(),
            window: Window::from_ordinal(window),
            unique_user_count: users,
            revision: 0,
        };
        let value = serde_json::to_vec(&TopicRow { row, is_final }).unwrap();
        Record { key: Some(product.as_bytes().to_vec()), value: Some(value), ..Record::default() }
    }

    #[test]
    fn the_same_rows_in_another_order_are_equal() {
        let comparison = compare([A, B], [B, A]);
        assert_eq!(comparison, Comparison { compared: 2, differences: vec![] });
    }

    #[test]
    fn a_missing_row_a_duplicate_and_a_wrong_count_are_found() {
        assert_eq!(compare([A, B], [A]).differences, [format!("missing: {B}")]);
        assert_eq!(compare([A, B], [A, B, B]).differences, [format!("2 times, not 1: {B}")]);
        let wrong = "window a product 2: 3 users";
        assert_eq!(
            compare([A, B], [A, wrong]).differences,
            [format!("missing: {B}"), format!("not expected: {wrong}")]
        );
        assert_eq!(compare([A, B], []).differences.len(), 2);
        assert_eq!(compare([], [A]).differences.len(), 1);
    }

    #[test]
    fn every_field_of_a_row_is_compared() {
        let row = ResultRow {
            product_id: "p".to_owned(),
            window: Window::from_ordinal(1),
            unique_user_count: 2,
            revision: 0,
        };
        for other in [
            ResultRow { product_id: "q".to_owned(), ..row.clone() },
            ResultRow { window: Window::from_ordinal(2), ..row.clone() },
            ResultRow { unique_user_count: 3, ..row.clone() },
            ResultRow { revision: 1, ..row.clone() },
        ] {
            assert_ne!(row_text(&row), row_text(&other));
        }
    }

    #[test]
    fn live_rows_rise_to_the_final_one_and_end_with_it() {
        let fine = [row(1, "p", 1, false), row(1, "p", 3, false), row(1, "p", 3, true), row(2, "p", 1, false)];
        let (finals, wrong) = topic_rows(&fine);
        assert_eq!((finals.len(), wrong.len()), (1, 0), "{wrong:?}");
        for (records, named) in [
            ([row(1, "p", 2, false), row(1, "p", 1, false)], "below an earlier"),
            ([row(1, "p", 2, false), row(1, "p", 1, true)], "a final row below"),
            ([row(1, "p", 2, true), row(1, "p", 2, false)], "behind the final"),
            ([row(1, "p", 2, true), Record { value: Some(b"{}".to_vec()), ..row(1, "p", 2, true) }], "no row"),
            ([row(1, "p", 2, true), Record { key: None, ..row(2, "p", 2, true) }], "another key"),
        ] {
            let wrong = topic_rows(&records).1;
            assert!(wrong.len() == 1 && wrong[0].contains(named), "{wrong:?} does not name {named}");
        }
    }

    #[test]
    fn records_differ_in_key_headers_and_every_byte() {
        let fine = row(1, "p", 2, true);
        let mut spaced = fine.clone();
        spaced.value.as_mut().unwrap().insert(1, b' ');
        let headers: BTreeMap<_, _> = [("a".to_owned(), "b".to_owned())].into();
        for other in [spaced, Record { key: None, ..fine.clone() }, Record { headers, ..fine.clone() }] {
            assert_ne!(bytes(&fine), bytes(&other));
        }
        assert_eq!(bytes(&fine), bytes(&Record { partition: 1, offset: 7, ..fine.clone() }));
    }

    #[test]
    fn live_rows_are_not_final() {
        let rows = [row(1, "p", 2, false), row(1, "p", 2, true)];
        assert_eq!(finals(&rows).collect::<Vec<_>>(), [&rows[1]]);
    }

    #[test]
    fn a_duplicate_final_row_is_a_difference() {
        let (finals, wrong) = topic_rows(&[row(1, "p", 2, true), row(1, "p", 2, true)]);
        assert!(wrong.is_empty());
        let expected = finals[..1].to_vec();
        assert_eq!(compare(expected, finals).differences.len(), 1);
    }

    #[test]
    fn a_kept_record_is_known_by_its_origin_reason_key_and_bytes() {
        let headers = [(header::PARTITION, "3"), (header::OFFSET, "17"), (header::REASON, "late")];
        let headers = headers.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let record = Record { value: Some(b"x".to_vec()), headers, ..Record::default() };
        let expected = kept(&record).unwrap();
        assert_eq!((expected.partition, expected.offset, &*expected.reason), (3, 17, "late"));
        for other in [
            Record { value: Some(b"y".to_vec()), ..record.clone() },
            Record { key: Some(b"u1".to_vec()), ..record.clone() },
        ] {
            assert_eq!(compare([expected.clone()], [kept(&other).unwrap()]).differences.len(), 2);
        }
        assert_eq!(compare([expected.clone()], [expected.clone(), expected]).differences.len(), 1);
        assert!(kept(&Record::default()).is_err());
    }
}
