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
mod tests;
