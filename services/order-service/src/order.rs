//! An order: what it has, how the database keeps it and how answers show it.

pub(crate) mod document;
pub(crate) mod status;

use std::ops::RangeInclusive;

use schemas::{Currency, EventTime, Money, OrderEvent, OrderStatus};
use serde::Serialize;
use service_kit::auth::Caller;
use service_kit::etag::Version;
use service_kit::input::{Fields, Refusal, rule};
use service_kit::{Id, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many pieces are ordered at once.
const QUANTITY: RangeInclusive<i64> = 1..=1_000_000;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) customer_id: Id,
    pub(crate) product_id: Id,
    pub(crate) quantity: i64,
}

impl Wish {
    /// Reads the body of a request.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let customer_id = fields.required("customer_id", rule::id);
        let product_id = fields.required("product_id", rule::id);
        let quantity = fields.required("quantity", rule::integer(QUANTITY));
        fields.finish(|| Some(Wish { customer_id: customer_id?, product_id: product_id?, quantity: quantity? }))
    }
}

/// Reads the body of a request for a change: the status that the order is to have, none for the present one.
pub(crate) fn parse_patch(body: &[u8]) -> Result<Option<OrderStatus>, Problem> {
    let mut fields = Fields::parse(body)?;
    let status = fields.optional("status", |value| {
        let text = rule::text(0..=usize::MAX)(value)?;
        parse_status(&text)
    });
    fields.finish(|| status)
}

/// A status by its name.
pub(crate) fn parse_status(text: &str) -> Result<OrderStatus, Refusal> {
    status::named(text).ok_or_else(|| {
        let known = status::ALL.map(status::name).join(", ");
        Refusal::new(schemas::FieldCode::InvalidFormat, format!("is no status of an order; use one of {known}"))
    })
}

/// Nobody has this id, or not for this caller.
pub(crate) fn no_such_order(id: Id) -> Problem {
    Problem::not_found(format!("there is no order {id}"))
}

/// There is no such customer, or not for this caller.
pub(crate) fn no_such_customer(id: Id) -> Problem {
    Problem::not_found(format!("there is no customer {id}"))
}

/// An order as the database has it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Record {
    pub(crate) id: i64,
    pub(crate) customer_id: i64,
    product_id: i64,
    quantity: i64,
    #[sqlx(flatten)]
    price: Price,
    status: String,
    version: i64,
    created_at_millis: i64,
    updated_at_millis: i64,
}

/// What is known of an order once it was confirmed.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Price {
    product_name: Option<String>,
    unit_price: Option<i64>,
    total_price: Option<i64>,
    currency: Option<String>,
}

impl Record {
    pub(crate) const fn version(&self) -> Version {
        Version(self.version)
    }

    pub(crate) fn id(&self) -> Result<Id, Problem> {
        known_id("order", self.id)
    }

    pub(crate) fn status(&self) -> Result<OrderStatus, Problem> {
        status::named(&self.status)
            .ok_or_else(|| Problem::internal(format_args!("order {} has the status {:?}", self.id, self.status)))
    }

    /// Whether the caller may know of it.
    pub(crate) fn is_reached_by(&self, caller: &Caller) -> bool {
        Id::new(self.customer_id).is_some_and(|customer| caller.may_reach(customer))
    }

    /// What others are told of its present state; nothing of an order that was never confirmed.
    pub(crate) fn event(&self) -> Result<Option<OrderEvent>, Problem> {
        let order = self.order()?;
        let (Some(unit_price), Some(total_price), Some(currency)) =
            (order.unit_price, order.total_price, order.currency)
        else {
            return Ok(None);
        };
        let Some(event_type) = status::event(order.status) else { return Ok(None) };
        Ok(Some(OrderEvent {
            event_id: Uuid::now_v7().to_string(),
            event_type,
            order_id: order.id.to_string(),
            group_id: order.id.to_string(),
            customer_id: order.customer_id.to_string(),
            user_id: order.customer_id.to_string(),
            product_id: order.product_id.to_string(),
            quantity: u32::try_from(order.quantity).map_err(Problem::internal)?,
            unit_price,
            total_price,
            currency: currency.to_owned(),
            status: order.status,
            version: u64::try_from(self.version).map_err(Problem::internal)?,
            created_at: order.created_at,
            timestamp: order.updated_at,
        }))
    }

    /// The order as answers have it.
    pub(crate) fn order(&self) -> Result<Order, Problem> {
        let currency = self.currency()?;
        Ok(Order {
            id: self.id()?,
            customer_id: known_id("customer", self.customer_id)?,
            product_id: known_id("product", self.product_id)?,
            product_name: self.price.product_name.clone(),
            quantity: self.quantity,
            unit_price: amount(self.price.unit_price, currency)?,
            total_price: amount(self.price.total_price, currency)?,
            currency: currency.map(Currency::code),
            status: self.status()?,
            created_at: EventTime::from_millis(self.created_at_millis).map_err(Problem::internal)?,
            updated_at: EventTime::from_millis(self.updated_at_millis).map_err(Problem::internal)?,
        })
    }

    fn currency(&self) -> Result<Option<Currency>, Problem> {
        let Some(code) = &self.price.currency else { return Ok(None) };
        code.parse().map(Some).map_err(|error| Problem::internal(format_args!("the currency is {code:?}: {error}")))
    }
}

fn known_id(what: &str, number: i64) -> Result<Id, Problem> {
    Id::new(number).ok_or_else(|| Problem::internal(format_args!("the {what} id {number} is none")))
}

fn amount(minor_units: Option<i64>, currency: Option<Currency>) -> Result<Option<Money>, Problem> {
    let (Some(minor_units), Some(currency)) = (minor_units, currency) else { return Ok(None) };
    let money = Money::new(minor_units, currency.digits());
    money.map(Some).ok_or_else(|| Problem::internal(format_args!("{currency} has more digits than an amount")))
}

/// An order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Order {
    /// Which one it is.
    pub(crate) id: Id,
    /// Who ordered.
    customer_id: Id,
    /// What was ordered.
    product_id: Id,
    /// What it was called when its stock was reserved; `null` of an order that was never confirmed, as its prices.
    #[schema(required = true, example = "Desk lamp")]
    product_name: Option<String>,
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: i64,
    /// What a piece cost when it was reserved: exactly the currency's digits.
    #[schema(required = true, value_type = Option<String>, example = "24.90")]
    unit_price: Option<Money>,
    /// What all pieces cost.
    #[schema(required = true, value_type = Option<String>, example = "49.80")]
    total_price: Option<Money>,
    /// The prices' currency (ISO 4217).
    #[schema(required = true, example = "EUR")]
    currency: Option<&'static str>,
    /// Where it stands.
    #[schema(value_type = document::Status)]
    status: OrderStatus,
    /// When it was placed.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T12:00:00.000Z")]
    created_at: EventTime,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime, example = "2026-01-01T12:00:00.000Z")]
    updated_at: EventTime,
}

#[cfg(test)]
mod tests {
    use schemas::FieldCode;

    use super::*;

    fn refused(body: &str) -> Vec<(String, FieldCode)> {
        let problem = Wish::parse(body.as_bytes()).unwrap_err();
        problem.faults().iter().map(|fault| (fault.detail.clone(), fault.code)).collect()
    }

    #[test]
    fn ids_come_as_strings_or_integers() {
        let wish = Wish::parse(br#"{"customer_id":"7","product_id":42,"quantity":1000000}"#).unwrap();
        assert_eq!((wish.customer_id.get(), wish.product_id.get(), wish.quantity), (7, 42, 1_000_000));
    }

    #[test]
    fn what_cannot_be_ordered_is_refused_with_every_fault() {
        let faults = refused(r#"{"customer_id":"0","quantity":1000001,"price":"0.01"}"#);
        let codes: Vec<_> = faults.iter().map(|(_, code)| *code).collect();
        let expected = [FieldCode::InvalidFormat, FieldCode::Required, FieldCode::AboveMaximum, FieldCode::Unknown];
        assert_eq!(codes, expected, "{faults:?}");
        assert_eq!(refused(r#"{"customer_id":1,"product_id":1,"quantity":0}"#)[0].1, FieldCode::BelowMinimum);
    }

    #[test]
    fn a_change_names_a_status_or_nothing() {
        assert_eq!(parse_patch(b"{}").unwrap(), None);
        assert_eq!(parse_patch(br#"{"status":"PAID"}"#).unwrap(), Some(OrderStatus::Paid));
        for body in [r#"{"status":"paid"}"#, r#"{"status":null}"#, r#"{"status":1}"#, r#"{"quantity":2}"#] {
            assert_eq!(parse_patch(body.as_bytes()).unwrap_err().faults().len(), 1, "{body}");
        }
    }
}
