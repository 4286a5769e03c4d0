//! The visitors: who looks at what, when, in which order, and what goes wrong on the way.
//!
//! As many visits go on at a time as give the wanted rate when each does something every twenty seconds. A visit stays mostly
//! within a category, puts something into the cart now and then, and buys some of that. The same seed, times and numbers
//! give the same events.

use dataflow::generate::Placement;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::EventTime;

use super::catalog::PER_CATEGORY;
use super::event::{Action, Batch, Event, FAULTS};
use super::popularity::Popularity;
use super::tide::Tide;

/// How many people come by; some of them often.
const VISITORS: u32 = 50_000;
/// How long a visitor looks at something, on average.
const SECONDS_A_LOOK: f64 = 20.0;
/// How many visits go on at least, and at most.
const VISITS: (u32, u32) = (50, 100_000);
/// How many things a visitor does.
const VISIT: std::ops::RangeInclusive<u8> = 2..=14;
/// How often the next product is one of the same category.
const SAME_CATEGORY: f64 = 0.7;
const ADDS_TO_CART: f64 = 0.08;
const BUYS: f64 = 0.25;

/// Shares of events that do not arrive as they should.
const OUT_OF_ORDER: f64 = 0.05;
const LATE: f64 = 0.002;
const BROKEN: f64 = 0.001;
/// How old an ordinary event is when it is sent, and one that is out of order: with the way to the broker it is well within the
/// out-of-orderness of ten seconds.
const ORDINARY_MILLIS: std::ops::RangeInclusive<i64> = 0..=800;
const OUT_OF_ORDER_MILLIS: std::ops::RangeInclusive<i64> = 800..=6_000;
/// How long before the end of the last closed minute late events are dated.
const LATE_MILLIS: std::ops::RangeInclusive<i64> = 0..=240_000;
/// During the fault `clock-skew`: the share of events whose clock is ahead, and by how much.
const SKEWED: f64 = 0.1;
const SKEWED_MILLIS: std::ops::RangeInclusive<i64> = 60_000..=600_000;

/// What a fault changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Nothing goes to this partition.
    pub(crate) muted: Option<u32>,
    /// Some clocks are ahead.
    pub(crate) is_skewed: bool,
}

/// Somebody who is in the shop.
#[derive(Clone, Copy, Debug)]
struct Visit {
    visitor: u32,
    partition: u32,
    session: u32,
    product: u16,
    things_left: u8,
    cart: Option<u16>,
    is_new: bool,
}

/// Everybody who is in the shop.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    random: ChaCha8Rng,
    product_ids: Vec<String>,
    popularity: Popularity,
    placement: Placement,
    visits: Vec<Visit>,
}

impl Traffic {
    /// Visitors of these products, whose events are spread over so many partitions, who do so many things a second.
    pub(super) fn new(seed: u64, rate: u32, product_ids: Vec<String>, partitions: u32, now: EventTime) -> Self {
        let mut popularity = Popularity::new(seed, product_ids.len());
        popularity.refresh(now);
        let mut traffic = Traffic {
            random: ChaCha8Rng::seed_from_u64(seed),
            product_ids,
            popularity,
            placement: Placement::new(partitions, 0.0),
            visits: Vec::new(),
        };
        // In range: the rate is limited.
        let visits = (f64::from(rate) * SECONDS_A_LOOK) as u32;
        traffic.visits = (0..visits.clamp(VISITS.0, VISITS.1)).map(|_| traffic.visit()).collect();
        // They have not all come this moment.
        for visit in 0..traffic.visits.len() {
            let left = traffic.random.random_range(1..=traffic.visits[visit].things_left);
            traffic.visits[visit].things_left = left;
        }
        traffic
    }

    /// Adds so many events that happen now.
    pub(super) fn make(&mut self, now: EventTime, events: usize, trouble: Trouble, tide: &Tide, batch: &mut Batch) {
        self.popularity.refresh(now);
        for _ in 0..events {
            let Some(event) = self.next(now, trouble) else { return };
            let id = &self.product_ids[usize::from(event.product)];
            let fate: f64 = self.random.random();
            if trouble.is_skewed && self.random.random::<f64>() < SKEWED {
                let time = later(now, self.random.random_range(SKEWED_MILLIS));
                batch.push_ahead(Event { time, ..event }, id);
            } else if fate < BROKEN {
                let fault = FAULTS.choose(&mut self.random).copied().unwrap_or(FAULTS[0]);
                batch.push_broken(event, id, fault);
            } else {
                let is_late = fate < BROKEN + LATE;
                let late = tide.late_before(event.partition).filter(|_| is_late);
                let time = match late {
                    Some(late) => later(late, -self.random.random_range(LATE_MILLIS)),
                    None => event.time,
                };
                batch.push(Event { time, ..event }, id);
            }
        }
    }

    /// Adds so many looks that were so long ago, as from telephones that have come back from a tunnel.
    pub(super) fn make_old(
        &mut self,
        now: EventTime,
        events: usize,
        millis_ago: std::ops::Range<i64>,
        batch: &mut Batch,
    ) {
        for _ in 0..events {
            let Some(event) = self.next(now, Trouble::default()) else { return };
            let time = later(now, -self.random.random_range(millis_ago.clone()));
            batch.push(Event { time, ..event }, &self.product_ids[usize::from(event.product)]);
        }
    }

    /// The id of the product that is looked at most.
    pub(super) fn top_product(&mut self, now: EventTime) -> &str {
        let top = self.popularity.top(now);
        &self.product_ids[top]
    }

    /// What one of the visitors does next; none where all that can be found are muted.
    fn next(&mut self, now: EventTime, trouble: Trouble) -> Option<Event> {
        let mut place = self.random.random_range(0..self.visits.len());
        if let Some(muted) = trouble.muted {
            place = (place..self.visits.len()).chain(0..place).find(|at| self.visits[*at].partition != muted)?;
        }
        let mut visit = self.visits[place];
        let action = self.act(&mut visit);
        let age = if self.random.random::<f64>() < OUT_OF_ORDER { OUT_OF_ORDER_MILLIS } else { ORDINARY_MILLIS };
        let event = Event {
            visitor: visit.visitor,
            product: visit.product,
            action,
            time: later(now, -self.random.random_range(age)),
            partition: visit.partition,
            session: visit.session,
        };
        self.visits[place] = if visit.things_left == 0 { self.visit() } else { visit };
        Some(event)
    }

    fn act(&mut self, visit: &mut Visit) -> Action {
        visit.things_left = visit.things_left.saturating_sub(1);
        if std::mem::take(&mut visit.is_new) {
            return Action::View;
        }
        if let Some(product) = visit.cart
            && self.random.random_bool(BUYS)
        {
            visit.cart = None;
            visit.product = product;
            return Action::Purchase;
        }
        if visit.cart.is_none() && self.random.random_bool(ADDS_TO_CART) {
            visit.cart = Some(visit.product);
            return Action::AddToCart;
        }
        let all = 0..self.product_ids.len();
        let first = usize::from(visit.product) / PER_CATEGORY * PER_CATEGORY;
        let category = first..(first + PER_CATEGORY).min(all.end);
        let part = if self.random.random_bool(SAME_CATEGORY) { category } else { all };
        visit.product = self.product(part);
        Action::View
    }

    /// Somebody comes.
    fn visit(&mut self) -> Visit {
        // By the square: some come often.
        let drawn: f64 = self.random.random();
        let visitor = (drawn * drawn * f64::from(VISITORS)) as u32 + 1;
        let partition = self.placement.of_key(format!("v{visitor}").as_bytes());
        Visit {
            visitor,
            partition,
            session: self.random.random(),
            product: self.product(0..self.product_ids.len()),
            things_left: self.random.random_range(VISIT),
            cart: None,
            is_new: true,
        }
    }

    fn product(&mut self, part: std::ops::Range<usize>) -> u16 {
        // In range: there are some hundred products.
        u16::try_from(self.popularity.draw(part, &mut self.random)).unwrap_or(0)
    }
}

/// A time so many milliseconds later.
fn later(time: EventTime, millis: i64) -> EventTime {
    // In range, as long as the clock is right.
    EventTime::from_millis(time.millis() + millis).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use dataflow::classify::Rules;
    use schemas::{Reason, Window};
    use serde_json::value::RawValue;

    use super::super::event::Item;
    use super::*;

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
        let bodies =
            |seed| ticks(seed, 20, Trouble::default()).iter().map(|(_, batch)| batch.body()).collect::<Vec<_>>();
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
}
