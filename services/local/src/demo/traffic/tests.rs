use std::collections::HashSet;
use std::time::Duration;

use dataflow::classify::Rules;
use schemas::{Reason, Window};
use serde_json::value::RawValue;

use super::*;
use crate::demo::event::Item;

const RATE: u32 = 500;
const PARTITIONS: u32 = 4;

fn start() -> EventTime {
    EventTime::parse(b"2024-01-01T12:00:00Z").unwrap()
}

fn ids() -> Vec<String> {
    (1_001..1_301).map(|id| id.to_string()).collect()
}

fn tide() -> Tide {
    let (out_of_orderness, allowed_lateness) = (Duration::from_secs(10), Duration::ZERO);
    let rules = Rules { out_of_orderness, allowed_lateness, max_future_skew: None, event_types: Vec::new() };
    Tide::new(&rules, PARTITIONS)
}

/// Ticks of a fifth of a second, each with its time and what it has made.
fn ticks(seed: u64, count: i64, trouble: Trouble) -> Vec<(EventTime, Batch)> {
    let mut traffic = Traffic::new(seed, RATE, ids(), PARTITIONS, start());
    let mut tide = tide();
    let tick = |tick: i64| {
        let now = later(start(), tick * 200);
        let mut batch = Batch::default();
        traffic.make(now, (RATE / 5) as usize, trouble, &tide, &mut batch);
        valid(&batch).for_each(|event| tide.note(event.time, event.partition));
        (now, batch)
    };
    (0..count).map(tick).collect()
}

fn valid(batch: &Batch) -> impl Iterator<Item = &Event> {
    batch.items.iter().filter_map(|item| match item {
        Item::Valid(event) => Some(event),
        Item::Ahead(_) | Item::Broken(_) => None,
    })
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn a_seed_fixes_every_byte_and_another_seed_gives_others() {
    let bodies = |seed| ticks(seed, 20, Trouble::default()).iter().map(|(_, batch)| batch.body()).collect::<Vec<_>>();
    assert_eq!(bodies(1), bodies(1));
    assert_ne!(bodies(1), bodies(2));
}

#[test]
fn no_event_is_dated_after_the_moment_at_which_it_is_made() {
    for (now, batch) in ticks(1, 500, Trouble::default()) {
        assert!(valid(&batch).all(|event| event.time <= now));
    }
}

#[test]
fn shares_of_what_goes_wrong_are_small_and_each_kind_comes() {
    let ticks = ticks(1, 1_500, Trouble::default());
    let all: usize = ticks.iter().map(|(_, batch)| batch.items.len()).sum();
    let age = |now: EventTime, event: &Event| now.millis() - event.time.millis();
    let ages: Vec<_> = ticks.iter().flat_map(|(now, batch)| valid(batch).map(|event| age(*now, event))).collect();
    let out_of_order = ages.iter().filter(|age| (801..=6_000).contains(*age)).count();
    let late = ages.iter().filter(|age| **age > 6_000).count();
    let broken = all - ages.len();
    assert!((0.04..0.06).contains(&share(out_of_order, all)), "{out_of_order} of {all}");
    assert!((0.001..0.003).contains(&share(late, all)), "{late} of {all}");
    assert!((0.0005..0.002).contains(&share(broken, all)), "{broken} of {all}");
}

#[test]
fn what_is_meant_to_be_late_is_late_whatever_happens_meanwhile() {
    let mut tide = tide();
    let mut late = 0;
    for (now, batch) in ticks(1, 1_500, Trouble::default()) {
        for event in valid(&batch).filter(|event| now.millis() - event.time.millis() > 6_000) {
            let end = Window::of(event.time).end_millis();
            assert!(end <= tide.late_before(event.partition).unwrap().millis() + 1);
            late += 1;
        }
        valid(&batch).for_each(|event| tide.note(event.time, event.partition));
    }
    assert!(late > 100);
}

#[test]
fn visitors_look_at_the_demos_own_products_alone_and_at_nearly_all_of_them() {
    let own: HashSet<_> = ids().into_iter().collect();
    let mut seen = HashSet::new();
    for (_, batch) in ticks(1, 500, Trouble::default()) {
        let body = batch.body();
        let items: Vec<&RawValue> = serde_json::from_slice(&body).unwrap();
        for (item, known) in items.iter().zip(&batch.items) {
            match (schemas::decode(item.get().as_bytes()), known) {
                (Ok(event), Item::Valid(_)) => drop(seen.insert(event.product_id.into_owned())),
                (Err(reason), Item::Broken(expected)) => assert_eq!(reason, *expected),
                (decoded, known) => panic!("{decoded:?} {known:?}"),
            }
        }
    }
    assert!(seen.is_subset(&own));
    assert!(seen.len() > 290, "{}", seen.len());
}

#[test]
fn most_events_are_looks_and_some_lead_to_a_purchase() {
    let ticks = ticks(1, 500, Trouble::default());
    let events: Vec<_> = ticks.iter().flat_map(|(_, batch)| valid(batch)).collect();
    let of = |action| share(events.iter().filter(|event| event.action == action).count(), events.len());
    assert!(of(Action::View) > 0.8);
    assert!((0.02..0.12).contains(&of(Action::AddToCart)));
    assert!((0.005..0.08).contains(&of(Action::Purchase)));
}

#[test]
fn nothing_goes_to_a_partition_that_is_muted_and_as_much_as_before_to_the_others() {
    let trouble = Trouble { muted: Some(2), ..Trouble::default() };
    for (_, batch) in ticks(1, 50, trouble) {
        assert_eq!(batch.items.len(), (RATE / 5) as usize);
        assert!(valid(&batch).all(|event| event.partition != 2));
    }
}

#[test]
fn clocks_that_are_ahead_are_refused_as_of_the_future() {
    let trouble = Trouble { is_skewed: true, ..Trouble::default() };
    let ticks = ticks(1, 100, trouble);
    let all: usize = ticks.iter().map(|(_, batch)| batch.items.len()).sum();
    let is_ahead = |item: &&Item| item.expected_refusal() == Some(Reason::Future);
    let ahead = |batch: &Batch| batch.items.iter().filter(is_ahead).count();
    let skewed: usize = ticks.iter().map(|(_, batch)| ahead(batch)).sum();
    assert!((0.08..0.12).contains(&share(skewed, all)), "{skewed} of {all}");
}

#[test]
fn old_events_are_as_old_as_they_are_meant_to_be() {
    let mut traffic = Traffic::new(1, RATE, ids(), PARTITIONS, start());
    let mut batch = Batch::default();
    traffic.make_old(start(), 300, 300_000..1_800_000, &mut batch);
    assert_eq!(batch.items.len(), 300);
    let ages = valid(&batch).map(|event| start().millis() - event.time.millis());
    assert!(ages.into_iter().all(|age| (300_000..1_800_000).contains(&age)));
}
