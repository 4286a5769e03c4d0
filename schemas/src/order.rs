//! Order events: what happened to an order, with the order's full state.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::EventTime;
use crate::wire::is_id;

/// One event on the topic of orders, keyed by order id; the topic is compacted.
///
/// Reading refuses events that contradict themselves: see the fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct OrderEvent {
    /// Identifies the event; a repeated delivery carries the same id.
    pub event_id: String,
    /// What happened.
    pub event_type: OrderEventType,
    /// The order.
    pub order_id: String,
    /// Orders that were placed together share it.
    pub group_id: String,
    /// Who ordered.
    pub customer_id: String,
    /// The same person as an activity event's user; equal to `customer_id`.
    pub user_id: String,
    /// What was ordered.
    pub product_id: String,
    /// How many pieces; at least 1.
    pub quantity: u32,
    /// The price of one piece; not negative.
    pub unit_price: Money,
    /// The price of all pieces: `quantity` times `unit_price`, with as many digits.
    pub total_price: Money,
    /// ISO 4217 code of both prices: three capitals.
    pub currency: String,
    /// The order's status after the event.
    pub status: OrderStatus,
    /// The order's version after the event, from 1.
    pub version: u64,
    /// When the order was placed.
    pub created_at: EventTime,
    /// When the event happened.
    pub timestamp: EventTime,
}

// Serde's own derivations become functions of the type (`remote`), so that reading can be checked once it is done.
impl Serialize for OrderEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        OrderEvent::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for OrderEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = OrderEvent::deserialize(deserializer)?;
        event.check().map_err(D::Error::custom)?;
        Ok(event)
    }
}

impl OrderEvent {
    fn check(&self) -> Result<(), String> {
        let OrderEvent { customer_id, user_id, quantity, unit_price, total_price, currency, .. } = self;
        let ids = [
            ("event_id", &self.event_id),
            ("order_id", &self.order_id),
            ("group_id", &self.group_id),
            ("customer_id", customer_id),
            ("product_id", &self.product_id),
        ];
        if let Some((name, _)) = ids.iter().find(|(_, id)| !is_id(id)) {
            return Err(format!("{name} is not a string of 1 to 256 bytes"));
        }
        if user_id != customer_id {
            return Err(format!("user_id {user_id:?} is not customer_id {customer_id:?}; they are the same person"));
        }
        if *quantity == 0 || self.version == 0 {
            return Err("quantity or version is 0; both count from 1".to_owned());
        }
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(format!("currency {currency:?} is not a code of three capitals such as EUR"));
        }
        if unit_price.minor_units < 0 || unit_price.checked_mul(*quantity) != Some(*total_price) {
            return Err(format!(
                "total_price {total_price} is not {quantity} times unit_price {unit_price}, from 0 up"
            ));
        }
        Ok(())
    }
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderEventType {
    /// Stock was reserved and the order accepted.
    #[serde(rename = "order.confirmed")]
    Confirmed,
    /// The payment was captured.
    #[serde(rename = "order.paid")]
    Paid,
    /// The goods left the warehouse.
    #[serde(rename = "order.shipped")]
    Shipped,
    /// The goods arrived.
    #[serde(rename = "order.delivered")]
    Delivered,
    /// The order was cancelled and its stock released.
    #[serde(rename = "order.cancelled")]
    Cancelled,
    /// The payment was returned.
    #[serde(rename = "order.refunded")]
    Refunded,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderStatus {
    /// Being placed.
    Pending,
    /// Stock is reserved.
    Confirmed,
    /// Paid.
    Paid,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Given up before it was shipped.
    Cancelled,
    /// The money went back.
    Refunded,
}

/// An amount of money: integer minor units and how many digits of them the currency has.
///
/// Written as a string with exactly these digits, such as `"19.99"`; never a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    minor_units: i64,
    digits: u8,
}

/// Why a text is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no amount of money; write it like 19.99")]
pub struct InvalidMoney(String);

impl Money {
    /// `minor_units` of a currency that has `digits` decimal digits (EUR: 2, JPY: 0, at most 4).
    #[must_use]
    pub const fn new(minor_units: i64, digits: u8) -> Option<Self> {
        if digits > 4 { None } else { Some(Money { minor_units, digits }) }
    }

    /// The amount in the currency's smallest unit.
    #[must_use]
    pub const fn minor_units(self) -> i64 {
        self.minor_units
    }

    /// The amount `quantity` times; `None` where that is more than an `i64` of minor units.
    #[must_use]
    pub const fn checked_mul(self, quantity: u32) -> Option<Self> {
        match self.minor_units.checked_mul(quantity as i64) {
            Some(minor_units) => Some(Money { minor_units, digits: self.digits }),
            None => None,
        }
    }

    /// The same amount with this many digits; `None` where digits other than zeros would be lost, or too many are wanted.
    #[must_use]
    pub fn with_digits(self, digits: u8) -> Option<Self> {
        let (more, fewer) = (digits.saturating_sub(self.digits), self.digits.saturating_sub(digits));
        let scaled = self.minor_units.checked_mul(10_i64.checked_pow(more.into())?)?;
        let divisor = 10_i64.checked_pow(fewer.into())?;
        if scaled % divisor == 0 { Money::new(scaled / divisor, digits) } else { None }
    }

    /// How many decimal digits the currency has.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.digits
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor_units < 0 { "-" } else { "" };
        let scale = 10_u64.pow(u32::from(self.digits));
        let (whole, part) = (self.minor_units.unsigned_abs() / scale, self.minor_units.unsigned_abs() % scale);
        if self.digits == 0 {
            return write!(f, "{sign}{whole}");
        }
        write!(f, "{sign}{whole}.{part:0digits$}", digits = usize::from(self.digits))
    }
}

impl FromStr for Money {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        let invalid = || InvalidMoney(text.to_owned());
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let unsigned = whole.strip_prefix('-').unwrap_or(whole);
        let all_digits = |s: &str| s.bytes().all(|byte| byte.is_ascii_digit());
        let has_leading_zero = unsigned.len() > 1 && unsigned.starts_with('0');
        let has_bare_point = text.contains('.') && part.is_empty();
        if unsigned.is_empty() || has_leading_zero || has_bare_point || !all_digits(unsigned) || !all_digits(part) {
            return Err(invalid());
        }
        let minor_units: i64 = format!("{whole}{part}").parse().map_err(|_| invalid())?;
        if minor_units == 0 && whole.starts_with('-') {
            return Err(invalid());
        }
        u8::try_from(part.len()).ok().and_then(|digits| Money::new(minor_units, digits)).ok_or_else(invalid)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
