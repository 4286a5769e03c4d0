//! The parameters of a generated stream.

use std::time::Duration;

use schemas::EventTime;

use crate::error::Error;

/// 2024-01-01T12:00:00Z, where generated event time starts unless told otherwise.
pub const DEFAULT_START: EventTime = match EventTime::from_millis(1_704_110_400_000) {
    Ok(time) => time,
    Err(_) => EventTime::MIN,
};

/// Ranks are drawn as `f64`, which is exact up to here.
const MAX_IDS: u64 = 1 << 53;
/// Part files are numbered with five digits.
const MAX_PARTITIONS: u32 = 100_000;
/// More than a year of disorder is a mistyped unit.
const MAX_DISORDER: Duration = Duration::from_secs(366 * 86_400);

/// What a generated stream looks like. Shapes that are equal give streams that are equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Where the random generator starts.
    pub seed: u64,
    /// How many records there are, malformed ones included; `None` = no end.
    pub events: Option<u64>,
    /// The event time of the first event; no event is earlier, but late ones.
    pub start: EventTime,
    /// How event time advances from record to record.
    pub timing: Timing,
    /// How many products there are; their ids are `1`, `2` and so on, the most popular first.
    pub products: u64,
    /// Zipf exponent of the products' popularity; 0 = all are equally popular.
    pub product_exponent: f64,
    /// How many users there are; their ids are `u1`, `u2` and so on.
    pub users: u64,
    /// Zipf exponent of the users' activity; 0 = all are equally active.
    pub user_exponent: f64,
    /// How many partitions the records are spread over.
    pub partitions: u32,
    /// By which part each partition is smaller than the one before; 0 = all get the same.
    pub partition_skew: f64,
    /// How far an event may be dated back behind the stream's clock, drawn evenly from 0 to this.
    ///
    /// The clock never runs backwards, so nothing is late by itself as long as this is below `out_of_orderness`.
    pub jitter: Duration,
    /// The job's `--out-of-orderness`: what lateness is measured by, here and in the answer key.
    pub out_of_orderness: Duration,
    /// The fraction of records that are dated so far back that they are late. A partition's first event cannot be
    /// late and is an ordinary one instead.
    pub late_share: f64,
    /// The fraction of records that are no valid events.
    pub malformed_share: f64,
    /// The fraction of valid events that are written in another layout than the common one, with the same meaning.
    pub odd_layout_share: f64,
    /// The fraction of valid events that are `ADD_TO_CART`.
    pub add_to_cart_share: f64,
    /// The fraction of valid events that are `PURCHASE`. The rest is `VIEW_PRODUCT`.
    pub purchase_share: f64,
}

/// How event time advances from record to record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Timing {
    /// The records are spread evenly over this much event time and made as fast as possible.
    Spread(Duration),
    /// The records are made at the pace of the clock on the wall.
    Live {
        /// Records per second of wall time.
        rate: u64,
        /// Seconds of event time per second of wall time, exact to thousandths.
        speed: f64,
    },
}

impl Default for Shape {
    /// A million events within an hour, in order but for 8 seconds of jitter, all of them valid, in one partition.
    fn default() -> Self {
        Shape {
            seed: 1,
            events: Some(1_000_000),
            start: DEFAULT_START,
            timing: Timing::Spread(Duration::from_secs(3600)),
            products: 10_000,
            product_exponent: 1.1,
            users: 1_000_000,
            user_exponent: 0.0,
            partitions: 1,
            partition_skew: 0.0,
            jitter: Duration::from_secs(8),
            out_of_orderness: Duration::from_secs(10),
            late_share: 0.0,
            malformed_share: 0.0,
            odd_layout_share: 0.01,
            add_to_cart_share: 0.07,
            purchase_share: 0.03,
        }
    }
}

impl Shape {
    /// Checks every parameter, and those that depend on each other.
    ///
    /// # Errors
    /// [`Error::Usage`], which names the parameter and its value.
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_timing()?;
        within("products", self.products, 1, MAX_IDS)?;
        within("users", self.users, 1, MAX_IDS)?;
        within("partitions", u64::from(self.partitions), 1, u64::from(MAX_PARTITIONS))?;
        exponent("product exponent", self.product_exponent)?;
        exponent("user exponent", self.user_exponent)?;
        if !(0.0..1.0).contains(&self.partition_skew) {
            let skew = self.partition_skew;
            return Err(usage(format!("partition skew {skew} cannot be used; give a number from 0 to below 1")));
        }
        for (name, disorder) in [("jitter", self.jitter), ("out-of-orderness", self.out_of_orderness)] {
            if disorder > MAX_DISORDER {
                return Err(usage(format!("{name} of {} s cannot be used; give at most 366 days", disorder.as_secs())));
            }
        }
        share("odd-layout share", self.odd_layout_share)?;
        shares("late share", self.late_share, "malformed share", self.malformed_share)?;
        shares("add-to-cart share", self.add_to_cart_share, "purchase share", self.purchase_share)
    }

    fn validate_timing(&self) -> Result<(), Error> {
        match self.timing {
            Timing::Spread(_) if self.events.is_none() => {
                return Err(usage("a stream without end cannot be spread over a duration; give a rate".into()));
            }
            Timing::Spread(_) => {}
            Timing::Live { rate: 0, .. } => {
                return Err(usage("rate 0 cannot be kept; give at least 1 event per second".into()));
            }
            Timing::Live { speed, .. } if !(0.001..=1_000_000.0).contains(&speed) => {
                return Err(usage(format!("speed {speed} cannot be used; give a number from 0.001 to 1000000")));
            }
            Timing::Live { .. } => {}
        }
        let last = self.events.unwrap_or(1).saturating_sub(1);
        if self.clock(last).is_none() {
            return Err(usage(format!("{} and the events after it reach beyond the year 9999", self.start)));
        }
        Ok(())
    }

    /// The stream's clock when the record with this index, counted from 0, is made; `None` beyond the year 9999.
    pub(super) fn clock(&self, index: u64) -> Option<EventTime> {
        let index = u128::from(index);
        let elapsed = match self.timing {
            Timing::Spread(duration) => index * duration.as_millis() / u128::from(self.events.unwrap_or(1).max(1)),
            // Thousandths of the speed are milliseconds of event time per second of wall time.
            Timing::Live { rate, speed } => index * (speed * 1000.0).round() as u128 / u128::from(rate.max(1)),
        };
        let millis = self.start.millis().checked_add(i64::try_from(elapsed).ok()?)?;
        EventTime::from_millis(millis).ok()
    }
}

fn usage(sentence: String) -> Error {
    Error::Usage(sentence)
}

fn within(name: &str, value: u64, least: u64, most: u64) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(usage(format!("{value} {name} cannot be generated; give {least} to {most}")))
}

fn exponent(name: &str, value: f64) -> Result<(), Error> {
    if (0.0..=10.0).contains(&value) {
        return Ok(());
    }
    Err(usage(format!("{name} {value} cannot be used; give a number from 0 to 10")))
}

fn share(name: &str, value: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(usage(format!("{name} {value} cannot be used; give a number from 0 to 1")))
}

/// Two shares of the same whole.
fn shares(name: &str, value: f64, other_name: &str, other: f64) -> Result<(), Error> {
    share(name, value)?;
    share(other_name, other)?;
    if value + other > 1.0 {
        return Err(usage(format!("{name} {value} and {other_name} {other} are more than 1 together; lower one")));
    }
    Ok(())
}
