//! The stream of records: draws what happens, and has it written.

use rand::distr::{Distribution, Uniform};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::Zipf;
use schemas::{EventTime, Reason, Window};

use super::layout::{self, Event, TimeWriter};
use super::malformed;
use super::placement::Placement;
use super::shape::Shape;
use crate::duration::millis;
use crate::error::Error;

/// How far behind the last closed window's end late events are dated: up to five windows.
const LATE_SPAN_MILLIS: i64 = 5 * Window::MILLIS;
/// A user's session changes with every half hour of event time.
const SESSION_MILLIS: i64 = 30 * 60_000;

/// A generated record, and what the generator knows about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// The partition it belongs to, from 0.
    pub partition: u32,
    /// The user id; empty (no key) where the record is malformed.
    pub key: Vec<u8>,
    /// The record's bytes, without a line end and without line ends inside; never empty or blank.
    pub value: Vec<u8>,
    /// What the bytes say.
    pub content: Content,
}

/// What a generated record's bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A valid event.
    Event {
        /// The number in the user id.
        user: u64,
        /// The number that is the product id.
        product: u64,
        /// When it happened.
        time: EventTime,
    },
    /// No valid event, for this reason.
    Malformed(Reason),
}

impl Default for Content {
    /// That of a record which has no bytes yet.
    fn default() -> Self {
        Content::Malformed(Reason::Empty)
    }
}

impl Generated {
    /// When the event happened; `None` where the record is malformed.
    #[must_use]
    pub fn event_time(&self) -> Option<EventTime> {
        match self.content {
            Content::Event { time, .. } => Some(time),
            Content::Malformed(_) => None,
        }
    }
}

/// The records of a [`Shape`], one after the other.
///
/// What is drawn for a record never depends on the partitions, so that their number does not change the records.
#[derive(Clone, Debug)]
pub struct Stream {
    shape: Shape,
    random: ChaCha8Rng,
    users: Ranks,
    products: Ranks,
    placement: Placement,
    /// The latest event time in each partition, in milliseconds; what "late" is measured against.
    latest: Vec<Option<i64>>,
    times: TimeWriter,
    index: u64,
}

impl Stream {
    /// The stream of this shape, before its first record.
    ///
    /// # Errors
    /// [`Error::Usage`] where the shape is [not valid](Shape::validate).
    pub fn new(shape: &Shape) -> Result<Self, Error> {
        shape.validate()?;
        Ok(Stream {
            random: ChaCha8Rng::seed_from_u64(shape.seed),
            users: Ranks::new(shape.users, shape.user_exponent)?,
            products: Ranks::new(shape.products, shape.product_exponent)?,
            placement: Placement::new(shape.partitions, shape.partition_skew),
            latest: vec![None; shape.partitions as usize],
            times: TimeWriter::default(),
            index: 0,
            shape: shape.clone(),
        })
    }

    /// Makes the next record in the place of `record`, whose buffers are used again; `false` at the end, where
    /// `record` stays as it is.
    ///
    /// Only malformed records and odd layouts allocate.
    pub fn next(&mut self, record: &mut Generated) -> bool {
        if self.shape.events.is_some_and(|events| self.index >= events) {
            return false;
        }
        let Some(clock) = self.shape.clock(self.index) else { return false };
        self.index += 1;

        record.key.clear();
        record.value.clear();
        let fate: f64 = self.random.random();
        let event = self.draw_event(clock);
        if fate < self.shape.malformed_share {
            self.make_malformed(&event, record);
        } else {
            let is_late = fate - self.shape.malformed_share < self.shape.late_share;
            self.make_valid(event, is_late, record);
        }
        true
    }

    fn draw_event(&mut self, clock: EventTime) -> Event {
        let user = self.users.draw(&mut self.random);
        let product = self.products.draw(&mut self.random);
        // No event is dated before the start.
        let furthest_back = millis(self.shape.jitter).min(clock.millis() - self.shape.start.millis());
        let back = self.random.random_range(0..=furthest_back);
        Event {
            user,
            product,
            event_type: self.draw_event_type(),
            // In range: between the start and the clock.
            time: EventTime::from_millis(clock.millis() - back).unwrap_or(clock),
            session: session(user, clock),
        }
    }

    fn draw_event_type(&mut self) -> &'static str {
        let drawn: f64 = self.random.random();
        if drawn < self.shape.add_to_cart_share {
            "ADD_TO_CART"
        } else if drawn - self.shape.add_to_cart_share < self.shape.purchase_share {
            "PURCHASE"
        } else {
            "VIEW_PRODUCT"
        }
    }

    fn make_malformed(&mut self, event: &Event, record: &mut Generated) {
        record.partition = self.placement.of_hash(self.random.random());
        let reason = malformed::write(event, &mut self.random, &mut self.times, &mut record.value);
        record.content = Content::Malformed(reason);
    }

    fn make_valid(&mut self, mut event: Event, is_late: bool, record: &mut Generated) {
        layout::push_user(&mut record.key, event.user);
        record.partition = self.placement.of_key(&record.key);
        if is_late {
            let age = self.random.random_range(1..=LATE_SPAN_MILLIS);
            event.time = self.late_time(record.partition, age).unwrap_or(event.time);
        }
        let latest = &mut self.latest[record.partition as usize];
        *latest = (*latest).max(Some(event.time.millis()));
        if self.random.random::<f64>() < self.shape.odd_layout_share {
            layout::write_odd(&event, &mut self.random, &mut record.value);
        } else {
            layout::write_common(&event, &mut self.times, &mut record.value);
        }
        record.content = Content::Event { user: event.user, product: event.product, time: event.time };
    }

    /// The time `age` milliseconds before the end of the last window that is closed for the partition; `None` where
    /// none is closed.
    fn late_time(&self, partition: u32, age: i64) -> Option<EventTime> {
        let watermark = self.latest[partition as usize]? - millis(self.shape.out_of_orderness);
        let end = watermark.div_euclid(Window::MILLIS) * Window::MILLIS;
        EventTime::from_millis(end - age).ok()
    }
}

fn session(user: u64, clock: EventTime) -> u32 {
    // Event time is never negative. The upper half of Fibonacci hashing's product is well mixed.
    let half_hour = (clock.millis() / SESSION_MILLIS) as u64;
    ((user ^ (half_hour << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Draws a number from 1 to a highest one.
#[derive(Clone, Debug)]
enum Ranks {
    Uniform(Uniform<u64>),
    Zipf { ranks: Zipf<f64>, highest: u64 },
}

impl Ranks {
    fn new(highest: u64, exponent: f64) -> Result<Self, Error> {
        let refuse = |problem: String| Error::Usage(format!("{highest} ids cannot be drawn: {problem}"));
        if exponent == 0.0 {
            let ranks = Uniform::new_inclusive(1, highest).map_err(|error| refuse(error.to_string()))?;
            return Ok(Ranks::Uniform(ranks));
        }
        let ranks = Zipf::new(highest as f64, exponent).map_err(|error| refuse(error.to_string()))?;
        Ok(Ranks::Zipf { ranks, highest })
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> u64 {
        match self {
            Ranks::Uniform(ranks) => ranks.sample(random),
            // Rounding may reach one beyond the highest rank.
            Ranks::Zipf { ranks, highest } => (ranks.sample(random) as u64).clamp(1, *highest),
        }
    }
}
