//! What the product catalog holds for orders: reservations, taken and released over HTTP.
//!
//! Both requests may be sent again and again. A reservation is the same one however often it is asked for, and one that was
//! released, even before it was made, can never be made again.

use std::time::Duration;

use axum::http::Method;
use schemas::{Currency, FieldCode, Money};
use serde::Deserialize;
use serde_json::json;
use service_kit::auth::{Caller, Role};
use service_kit::client::{Peer, Reply};
use service_kit::{Fault, Id, Kind, Place, Problem, RequestContext};

use crate::order::Wish;
use crate::{CATALOG, NAME};

/// How long a reservation may take, further attempts included: a client waits for it.
const RESERVE_LIMIT: Duration = Duration::from_secs(5);
/// The same for a release, for which nobody waits.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

/// The reservations of the product catalog.
#[derive(Debug)]
pub(crate) struct Stock {
    peer: Peer,
    /// Who asks: this service, whoever orders.
    caller: Caller,
}

/// What was reserved for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reserved {
    pub(crate) product_name: String,
    pub(crate) unit_price: Money,
    pub(crate) total_price: Money,
    pub(crate) currency: Currency,
}

/// A reservation, as the catalog answers it.
#[derive(Debug, Deserialize)]
struct Reservation {
    currency: String,
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    product_id: Id,
    quantity: i64,
    name: String,
    unit_price: Money,
}

impl Stock {
    pub(crate) fn new(peer: Peer) -> Self {
        Stock { peer, caller: Caller::new(NAME, Role::Service) }
    }

    /// Reserves what an order wants, or finds out that it is reserved already.
    ///
    /// # Errors
    /// For the client: 409 where there are not enough pieces, 422 where there is no such product or the total is too much,
    /// 503 where the catalog does not answer or has seen the reservation released. It may be made all the same.
    pub(crate) async fn reserve(&self, order: Id, wish: &Wish, context: &RequestContext) -> Result<Reserved, Problem> {
        let body = json!({"lines": [{"product_id": wish.product_id, "quantity": wish.quantity}]});
        let reply = self
            .peer
            .call(Method::PUT, &path(order), Some(&body), &self.caller, context, RESERVE_LIMIT)
            .await
            .map_err(unavailable)?;
        if reply.status.is_success() { reply.json::<Reservation>()?.of(wish) } else { Err(refused(&reply, wish)) }
    }

    /// Releases what was reserved for an order, and keeps a reservation that comes later from being made.
    ///
    /// # Errors
    /// Where it is not known to be released.
    pub(crate) async fn release(&self, order: Id) -> Result<(), Problem> {
        let context = RequestContext::of_our_own();
        let reply = self.peer.call(Method::DELETE, &path(order), None, &self.caller, &context, RELEASE_LIMIT).await?;
        if reply.status.is_success() { Ok(()) } else { Err(reply.problem()) }
    }
}

fn path(order: Id) -> String {
    format!("/internal/reservations/{order}")
}

/// What the client is told of a reservation that was not made.
fn refused(reply: &Reply, wish: &Wish) -> Problem {
    let problem = reply.problem();
    match problem.kind() {
        Kind::DependencyUnavailable | Kind::Overloaded | Kind::Timeout => Problem::unavailable(CATALOG, reply.status),
        Kind::InsufficientStock => problem,
        Kind::NotFound => {
            let detail = format!("product_id is {}; there is no such product", wish.product_id);
            fault("/product_id", FieldCode::NotFound, detail)
        }
        // Released: whoever gave the order up was faster.
        Kind::IllegalTransition => superseded(),
        _ => Problem::internal(format_args!("{CATALOG} answered a reservation with {}", reply.status)),
    }
}

/// One kind for all ways in which the catalog does not answer: the order is given up, and the same request can be sent again.
fn unavailable(problem: Problem) -> Problem {
    match problem.kind() {
        Kind::Timeout => Problem::unavailable(CATALOG, "it took too long"),
        _ => problem,
    }
}

/// The order was given up before it could be confirmed: the same request makes another one.
pub(crate) fn superseded() -> Problem {
    let detail = "the order took too long to be placed and was given up; send the same request again";
    Problem::new(Kind::DependencyUnavailable, detail)
}

fn fault(pointer: &str, code: FieldCode, detail: String) -> Problem {
    Problem::of_faults(vec![Fault { place: Place::Pointer(pointer.to_owned()), code, detail }])
}

impl Reservation {
    /// What of the reservation the order is made of.
    fn of(self, wish: &Wish) -> Result<Reserved, Problem> {
        let other = || Problem::internal("the catalog has reserved something else than it was asked for");
        let [Line { product_id, quantity, name, unit_price }] =
            <[Line; 1]>::try_from(self.lines).map_err(|_| other())?;
        if (product_id, quantity) != (wish.product_id, wish.quantity) {
            return Err(other());
        }
        let currency: Currency = self.currency.parse().map_err(Problem::internal)?;
        if unit_price.digits() != currency.digits() {
            return Err(Problem::internal(format_args!("{unit_price} is no amount of {currency}")));
        }
        let total_price = total(unit_price, quantity)?;
        Ok(Reserved { product_name: name, unit_price, total_price, currency })
    }
}

/// What so many pieces cost, exactly.
fn total(unit_price: Money, quantity: i64) -> Result<Money, Problem> {
    let pieces = u32::try_from(quantity).map_err(Problem::internal)?;
    unit_price.checked_mul(pieces).ok_or_else(|| {
        let detail = format!("quantity is {quantity}; at {unit_price} for a piece that is more than can be paid");
        fault("/quantity", FieldCode::AboveMaximum, detail)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(quantity: i64) -> Wish {
        let id = Id::new(7).unwrap();
        Wish { customer_id: id, product_id: id, quantity }
    }

    fn reservation(json: serde_json::Value) -> Reservation {
        serde_json::from_value(json).unwrap()
    }

    fn line(product: &str, quantity: i64, price: &str) -> serde_json::Value {
        json!({"product_id": product, "quantity": quantity, "name": "Lamp", "unit_price": price})
    }

    #[test]
    fn what_was_not_asked_for_is_no_order() {
        let of = |currency: &str, lines: serde_json::Value| {
            reservation(json!({"order_id": "1", "currency": currency, "lines": lines})).of(&wish(2))
        };
        assert_eq!(of("EUR", json!([line("7", 2, "19.99")])).unwrap().total_price.to_string(), "39.98");
        for lines in [
            json!([]),
            json!([line("8", 2, "19.99")]),
            json!([line("7", 3, "19.99")]),
            json!([line("7", 2, "19.99"), line("8", 1, "1.00")]),
            json!([line("7", 2, "19")]),
        ] {
            assert_eq!(of("EUR", lines).unwrap_err().kind(), Kind::Internal);
        }
        assert_eq!(of("XXX", json!([line("7", 2, "19.99")])).unwrap_err().kind(), Kind::Internal);
    }

    proptest! {
        /// The model counts with 128 bits, which no product of the two can leave.
        #[test]
        fn totals_are_exact_or_refused(
            unit in prop_oneof![0..=i64::MAX, 0..100_000_i64, Just(i64::MAX), (1_u32..64).prop_map(|bit| i64::MAX >> bit)],
            quantity in prop_oneof![1..=1_000_000_i64, 1..10_i64, Just(1_000_000_i64)],
            digits in 0..=3_u8,
        ) {
            let exact = i128::from(unit) * i128::from(quantity);
            match total(Money::new(unit, digits).unwrap(), quantity) {
                Ok(total) => {
                    prop_assert_eq!(i128::from(total.minor_units()), exact);
                    prop_assert_eq!(total.digits(), digits);
                    // What is written into an event is read again as the same amount.
                    prop_assert_eq!(total.to_string().parse::<Money>().unwrap(), total);
                }
                Err(problem) => {
                    prop_assert!(exact > i128::from(i64::MAX));
                    prop_assert_eq!(problem.faults()[0].code, FieldCode::AboveMaximum);
                }
            }
        }
    }
}
