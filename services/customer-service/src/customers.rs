//! `/customers` and `/customers/{id}`.

mod filters;
pub(crate) mod store;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use service_kit::auth::{Caller, Role};
use service_kit::etag::Preconditions;
use service_kit::idempotency::{self, Answer, Begin, Keyed};
use service_kit::input::{Parameters, RawBody};
use service_kit::openapi::{IdempotencyKeyHeader, IfMatchHeader, IfNoneMatchHeader, PageParameters};
use service_kit::page::PageRequest;
use service_kit::{Id, PathId, Problem, RequestContext};

use self::filters::Filters;
use crate::customer::document::{CustomerContent, CustomerPage, CustomerPatch, FilterParameters, NewCustomer};
use crate::customer::{Content, Customer, Patch, Record, Registration, no_such_customer};
use crate::{Customers, deletion};

/// The list, as its cursors name it.
const LIST: &str = "/customers";
/// Who may read everybody.
const READERS: [Role; 2] = [Role::Admin, Role::Service];
/// Who may be a customer, or act for one. Whose record it is, is asked where the record is looked for.
const KNOWN: [Role; 4] = [Role::Admin, Role::Service, Role::Customer, Role::Writer];
/// Who may end what a customer is, or change its password.
pub(crate) const OWNERS: [Role; 2] = [Role::Admin, Role::Customer];

/// List customers
///
/// By ascending id, page by page. Customers that are added or deleted meanwhile make no other one come twice or be left out.
#[utoipa::path(
    get,
    path = "/customers",
    tag = "customers",
    operation_id = "listCustomers",
    params(FilterParameters, PageParameters),
    responses((status = 200, description = "A page of customers", body = CustomerPage)),
    security(("bearer" = []))
)]
pub(crate) async fn list_customers(
    State(customers): State<Arc<Customers>>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    caller.require(&READERS)?;
    let filters = Filters::read(&mut parameters);
    let page = PageRequest::<Filters, Id>::read(LIST, parameters, filters)?;
    let records = store::list(customers.database.pool(), &page).await?;
    let listed: Result<Vec<_>, _> = records.into_iter().map(Record::into_customer).collect();
    page.answer(LIST, listed?, |customer| customer.id)
}

/// Make a customer
///
/// Open to everybody. With an `Idempotency-Key`, the request can be sent again: it makes one customer, and is answered the same.
#[utoipa::path(
    post,
    path = "/customers",
    tag = "customers",
    operation_id = "createCustomer",
    params(IdempotencyKeyHeader),
    request_body = NewCustomer,
    responses(
        (
            status = 201,
            description = "The customer that was made",
            body = Customer,
            headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "Its version"))
        ),
        (
            status = 409,
            description = "Another customer has this e-mail address; or: the same request is being answered",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        )
    )
)]
pub(crate) async fn create_customer(
    State(customers): State<Arc<Customers>>,
    caller: Caller,
    keyed: Result<Keyed, Problem>,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    parameters.finish()?;
    let keyed = keyed?;
    let Registration { content, password } = Registration::parse(&body)?;
    // Before the transaction, which would keep a connection from others meanwhile.
    let hash = customers.judge.hasher.hash(&password).await?;
    let Customers { database, idempotency, .. } = &*customers;
    let mut attempt = match idempotency::begin(database, idempotency, &caller, &keyed, &body).await? {
        Begin::Replay(response) => return Ok(response),
        Begin::First(attempt) => attempt,
    };
    let record = store::insert(attempt.connection(), &content, &hash).await?;
    let (version, customer) = (record.version(), record.into_customer()?);
    attempt.commit(Answer::created(format!("{LIST}/{}", customer.id), version, &customer)?).await
}

/// Read a customer
#[utoipa::path(
    get,
    path = "/customers/{id}",
    tag = "customers",
    operation_id = "readCustomer",
    params(("id" = inline(Id), Path, description = "Which customer"), IfNoneMatchHeader),
    responses(
        (
            status = 200,
            description = "The customer",
            body = Customer,
            headers(("ETag" = String, description = "Its version"))
        ),
        (status = 304, description = "The client has this version")
    ),
    security(("bearer" = []))
)]
pub(crate) async fn read_customer(
    State(customers): State<Arc<Customers>>,
    caller: Caller,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    caller.require(&KNOWN)?;
    parameters.finish()?;
    let (preconditions, id) = (preconditions?, reached(&caller, id)?);
    let record = store::find(customers.database.pool(), id).await?.ok_or_else(|| no_such_customer(id))?;
    Ok(preconditions.answer(record.version(), Json(record.into_customer()?)))
}

/// Replace a customer
///
/// Needs `If-Match`. What is left out is set to its default; the password stays as it is. Replacing a customer by itself
/// changes nothing, also not its version.
#[utoipa::path(
    put,
    path = "/customers/{id}",
    tag = "customers",
    operation_id = "replaceCustomer",
    params(("id" = inline(Id), Path, description = "Which customer"), IfMatchHeader),
    request_body = CustomerContent,
    responses(
        (
            status = 200,
            description = "The customer as it is now",
            body = Customer,
            headers(("ETag" = String, description = "Its version"))
        ),
        (
            status = 409,
            description = "Another customer has this e-mail address",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        )
    ),
    security(("bearer" = []))
)]
pub(crate) async fn replace_customer(
    State(customers): State<Arc<Customers>>,
    caller: Caller,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.require(&KNOWN)?;
    parameters.finish()?;
    let preconditions = preconditions?;
    let content = Content::parse(&body)?;
    let replace = move |present: &Record| {
        preconditions.require()?;
        preconditions.check(present.version())?;
        Ok(content)
    };
    customers.change(reached(&caller, id)?, replace).await
}

/// Change a customer
///
/// A change that changes nothing leaves the version as it is.
#[utoipa::path(
    patch,
    path = "/customers/{id}",
    tag = "customers",
    operation_id = "changeCustomer",
    params(("id" = inline(Id), Path, description = "Which customer"), IfMatchHeader),
    request_body(content((CustomerPatch = "application/json"), (CustomerPatch = "application/merge-patch+json"))),
    responses(
        (
            status = 200,
            description = "The customer as it is now",
            body = Customer,
            headers(("ETag" = String, description = "Its version"))
        ),
        (
            status = 409,
            description = "Another customer has this e-mail address",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        )
    ),
    security(("bearer" = []))
)]
pub(crate) async fn change_customer(
    State(customers): State<Arc<Customers>>,
    caller: Caller,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.require(&KNOWN)?;
    parameters.finish()?;
    let preconditions = preconditions?;
    let patch = Patch::parse(&body)?;
    let change = move |present: &Record| {
        preconditions.check(present.version())?;
        Ok(patch.apply(present.content.clone()))
    };
    customers.change(reached(&caller, id)?, change).await
}

/// Delete a customer
///
/// Everything that tells who it was is erased, its sessions end at once and its e-mail address is free. Orders of it stay as
/// they are. Where it cannot be deleted now, with 503, it will be without being asked again.
#[utoipa::path(
    delete,
    path = "/customers/{id}",
    tag = "customers",
    operation_id = "deleteCustomer",
    params(("id" = inline(Id), Path, description = "Which customer"), IfMatchHeader),
    responses(
        (status = 204, description = "It is deleted"),
        (
            status = 409,
            description = "An order of the customer is open",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        )
    ),
    security(("bearer" = []))
)]
pub(crate) async fn delete_customer(
    State(customers): State<Arc<Customers>>,
    caller: Caller,
    context: RequestContext,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
) -> Result<StatusCode, Problem> {
    caller.require(&OWNERS)?;
    parameters.finish()?;
    let (preconditions, id) = (preconditions?, reached(&caller, id)?);
    let work = {
        let customers = Arc::clone(&customers);
        async move { deletion::delete(&customers, id, &preconditions, &context).await }
    };
    customers.to_the_end(work).await.map(|()| StatusCode::NO_CONTENT)
}

/// The customer of a path, where the caller may know of it.
///
/// # Errors
/// 404 where it may not, or where the path has no id.
pub(crate) fn reached(caller: &Caller, id: PathId) -> Result<Id, Problem> {
    let id = id.found()?;
    if caller.may_reach(id) { Ok(id) } else { Err(no_such_customer(id)) }
}

impl Customers {
    /// Makes a change of what a customer has, while nobody else can change it. Where nothing differs, nothing is written.
    async fn change(
        &self,
        id: Id,
        change: impl FnOnce(&Record) -> Result<Content, Problem> + Send,
    ) -> Result<Response, Problem> {
        let mut transaction = self.database.begin().await?;
        let present = store::lock(&mut transaction, id).await?.ok_or_else(|| no_such_customer(id))?;
        let content = change(&present)?;
        let is_same = content == present.content;
        let record = if is_same { present } else { store::update(&mut transaction, id, &content).await? };
        transaction.commit().await?;
        Ok(([record.version().header()], Json(record.into_customer()?)).into_response())
    }
}
