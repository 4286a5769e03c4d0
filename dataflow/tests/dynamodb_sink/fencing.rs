//! Two jobs on one table: the one with the higher epoch has it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use dataflow::sink::Sink;
use dataflow::sink::dynamodb::DynamoDbSink;
use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::dynamo::Dynamo;
use crate::{REPLAY, Sinks, TABLE, job, refusal, row};

#[test]
fn a_later_epoch_wins_and_fences_the_earlier_one() {
    let dynamo = Dynamo::start();
    let (mut old, mut new) = (dynamo.sink(job(1)), dynamo.sink(job(2)));
    old.write_rows(&[row("42", 17, 9)]).unwrap();
    new.write_rows(&[row("42", 16, 0)]).unwrap();
    assert_eq!(dynamo.only(), (16, 0, 2));
    let error = old.write_rows(&[row("42", 17, 10)]).unwrap_err();
    assert_eq!(
        refusal(&error),
        "another job with epoch 2 owns table ecom-analytics (product \"42\", window 2024-01-01T12:00:00Z; this one has \
         epoch 1); let one of the two run, or give each a table of its own in DYNAMODB_TABLE (docs/runbooks/fenced.md)"
    );
    assert_eq!(dynamo.only(), (16, 0, 2));
}

#[test]
fn a_live_row_of_the_earlier_epoch_changes_nothing_and_tells_it() {
    for write_new in [Sink::write_rows, Sink::write_live] as [fn(&mut DynamoDbSink, &[_]) -> _; 2] {
        let dynamo = Dynamo::start();
        let (mut old, mut new) = (dynamo.sink(job(1)), dynamo.sink(job(2)));
        write_new(&mut new, &[row("42", 16, 0)]).unwrap();
        new.settle_live().unwrap();
        old.write_live(&[row("42", 99, 0)]).unwrap();
        let error = old.settle_live().unwrap_err();
        assert!(refusal(&error).contains("epoch 2 owns table ecom-analytics (product \"42\""), "{error}");
        assert_eq!(dynamo.only(), (16, 0, 2));
    }
}

#[test]
fn what_a_live_row_found_out_the_next_call_says() {
    let dynamo = Dynamo::start();
    let (mut old, mut new) = (dynamo.sink(job(1)), dynamo.sink(job(2)));
    new.write_rows(&[row("42", 16, 0)]).unwrap();
    old.write_live(&[row("42", 99, 0)]).unwrap();
    let again = || old.write_rows(&[row("43", 1, 0)]).and_then(|()| old.write_live(&[]));
    let error = std::iter::repeat_with(again).find_map(Result::err).unwrap();
    refusal(&error);
}

#[test]
fn rows_of_a_replay_fence_nobody() {
    let dynamo = Dynamo::start();
    dynamo.sink(REPLAY).write_rows(&[row("42", 99, 0)]).unwrap();
    let mut sink = dynamo.sink(job(1));
    sink.write_live(&[row("42", 100, 0)]).unwrap();
    sink.settle_live().unwrap();
    assert_eq!(dynamo.only(), (99, 0, 0));
    sink.write_rows(&[row("42", 17, 0)]).unwrap();
    assert_eq!(dynamo.only(), (17, 0, 1));
}

/// A put of one of two jobs.
#[derive(Clone, Copy, Debug)]
struct Put {
    epoch: u64,
    product: u8,
    /// Of a final row; live rows have none.
    revision: Option<u64>,
    users: u64,
}

fn put() -> impl Strategy<Value = Put> {
    (1..=2_u64, 0..2_u8, prop::option::weighted(0.6, 0..3_u64), 1..5_u64).prop_map(
        |(epoch, product, revision, users)| {
            // A job's row is determined by its product, window and revision.
            let users = revision.map_or(users, |revision| 10 * epoch + revision);
            Put { epoch, product, revision, users }
        },
    )
}

#[test]
fn whatever_the_interleaving_the_newest_epochs_content_is_left() {
    static CASE: AtomicU64 = AtomicU64::new(0);
    let dynamo = Dynamo::start();
    let sink = |epoch| std::cell::RefCell::new(dynamo.sink(job(epoch)));
    let sinks = [sink(1), sink(2)];
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    proptest!(config, |(puts in prop::collection::vec(put(), 1..12))| {
        let case = CASE.fetch_add(1, Ordering::Relaxed);
        let name = |product: u8| format!("{case}-{product}");
        let mut expected: BTreeMap<String, (u64, bool, u64, u64)> = BTreeMap::new();
        for Put { epoch, product, revision, users } in puts {
            let mut sink = sinks[usize::from(epoch == 2)].borrow_mut();
            let is_final = revision.is_some();
            let wanted = (epoch, is_final, revision.unwrap_or(0), users);
            let row = row(&name(product), users, wanted.2);
            let result = match revision {
                Some(_) => sink.write_rows(&[row]),
                None => sink.write_live(&[row]).and_then(|()| sink.settle_live()),
            };
            let stored = expected.get(&name(product)).copied();
            // Only the earlier job is ever refused, and only by an item of the later one.
            let is_fenced = stored.is_some_and(|(theirs, ..)| theirs > epoch);
            prop_assert_eq!(result.is_err(), is_fenced, "{:?}", result);
            // Newest: by epoch, final before live, by revision; live rows by epoch and count, over no final row.
            let is_newer = stored.is_none_or(|stored| match (is_final, stored.1) {
                (true, _) => wanted >= stored,
                (false, true) => false,
                (false, false) => epoch >= stored.0 && users > stored.3,
            });
            if is_newer {
                expected.insert(name(product), wanted);
            }
        }
        let mut found = BTreeMap::new();
        for item in dynamo.items(TABLE) {
            let product = item["product_id"].as_s().unwrap().clone();
            if product.starts_with(&format!("{case}-")) {
                let number = |name: &str| item[name].as_n().unwrap().parse::<u64>().unwrap();
                let is_final = *item["final"].as_bool().unwrap();
                found.insert(product, (number("job_epoch"), is_final, number("revision"), number("unique_user_count")));
            }
        }
        prop_assert_eq!(found, expected);
    });
}
