//! `/orders` and `/orders/{id}`.

mod filters;
mod placing;
pub(crate) mod reaper;
mod store;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use schemas::OrderStatus;
use service_kit::auth::{Caller, Role};
use service_kit::etag::Preconditions;
use service_kit::idempotency::{self, Keyed};
use service_kit::input::{Parameters, RawBody};
use service_kit::openapi::{IdempotencyKeyHeader, IfMatchHeader, IfNoneMatchHeader, PageParameters};
use service_kit::page::PageRequest;
use service_kit::{Id, Kind, PathId, Problem, RequestContext};
use sqlx::PgConnection;
use tracing::Instrument as _;

use self::filters::Filters;
use self::placing::Placing;
use crate::order::document::{FilterParameters, OrderContent, OrderPage, OrderPatch};
use crate::order::{Order, Record, Wish, no_such_customer, no_such_order, parse_patch, status};
use crate::{Orders, outbox};

/// The list, as its cursors name it.
const LIST: &str = "/orders";
/// Who has to do with orders.
const ROLES: [Role; 3] = [Role::Customer, Role::Admin, Role::Service];

/// List orders
///
/// The newest first, page by page. Customers see their own ones, and 404 for another's `customer_id`. Orders that are placed
/// meanwhile make no other one come twice or be left out.
#[utoipa::path(
    get,
    path = "/orders",
    tag = "orders",
    operation_id = "listOrders",
    params(FilterParameters, PageParameters),
    responses((status = 200, description = "A page of orders", body = OrderPage)),
    security(("bearer" = []))
)]
pub(crate) async fn list_orders(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    caller.require(&ROLES)?;
    let filters = Filters::read(&mut parameters);
    let page = PageRequest::<Filters, Id>::read(LIST, parameters, filters)?;
    let seen = page.filters.seen_by(&caller)?;
    let records = store::list(orders.database.pool(), &page, &seen).await?;
    let items: Result<Vec<_>, _> = records.iter().map(Record::order).collect();
    page.answer(LIST, items?, |order| order.id)
}

/// Place an order
///
/// Answered once the stock is reserved and the price is fixed. With an `Idempotency-Key`, the request can be sent again: it
/// places one order, and is answered the same.
#[utoipa::path(
    post,
    path = "/orders",
    tag = "orders",
    operation_id = "placeOrder",
    params(IdempotencyKeyHeader),
    request_body = OrderContent,
    responses(
        (
            status = 201,
            description = "The order, confirmed",
            body = Order,
            headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "Its version"))
        ),
        (
            status = 404,
            description = "There is no such customer, or not for this caller",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        ),
        (
            status = 409,
            description = "Not enough pieces are in stock (`available` tells how many are); or: the same request is being answered",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        )
    ),
    security(("bearer" = []))
)]
pub(crate) async fn place_order(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    context: RequestContext,
    keyed: Result<Keyed, Problem>,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.require(&ROLES)?;
    parameters.finish()?;
    let keyed = keyed?;
    let wish = Wish::parse(&body)?;
    if !caller.may_reach(wish.customer_id) {
        return Err(no_such_customer(wish.customer_id));
    }
    let placing = Placing { caller, context, keyed, body, wish };
    // A task of its own: a client that hangs up leaves nothing half done.
    let work = placing::place(Arc::clone(&orders), placing).in_current_span();
    orders.placing.spawn(work).await.unwrap_or_else(|panic| Err(Problem::internal(panic)))
}

/// Read an order
#[utoipa::path(
    get,
    path = "/orders/{id}",
    tag = "orders",
    operation_id = "readOrder",
    params(("id" = inline(Id), Path, description = "Which order"), IfNoneMatchHeader),
    responses(
        (
            status = 200,
            description = "The order",
            body = Order,
            headers(("ETag" = String, description = "Its version"))
        ),
        (status = 304, description = "The client has this version")
    ),
    security(("bearer" = []))
)]
pub(crate) async fn read_order(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    caller.require(&ROLES)?;
    parameters.finish()?;
    let (preconditions, id) = (preconditions?, id.found()?);
    let found = store::find(orders.database.pool(), id).await?;
    let record = found.filter(|record| record.is_reached_by(&caller)).ok_or_else(|| no_such_order(id))?;
    Ok(preconditions.answer(record.version(), Json(record.order()?)))
}

/// Change an order's status
///
/// PENDING and CONFIRMED lead to CANCELLED, which releases the stock; CONFIRMED to PAID, PAID to SHIPPED, SHIPPED to
/// DELIVERED; PAID, SHIPPED and DELIVERED to REFUNDED, which does not. Customers may only cancel. The present status again
/// changes nothing.
#[utoipa::path(
    patch,
    path = "/orders/{id}",
    tag = "orders",
    operation_id = "changeOrder",
    params(("id" = inline(Id), Path, description = "Which order"), IfMatchHeader),
    request_body(content((OrderPatch = "application/json"), (OrderPatch = "application/merge-patch+json"))),
    responses(
        (
            status = 200,
            description = "The order as it is now",
            body = Order,
            headers(("ETag" = String, description = "Its version"))
        ),
        (
            status = 409,
            description = "Its status does not lead there; `allowed` tells where it does",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        )
    ),
    security(("bearer" = []))
)]
pub(crate) async fn change_order(
    State(orders): State<Arc<Orders>>,
    caller: Caller,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.require(&ROLES)?;
    parameters.finish()?;
    let preconditions = preconditions?;
    let wanted = parse_patch(&body)?;
    let id = id.found()?;
    let mut transaction = orders.database.begin().await?;
    let found = store::lock(&mut transaction, id).await?;
    let present = found.filter(|record| record.is_reached_by(&caller)).ok_or_else(|| no_such_order(id))?;
    let changed = change(&mut transaction, &caller, &preconditions, &present, wanted).await?;
    transaction.commit().await?;
    orders.outbox.wake();
    let record = changed.unwrap_or(present);
    Ok(([record.version().header()], Json(record.order()?)).into_response())
}

/// Brings an order that is locked where it is wanted; none where it is there already.
async fn change(
    connection: &mut PgConnection,
    caller: &Caller,
    preconditions: &Preconditions,
    present: &Record,
    wanted: Option<OrderStatus>,
) -> Result<Option<Record>, Problem> {
    let (id, from) = (present.id()?, present.status()?);
    let to = wanted.unwrap_or(from);
    if wanted.is_some() && !status::may_set(caller.role, to) {
        return Err(Problem::new(Kind::Forbidden, "customers may only cancel their orders"));
    }
    preconditions.check(present.version())?;
    if to == from {
        return Ok(None);
    }
    if !status::next(from).contains(&to) {
        return Err(illegal(id, from, to));
    }
    if from == OrderStatus::Pending {
        // Whoever is placing it has nothing to answer any more.
        idempotency::free(connection, id).await?;
    }
    let record = store::set_status(connection, id, to).await?;
    outbox::record(connection, &record, to == OrderStatus::Cancelled).await?;
    Ok(Some(record))
}

fn illegal(id: Id, from: OrderStatus, to: OrderStatus) -> Problem {
    let allowed: Vec<_> = status::next(from).iter().map(|status| status::name(*status)).collect();
    let ways = if allowed.is_empty() { "nowhere".to_owned() } else { format!("to {}", allowed.join(" or ")) };
    let (from, to) = (status::name(from), status::name(to));
    let detail = format!("order {id} is {from}, which does not lead to {to}; it can go {ways}");
    Problem::new(Kind::IllegalTransition, detail).with("allowed", allowed)
}
