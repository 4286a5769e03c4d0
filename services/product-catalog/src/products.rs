//! `/products` and `/products/{id}`.

mod filters;
mod store;

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
use service_kit::{Id, PathId, Problem};

use self::filters::Filters;
use crate::Catalog;
use crate::product::document::{FilterParameters, ProductContent, ProductPage, ProductPatch};
use crate::product::{Content, Patch, Product, Record, no_such_product};

/// The list, as its cursors name it.
const LIST: &str = "/products";
/// Who may change products.
const EDITORS: [Role; 2] = [Role::Admin, Role::Service];

/// List products
///
/// By ascending id, page by page. Products that are added or deleted meanwhile make no other one come twice or be left out.
#[utoipa::path(
    get,
    path = "/products",
    tag = "products",
    operation_id = "listProducts",
    params(FilterParameters, PageParameters),
    responses((status = 200, description = "A page of products", body = ProductPage))
)]
pub(crate) async fn list_products(
    State(catalog): State<Arc<Catalog>>,
    _: Caller,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let filters = Filters::read(&mut parameters);
    let page = PageRequest::<Filters, Id>::read(LIST, parameters, filters)?;
    let records = store::list(catalog.database.pool(), &page).await?;
    let products: Result<Vec<_>, _> = records.into_iter().map(|record| record.into_product(catalog.currency)).collect();
    page.answer(LIST, products?, |product| product.id)
}

/// Make a product
///
/// With an `Idempotency-Key`, the request can be sent again: it makes one product, and is answered the same.
#[utoipa::path(
    post,
    path = "/products",
    tag = "products",
    operation_id = "createProduct",
    params(IdempotencyKeyHeader),
    request_body = ProductContent,
    responses((
        status = 201,
        description = "The product that was made",
        body = Product,
        headers(("Location" = String, description = "Its path"), ("ETag" = String, description = "Its version"))
    )),
    security(("bearer" = []))
)]
pub(crate) async fn create_product(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    keyed: Result<Keyed, Problem>,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.require(&EDITORS)?;
    parameters.finish()?;
    let keyed = keyed?;
    let content = Content::parse(&body, catalog.currency)?;
    let mut attempt = match idempotency::begin(&catalog.database, &catalog.idempotency, &caller, &keyed, &body).await? {
        Begin::Replay(response) => return Ok(response),
        Begin::First(attempt) => attempt,
    };
    let record = store::insert(attempt.connection(), &content).await?;
    let (version, product) = (record.version(), record.into_product(catalog.currency)?);
    attempt.commit(Answer::created(format!("{LIST}/{}", product.id), version, &product)?).await
}

/// Read a product
#[utoipa::path(
    get,
    path = "/products/{id}",
    tag = "products",
    operation_id = "readProduct",
    params(("id" = inline(Id), Path, description = "Which product"), IfNoneMatchHeader),
    responses(
        (
            status = 200,
            description = "The product",
            body = Product,
            headers(("ETag" = String, description = "Its version"))
        ),
        (status = 304, description = "The client has this version")
    )
)]
pub(crate) async fn read_product(
    State(catalog): State<Arc<Catalog>>,
    _: Caller,
    id: PathId,
    preconditions: Preconditions,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.finish()?;
    let id = id.found()?;
    let record = store::find(catalog.database.pool(), id).await?.ok_or_else(|| no_such_product(id))?;
    Ok(preconditions.answer(record.version(), Json(record.into_product(catalog.currency)?)))
}

/// Replace a product
///
/// Needs `If-Match`. What is left out is set to its default. Replacing a product by itself changes nothing, also not its version.
#[utoipa::path(
    put,
    path = "/products/{id}",
    tag = "products",
    operation_id = "replaceProduct",
    params(("id" = inline(Id), Path, description = "Which product"), IfMatchHeader),
    request_body = ProductContent,
    responses((
        status = 200,
        description = "The product as it is now",
        body = Product,
        headers(("ETag" = String, description = "Its version"))
    )),
    security(("bearer" = []))
)]
pub(crate) async fn replace_product(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.require(&EDITORS)?;
    parameters.finish()?;
    let preconditions = preconditions?;
    let content = Content::parse(&body, catalog.currency)?;
    let replace = move |present: &Record| {
        preconditions.require()?;
        preconditions.check(present.version())?;
        Ok(content)
    };
    catalog.change(id, replace).await
}

/// Change a product
///
/// `stock_quantity` needs `If-Match`, as it would overwrite what orders have reserved meanwhile; `stock_delta` adds to what
/// there is and needs none. A change that changes nothing leaves the version as it is.
#[utoipa::path(
    patch,
    path = "/products/{id}",
    tag = "products",
    operation_id = "changeProduct",
    params(("id" = inline(Id), Path, description = "Which product"), IfMatchHeader),
    request_body(content((ProductPatch = "application/json"), (ProductPatch = "application/merge-patch+json"))),
    responses(
        (
            status = 200,
            description = "The product as it is now",
            body = Product,
            headers(("ETag" = String, description = "Its version"))
        ),
        (
            status = 409,
            description = "Fewer pieces are in stock than were to be taken; `available` tells how many",
            body = ref("#/components/schemas/Problem"),
            content_type = "application/problem+json"
        )
    ),
    security(("bearer" = []))
)]
pub(crate) async fn change_product(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    caller.require(&EDITORS)?;
    parameters.finish()?;
    let preconditions = preconditions?;
    let patch = Patch::parse(&body, catalog.currency)?;
    let change = move |present: &Record| {
        if patch.sets_stock() {
            preconditions.require()?;
        }
        preconditions.check(present.version())?;
        patch.apply(present.content.clone())
    };
    catalog.change(id, change).await
}

/// Delete a product
///
/// It is nowhere to be found then, while orders of it stay as they are.
#[utoipa::path(
    delete,
    path = "/products/{id}",
    tag = "products",
    operation_id = "deleteProduct",
    params(("id" = inline(Id), Path, description = "Which product"), IfMatchHeader),
    responses((status = 204, description = "It is deleted")),
    security(("bearer" = []))
)]
pub(crate) async fn delete_product(
    State(catalog): State<Arc<Catalog>>,
    caller: Caller,
    id: PathId,
    preconditions: Result<Preconditions, Problem>,
    parameters: Parameters,
) -> Result<StatusCode, Problem> {
    caller.require(&EDITORS)?;
    parameters.finish()?;
    let (preconditions, id) = (preconditions?, id.found()?);
    let mut transaction = catalog.database.begin().await?;
    let present = store::lock(&mut transaction, id).await?.ok_or_else(|| no_such_product(id))?;
    preconditions.check(present.version())?;
    store::delete(&mut transaction, id).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Catalog {
    /// Makes a change of what a product has, while nobody else can change it. Where nothing differs, nothing is written.
    async fn change(
        &self,
        id: PathId,
        change: impl FnOnce(&Record) -> Result<Content, Problem> + Send,
    ) -> Result<Response, Problem> {
        let id = id.found()?;
        let mut transaction = self.database.begin().await?;
        let present = store::lock(&mut transaction, id).await?.ok_or_else(|| no_such_product(id))?;
        let content = change(&present)?;
        let is_same = content == present.content;
        let record = if is_same { present } else { store::update(&mut transaction, id, &content).await? };
        transaction.commit().await?;
        Ok(([record.version().header()], Json(record.into_product(self.currency)?)).into_response())
    }
}
