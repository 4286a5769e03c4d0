//! Deleting a customer, which takes this service, its sessions in DynamoDB and the order service.
//!
//! ```text
//!  client                customer-service              database      order-service      DynamoDB
//!    | DELETE /customers/7  |                             |                |               |
//!    |--------------------->| (1) closing_at, attempt     |                |               |
//!    |                      |---------------------------->|                |               |
//!    |                      | (2) PUT /internal/closed-customers/7         |               |
//!    |                      |--------------------------------------------->|               |
//!    |                      | (3) the row locked: every session ended      |               |
//!    |                      |------------------------------------------------------------->|
//!    |                      | (4) erased, committed       |                |               |
//!    | 204                  |---------------------------->|                |               |
//!    |<---------------------|                             |                |               |
//! ```
//!
//! From (1) on no session of the customer begins; from (2) on no order of it is taken, for good. (3) and (4) are one
//! transaction, which has the customer's row alone: a login is either over before, and its session is ended with the others, or
//! finds the customer closing. Whatever of it was done, it can be done again, and it is: by the client's next DELETE, or by the
//! *finisher*, which every replica runs, for customers that nobody went on with for a minute.
//!
//! Each attempt writes its number with (1). An order that is open gives the deletion up, and everything is as before; an attempt
//! that another one has overtaken gives nothing up, as the order service may have told the other one that it can go on.
//!
//! | what goes wrong | what is left | what happens next |
//! |---|---|---|
//! | the process dies before (1) is committed | nothing | the client tries again |
//! | it dies between (1) and (4) | a customer that is closing | the finisher goes on from (2) |
//! | an order is open | nothing: `closing_at` is taken back | 409; a later DELETE begins anew |
//! | it dies before it is taken back | a customer that is closing | the finisher asks at (2) again, and takes it back or goes on |
//! | the order service does not answer in 5 s | a customer that is closing | 503; the finisher goes on |
//! | DynamoDB does not answer at (3) | a customer that is closing, perhaps with fewer sessions | 503; the finisher goes on |
//! | the client hangs up | as if it had not | the work goes on, in a task of its own |

use service_kit::etag::Preconditions;
use service_kit::{Id, Kind, Problem, RequestContext};
use sqlx::{PgConnection, PgPool};

use crate::customer::no_such_customer;
use crate::customers::store;
use crate::{Customers, credentials};

/// For how long the finisher leaves a customer alone that somebody is deleting, in seconds: longer than that takes.
const LEFT_ALONE: f64 = 60.0;

/// An attempt to delete a customer.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    customer: Id,
    number: i64,
}

/// Deletes a customer.
///
/// # Errors
/// 404 where there is none, 412 where it is in another version, 409 while an order is open, 503 where it cannot be deleted now:
/// then it will be.
pub(crate) async fn delete(
    customers: &Customers,
    id: Id,
    preconditions: &Preconditions,
    context: &RequestContext,
) -> Result<(), Problem> {
    let mut transaction = customers.database.begin().await?;
    let present = store::lock(&mut transaction, id).await?.ok_or_else(|| no_such_customer(id))?;
    preconditions.check(present.version())?;
    let number = close(&mut transaction, id).await?;
    transaction.commit().await?;
    go_on(customers, Attempt { customer: id, number }, context).await
}

/// Steps (2) to (4).
async fn go_on(customers: &Customers, attempt: Attempt, context: &RequestContext) -> Result<(), Problem> {
    let asked = customers.orders.close_customer(attempt.customer, context).await;
    if asked.as_ref().is_err_and(|problem| problem.kind() == Kind::OpenOrders) {
        reopen(customers.database.pool(), attempt).await?;
    }
    asked?;
    erase(customers, attempt.customer).await
}

/// Steps (3) and (4).
async fn erase(customers: &Customers, id: Id) -> Result<(), Problem> {
    let _turn = customers.sessions.turn().await?;
    let mut transaction = customers.database.begin().await?;
    if credentials::lock(&mut transaction, id).await?.is_none() {
        // Another attempt was faster.
        return Ok(());
    }
    customers.sessions.end_all(&mut transaction, id, None).await?;
    store::forget_answers(&mut transaction, id).await?;
    store::erase(&mut transaction, id).await?;
    transaction.commit().await?;
    tracing::info!(customer = %id, "deleted");
    Ok(())
}

/// The finisher: goes on with every deletion that nobody went on with for a while.
pub(crate) async fn finish_all(customers: &Customers) -> Result<(), Problem> {
    while let Some(attempt) = take_interrupted(customers.database.pool()).await? {
        let (context, id) = (RequestContext::of_our_own(), attempt.customer);
        match go_on(customers, attempt, &context).await {
            Ok(()) => tracing::info!(customer = %id, "a deletion that was interrupted is finished"),
            Err(problem) if problem.kind() == Kind::OpenOrders => {
                tracing::info!(customer = %id, "a deletion that was interrupted is given up: an order is open");
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}

/// Step (1), of a customer that is locked; returns the attempt's number.
async fn close(connection: &mut PgConnection, id: Id) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE customers SET closing_at = now(), closing_attempt = closing_attempt + 1 WHERE id = $1
         RETURNING closing_attempt",
    )
    .bind(id.get())
    .fetch_one(connection)
    .await
}

/// Gives a deletion up, unless another attempt has gone on with it.
async fn reopen(pool: &PgPool, attempt: Attempt) -> Result<(), sqlx::Error> {
    let Attempt { customer, number } = attempt;
    let update = sqlx::query(
        "UPDATE customers SET closing_at = NULL WHERE id = $1 AND closing_attempt = $2 AND deleted_at IS NULL",
    );
    update.bind(customer.get()).bind(number).execute(pool).await.map(drop)
}

/// The attempt to finish what was left for the longest time: others leave it alone then for as long.
async fn take_interrupted(pool: &PgPool) -> Result<Option<Attempt>, Problem> {
    let taken: Option<(i64, i64)> = sqlx::query_as(
        "UPDATE customers SET closing_at = now(), closing_attempt = closing_attempt + 1
         WHERE id = (
             SELECT id FROM customers
             WHERE closing_at < now() - make_interval(secs => $1) AND deleted_at IS NULL
             ORDER BY closing_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
         )
         RETURNING id, closing_attempt",
    )
    .bind(LEFT_ALONE)
    .fetch_optional(pool)
    .await?;
    let attempt = |(id, number)| {
        let customer = Id::new(id).ok_or_else(|| Problem::internal(format_args!("the customer id {id} is none")))?;
        Ok(Attempt { customer, number })
    };
    taken.map(attempt).transpose()
}
