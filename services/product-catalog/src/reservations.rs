//! `/internal/reservations/{order_id}`: what the order service takes off the stock, and gives back.
//!
//! | request | first | again | after a release |
//! |---|---|---|---|
//! | PUT | takes every line, or none: 404 no such product, 409 not enough | the first answer; 422 with other lines | 409 |
//! | DELETE | gives back what was taken, and keeps the id from ever taking anything | changes nothing | changes nothing |
//!
//! Rows are locked in one order, the reservation's before the products' by ascending id, so that no two requests wait for
//! each other.

mod lines;
mod store;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use schemas::Currency;
use serde::Serialize;
use service_kit::auth::{Caller, Role};
use service_kit::input::{Parameters, RawBody};
use service_kit::{Id, Kind, PathId, Problem};
use sqlx::PgConnection;

use self::lines::Line;
use self::store::{HeldLine, Reserving};
use crate::Catalog;
use crate::product::{amount, insufficient_stock, no_such_product};

/// What is reserved for an order.
#[derive(Debug, Serialize)]
struct Reservation {
    order_id: Id,
    currency: &'static str,
    /// By ascending product id.
    lines: Vec<ReservedLine>,
}

/// So many pieces of a product, with its name and price as they were when they were reserved.
#[derive(Debug, Serialize)]
struct ReservedLine {
    product_id: String,
    quantity: i64,
    name: String,
    unit_price: schemas::Money,
}

/// The routes. They are not in the API's description: the gateway does not pass them on.
pub(crate) fn router() -> Router<Arc<Catalog>> {
    Router::new().route("/internal/reservations/{order_id}", put(reserve).delete(release))
}

async fn reserve(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    order_id: PathId,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Json<Reservation>, Problem> {
    caller.require(&[Role::Service])?;
    parameters.finish()?;
    let lines = lines::parse(&body)?;
    let order_id = order_id.found()?;
    let mut transaction = catalog.database.begin().await?;
    let held = match store::begin(&mut transaction, order_id).await? {
        Reserving::First => take(&mut transaction, order_id, &lines).await?,
        Reserving::Again(held) => same(order_id, held, &lines)?,
        Reserving::Released => return Err(released(order_id)),
    };
    transaction.commit().await?;
    Reservation::new(order_id, held, catalog.currency).map(Json)
}

async fn release(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    order_id: PathId,
    parameters: Parameters,
) -> Result<StatusCode, Problem> {
    caller.require(&[Role::Service])?;
    parameters.finish()?;
    let order_id = order_id.found()?;
    let mut transaction = catalog.database.begin().await?;
    if store::release(&mut transaction, order_id).await? {
        for line in store::lines(&mut transaction, order_id).await? {
            store::give_back(&mut transaction, &line).await?;
        }
    }
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes every line, by ascending product id. Where one cannot be taken, the transaction takes back the others.
async fn take(connection: &mut PgConnection, order_id: Id, lines: &[Line]) -> Result<Vec<HeldLine>, Problem> {
    let mut held = Vec::with_capacity(lines.len());
    for line in lines {
        let Some(taken) = store::take(connection, order_id, line).await? else {
            let id = line.product_id;
            let available = store::available(connection, id).await?;
            let problem =
                available.map_or_else(|| no_such_product(id), |stock| insufficient_stock(stock, line.quantity));
            return Err(problem.with("product_id", id.to_string()));
        };
        held.push(taken);
    }
    Ok(held)
}

/// What was taken before, if it is what is asked for now.
fn same(order_id: Id, held: Vec<HeldLine>, lines: &[Line]) -> Result<Vec<HeldLine>, Problem> {
    if held.iter().map(HeldLine::line).eq(lines.iter().map(Line::pair)) {
        return Ok(held);
    }
    let detail =
        format!("order {order_id} has reserved other lines; release it, and reserve under the id of a new order");
    Err(Problem::new(Kind::IdempotencyKeyReused, detail))
}

fn released(order_id: Id) -> Problem {
    let detail =
        format!("the reservation of order {order_id} was released, for good; reserve under the id of a new order");
    Problem::new(Kind::IllegalTransition, detail).with("allowed", Vec::<String>::new())
}

impl Reservation {
    fn new(order_id: Id, held: Vec<HeldLine>, currency: Currency) -> Result<Self, Problem> {
        let line = |HeldLine { product_id, quantity, name, unit_price }| {
            let unit_price = amount(unit_price, currency)?;
            Ok(ReservedLine { product_id: i64::to_string(&product_id), quantity, name, unit_price })
        };
        let lines: Result<_, Problem> = held.into_iter().map(line).collect();
        Ok(Reservation { order_id, currency: currency.code(), lines: lines? })
    }
}
