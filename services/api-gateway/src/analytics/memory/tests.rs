use proptest::prelude::*;
use schemas::ResultRow;

use super::*;

fn row(product: &str, minute: u32, is_final: bool, count: u64) -> TopicRow {
    let window = Window::from_ordinal(minute);
    let row = ResultRow { product_id: product.to_owned(), window, unique_user_count: count, revision: 0 };
    TopicRow { row, is_final }
}

/// A memory of a topic with so many partitions, read from their beginning.
fn memory(partitions: usize) -> Memory {
    let mut memory = Memory::default();
    assert_eq!(memory.resume(&vec![0..0; partitions], &vec![0; partitions]), vec![0; partitions]);
    memory
}

/// Takes rows at the next offsets of partition 0.
fn take(memory: &mut Memory, rows: impl IntoIterator<Item = TopicRow>) {
    for row in rows {
        let next = memory.next().next(0);
        memory.take(0, next, Some(row), Instant::now());
    }
}

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

#[test]
fn the_newest_row_of_each_minute_is_kept_in_whatever_order_rows_come() {
    let rows = [row("a", 100, false, 3), row("a", 100, true, 5), row("a", 100, false, 4), row("b", 100, false, 1)];
    for turn in 0..rows.len() {
        let mut kept = memory(1);
        let mut turned = rows.clone();
        turned.rotate_left(turn);
        take(&mut kept, turned);
        let products = &kept.minutes[&Window::from_ordinal(100)].products;
        assert_eq!(products["a"].row, row("a", 100, true, 5));
        assert_eq!(products.len(), 2);
    }
}

#[test]
fn minutes_are_forgotten_when_they_are_31_behind_the_newest() {
    let mut kept = memory(1);
    take(&mut kept, (1..=100).map(|minute| row("a", minute, true, 1)));
    assert!(kept.take(0, 100, Some(row("a", 1, true, 1)), Instant::now()).is_none());
    assert_eq!(kept.minutes.len(), 31);
    assert_eq!(kept.minutes.first_key_value().unwrap().0.ordinal(), 70);
    assert_eq!(kept.partitions[0].rows.len(), 31);
    assert_eq!(kept.bytes, 31 * kept.minutes[&Window::from_ordinal(70)].products["a"].bytes());
}

#[test]
fn where_rows_take_too_much_the_oldest_minutes_go_and_the_newest_stays() {
    let mut kept = memory(1);
    // Two of three such minutes are more than may be remembered.
    kept.bytes = MAX_BYTES - 1_000;
    take(&mut kept, [row("a", 1, true, 1), row("a", 2, true, 1), row("a", 3, true, 1)]);
    let minutes: Vec<u32> = kept.minutes.keys().map(|window| window.ordinal()).collect();
    assert_eq!(minutes, [3]);
    assert!(kept.has_all_after(&place("0:2")) && !kept.has_all_after(&place("0:1")));
}

#[test]
fn a_minute_is_over_when_all_of_its_rows_are_final_or_a_later_one_has_final_rows() {
    let mut kept = memory(1);
    let over_and_open = |kept: &Memory| (kept.closed().map(Window::ordinal), kept.open().map(Window::ordinal));
    assert_eq!(over_and_open(&kept), (None, None));
    take(&mut kept, [row("a", 10, false, 1), row("b", 10, false, 1)]);
    assert_eq!(over_and_open(&kept), (None, Some(10)));
    // Final for one product, and not yet for the other, while the next minute has begun.
    take(&mut kept, [row("a", 11, false, 1), row("a", 10, true, 2)]);
    assert_eq!(over_and_open(&kept), (None, Some(11)));
    take(&mut kept, [row("b", 10, true, 1)]);
    assert_eq!(over_and_open(&kept), (Some(10), Some(11)));
    // A row that never becomes final does not hold its minute open for ever.
    take(&mut kept, [row("b", 11, false, 1), row("a", 11, true, 1), row("a", 12, true, 1)]);
    assert_eq!(over_and_open(&kept), (Some(12), None));
    take(&mut kept, [row("b", 12, false, 1)]);
    assert_eq!(over_and_open(&kept), (Some(11), Some(12)));
}

#[test]
fn reading_goes_on_where_it_ended_and_readers_miss_nothing() {
    let mut kept = memory(2);
    take(&mut kept, [row("a", 10, false, 1), row("a", 10, false, 2)]);
    assert_eq!(kept.resume(&[0..5, 0..3], &[1, 1]), [2, 1]);
    // Partition 1 was read from 0 to 0: what was there before 1 is more than half an hour old, and was missed.
    assert_eq!(kept.gaps(), 1);
    // A partition that the topic has got is read from its beginning, and nobody has missed anything of it.
    assert_eq!(kept.resume(&[0..5, 0..3, 0..9], &[1, 1, 0]), [2, 1, 0]);
    assert_eq!(kept.gaps(), 1);
    assert!(kept.has_all_after(&place("0:2,1:1")) && kept.has_all_after(&place("0:0,1:1,2:0")));
    assert!(!kept.has_all_after(&place("0:2,1:0")));
}

#[test]
fn another_topic_of_the_same_name_is_begun_anew() {
    let mut kept = memory(1);
    take(&mut kept, [row("a", 10, true, 1), row("a", 11, true, 1)]);
    assert_eq!(kept.resume(std::slice::from_ref(&(0..1)), &[0]), [0]);
    assert_eq!((kept.minutes.len(), kept.gaps()), (0, 1));
    assert!(kept.is_behind(&place("0:2")) && !kept.is_behind(&place("0:0")));
}

#[test]
fn a_place_of_more_partitions_than_there_are_is_not_known() {
    assert!(!memory(1).has_all_after(&place("0:0,1:0")));
}

#[test]
fn no_row_that_waits_long_is_passed_over_for_a_partition_that_has_many() {
    let mut kept = memory(2);
    take(&mut kept, (0..10).map(|product| row(&product.to_string(), 10, false, 1)));
    kept.take(1, 0, Some(row("b", 10, false, 1)), Instant::now());
    let taken = kept.after(&place("0:0,1:0"), 1, 3);
    assert_eq!(taken.iter().map(|row| (row.partition, row.offset)).collect::<Vec<_>>(), [(1, 0), (0, 0), (0, 1)]);
}

/// What a client knows.
type Known = HashMap<(String, Window), TopicRow>;

fn learn(known: &mut Known, row: &TopicRow) {
    let key = (row.row.product_id.clone(), row.row.window);
    if known.get(&key).is_none_or(|present| present.rank() < row.rank()) {
        known.insert(key, row.clone());
    }
}

/// Reads as a stream does, up to `limit` rows.
fn read(memory: &Memory, place: &mut Place, known: &mut Known, product: Option<&str>, limit: usize) {
    let rows = match product {
        Some(product) => memory.of_product_after(product, place),
        None => memory.after(place, 0, limit),
    };
    let mut last = None;
    for row in &rows {
        assert!(row.offset >= place.next(row.partition), "a row comes again");
        assert!(last < Some((row.partition, row.offset)), "rows of a partition are in disorder");
        last = Some((row.partition, row.offset));
        place.advance(row.partition, row.offset + 1);
        learn(known, &row.row);
    }
    if product.is_some() || rows.len() < limit {
        place.advance_to(&memory.next());
    }
}

fn records() -> impl Strategy<Value = Vec<(usize, usize, u32, bool, u64)>> {
    // Partition, product, minute, final, count; minutes go on for longer than they are remembered.
    prop::collection::vec((0..3_usize, 0..3_usize, 0..6_u32, prop::bool::ANY, 1..9_u64), 0..120)
}

proptest! {
    #[test]
    fn whenever_a_client_reads_and_however_much_it_knows_the_newest_row_of_each_minute_in_the_end(
        records in records(),
        limit in 1..9_usize,
        pauses in prop::collection::vec(prop::bool::ANY, 120),
    ) {
        let products = ["a", "b", "c"];
        let mut kept = memory(3);
        let mut clients: Vec<(Option<&str>, Place, Known)> = [None, Some("a"), Some("b"), Some("c")]
            .into_iter()
            .map(|product| (product, kept.before_open_minutes(product), Known::new()))
            .collect();
        let mut all = Known::new();
        for (index, (partition, product, minute, is_final, count)) in records.into_iter().enumerate() {
            let minute = u32::try_from(index).unwrap() / 3 + minute;
            let row = row(products[product], minute, is_final, count);
            learn(&mut all, &row);
            let offset = kept.next().next(partition);
            kept.take(partition, offset, Some(row), Instant::now());
            if !pauses[index] {
                for (product, place, known) in &mut clients {
                    read(&kept, place, known, *product, limit);
                }
            }
        }
        let oldest = kept.minutes.first_key_value().map(|(window, _)| *window);
        for (product, mut place, mut known) in clients {
            for _ in 0..200 {
                read(&kept, &mut place, &mut known, product, limit);
            }
            prop_assert_eq!(&place, &kept.next());
            let counts = |(key, row): (&(String, Window), &TopicRow)| {
                (Some(key.1) >= oldest && product.is_none_or(|product| product == key.0)).then(|| (key.clone(), row.clone()))
            };
            let expected: Known = all.iter().filter_map(counts).collect();
            let found: Known = known.iter().filter_map(counts).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
