//! Placing an order, which takes two services: this one has the order, the product catalog its stock.
//!
//! ```text
//!  client            order-service                 database              product-catalog
//!    | POST /orders       |                            |                         |
//!    |------------------->| (1) key running, PENDING   |                         |
//!    |                    |--------------------------->|                         |
//!    |                    | (2) PUT /internal/reservations/{order}               |
//!    |                    |----------------------------------------------------->|
//!    |                    |                     name and price, or a refusal     |
//!    |                    |<-----------------------------------------------------|
//!    |                    | (3) CONFIRMED, event, answer to the key              |
//!    |                    |--------------------------->|                         |
//!    | 201                |                            |                         |
//!    |<-------------------|                            |                         |
//! ```
//!
//! Steps (1) and (3) are one transaction each. What is not confirmed is *given up*: in one transaction the order is marked,
//! which hides it from everybody, and its key is freed. The [reaper](super::reaper) then releases the reservation, whether
//! it was made or not, and deletes the order only when the catalog has said so. A released reservation can never be made
//! again, so a request that was slow on its way takes nothing; and an order that was given up can never be confirmed, so a
//! confirmed one always has its stock.
//!
//! | what goes wrong | what is left | what happens next |
//! |---|---|---|
//! | the process dies before (1) is committed | nothing | a retry begins anew |
//! | it dies between (1) and (3) | PENDING, perhaps a reservation | a retry after the lease of 30 s goes on with the same order, whose reservation is answered again; without one, the reaper gives it up after `ORDER_PENDING_TIMEOUT` |
//! | it dies after (3) | CONFIRMED | a retry gets the stored answer |
//! | the catalog refuses: not enough pieces, no such product | PENDING | given up, and the client is told why |
//! | the catalog does not answer in 5 s | PENDING, perhaps a reservation | given up, 503; a retry makes another order |
//! | the database does not answer at (3) | PENDING or CONFIRMED | given up if it is PENDING, now or by the reaper; 503, and a retry with the key finds out |
//! | the reaper gives it up meanwhile | no order | the confirmation changes nothing: 503, and a retry makes another order |
//! | the lease ends while the first attempt is still at work | one order | both ask for the same reservation; the second one to confirm answers what the first one stored |
//! | somebody cancels it meanwhile | CANCELLED, without a price | the cancellation releases the reservation; 409 |
//! | the client hangs up | as if it had not | the work goes on, in a task of its own |

use std::sync::Arc;

use axum::body::Bytes;
use axum::response::Response;
use service_kit::auth::Caller;
use service_kit::idempotency::{self, Answer, BeginClaim, Claim, Keyed};
use service_kit::{Id, Kind, Problem, RequestContext};
use sqlx::PgConnection;

use super::{LIST, store};
use crate::order::{Wish, no_such_customer};
use crate::stock::{Reserved, superseded};
use crate::{Orders, closing, outbox};

/// A request for an order.
#[derive(Clone, Debug)]
pub(super) struct Placing {
    pub(super) caller: Caller,
    pub(super) context: RequestContext,
    pub(super) keyed: Keyed,
    pub(super) body: Bytes,
    pub(super) wish: Wish,
}

/// How a request begins.
enum Begun {
    /// It is this attempt's to place the order of this id.
    Attempt(Claim, Id),
    /// It was placed before.
    Replay(Response),
}

/// Places an order, and counts what became of it.
pub(super) async fn place(orders: Arc<Orders>, placing: Placing) -> Result<Response, Problem> {
    let result = placing.run(&orders).await;
    orders.metrics.count_placed(&result);
    result
}

impl Placing {
    async fn run(&self, orders: &Orders) -> Result<Response, Problem> {
        let (claim, id) = match self.begin(orders).await? {
            Begun::Attempt(claim, id) => (claim, id),
            Begun::Replay(response) => return Ok(response),
        };
        let reserved = orders.stock.reserve(id, &self.wish, &self.context).await;
        let placed = match &reserved {
            Ok(reserved) => self.confirm(orders, &claim, id, reserved).await,
            Err(refusal) => Err(refusal.clone()),
        };
        if placed.is_err() {
            give_up(orders, id).await;
        }
        placed
    }

    /// Step (1).
    async fn begin(&self, orders: &Orders) -> Result<Begun, Problem> {
        let mut transaction = orders.database.begin().await?;
        let (claim, id) = match self.claim(orders, &mut transaction).await? {
            BeginClaim::Replay(response) => return Ok(Begun::Replay(response)),
            BeginClaim::First(claim) => {
                let id = self.insert(&mut transaction).await?;
                claim.hold(&mut transaction, id).await?;
                (claim, id)
            }
            // Whoever gives an order up frees its key as well: it is still being placed.
            BeginClaim::Resume(claim, id) => match store::resume(&mut transaction, id).await? {
                true => (claim, id),
                false => return Err(superseded()),
            },
        };
        transaction.commit().await?;
        Ok(Begun::Attempt(claim, id))
    }

    async fn claim(&self, orders: &Orders, connection: &mut PgConnection) -> Result<BeginClaim, Problem> {
        Claim::begin(connection, &orders.idempotency, &self.caller, &self.keyed, &self.body).await
    }

    /// The order's row, unless the customer's account is closed.
    async fn insert(&self, connection: &mut PgConnection) -> Result<Id, Problem> {
        let customer = self.wish.customer_id;
        if closing::is_closed(connection, customer).await? {
            return Err(no_such_customer(customer));
        }
        let id = store::insert(connection, &self.wish).await?;
        Id::new(id).ok_or_else(|| Problem::internal(format_args!("the order id {id} is none")))
    }

    /// Step (3).
    async fn confirm(&self, orders: &Orders, claim: &Claim, id: Id, reserved: &Reserved) -> Result<Response, Problem> {
        let mut transaction = orders.database.begin().await?;
        let Some(record) = store::confirm(&mut transaction, id, reserved).await? else {
            transaction.rollback().await?;
            return self.overtaken(orders, id).await;
        };
        outbox::record(&mut transaction, &record, false).await?;
        let answer = Answer::created(format!("{LIST}/{id}"), record.version(), &record.order()?)?;
        let response = claim.finish(&mut transaction, answer).await?;
        transaction.commit().await?;
        orders.outbox.wake();
        Ok(response)
    }

    /// The answer of an attempt that finds its order no longer to be placed.
    async fn overtaken(&self, orders: &Orders, id: Id) -> Result<Response, Problem> {
        let mut transaction = orders.database.begin().await?;
        if store::lock(&mut transaction, id).await?.is_none() {
            return Err(superseded());
        }
        // Another attempt of the same request has confirmed it, unless somebody has cancelled it before anyone could.
        match self.claim(orders, &mut transaction).await? {
            BeginClaim::Replay(response) => Ok(response),
            BeginClaim::First(_) | BeginClaim::Resume(..) => Err(cancelled(id)),
        }
    }
}

/// Gives an order up, so that its key is free when the client is told. Where that fails, the reaper does it in its time.
async fn give_up(orders: &Orders, id: Id) {
    match abandon(orders, id).await {
        Ok(()) => orders.reaper.notify_one(),
        Err(problem) => tracing::warn!(order = %id, ?problem, "an order is not given up yet; the reaper will do it"),
    }
}

async fn abandon(orders: &Orders, id: Id) -> Result<(), Problem> {
    let mut transaction = orders.database.begin().await?;
    if store::abandon(&mut transaction, id).await? {
        idempotency::free(&mut transaction, id).await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn cancelled(id: Id) -> Problem {
    let detail = format!("order {id} was cancelled while it was placed; send a new request for a new order");
    Problem::new(Kind::IllegalTransition, detail).with("allowed", Vec::<String>::new())
}
