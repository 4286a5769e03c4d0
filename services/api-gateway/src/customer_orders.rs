//! `/customers/{id}/orders`: a customer and its orders in one answer.

#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

use axum::extract::{Path, Request, State};
use axum::response::Response;
use schemas::FieldCode;
use serde_json::{Value, json};
use service_kit::openapi::PageParameters;
use service_kit::{Id, Problem, RequestContext};
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::expand::{self, Asked, Unavailable, composed, or_null};
use crate::gateway::Gateway;
use crate::routes::{Access, Upstream};

pub(crate) fn router(gateway: Gateway) -> axum::Router {
    described().with_state(gateway).into()
}

pub(crate) fn openapi() -> OpenApi {
    described().into_openapi()
}

fn described() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(read_customer_orders))
}

/// A customer and a page of its orders.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what read_customer_orders answers")]
struct CustomerOrders {
    /// The customer, as `/customers/{id}` shows it; `null` where it cannot be had.
    #[schema(required = true, value_type = Option<Object>)]
    customer: Option<Value>,
    /// A page of orders, as `/orders` shows it; `null` where it cannot be had.
    #[schema(required = true, value_type = Option<Object>)]
    orders: Option<Value>,
    /// What cannot be had, and why.
    unavailable: Vec<Unavailable>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what the order service reads")]
struct StatusParameter {
    /// Orders of this status.
    #[param(required = false, example = "CONFIRMED")]
    status: String,
}

/// Read a customer with its orders
///
/// The same as `/customers/{id}` and `/orders?customer_id={id}`, in one answer. Where one of the two cannot be had now, the
/// other is answered all the same.
#[utoipa::path(
    get,
    path = "/customers/{id}/orders",
    tag = "customers",
    operation_id = "readCustomerOrders",
    params(("id" = inline(Id), Path, description = "Which customer"), StatusParameter, PageParameters),
    responses((status = 200, description = "The customer and a page of its orders", body = CustomerOrders)),
    security(("bearer" = []))
)]
async fn read_customer_orders(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    context: RequestContext,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let caller = gateway.admit(&parts, Access::Bearer).await?;
    let orders_of = orders_of(&id, parts.uri.query().unwrap_or(""))?;
    let id: Id = id.parse().map_err(|_| Problem::not_found(format!("there is no customer {id:?}")))?;
    let asked = Asked { gateway: &gateway, caller: &caller, context: &context };
    let customer = format!("/customers/{id}");
    let (customer, orders) =
        tokio::join!(asked.read(Upstream::CustomerService, &customer), asked.read(Upstream::OrderService, &orders_of),);
    // What the client has to change, it is told; what is only down now is left out.
    let mut unavailable = Vec::new();
    match (&customer, &orders) {
        (Err(problem), _) | (_, Err(problem)) if !expand::is_down(problem) => return Err(problem.clone()),
        (Err(problem), Err(_)) => return Err(problem.clone()),
        _ => {}
    }
    let customer = or_null("customer", customer, &mut unavailable);
    let orders = or_null("orders", orders, &mut unavailable);
    Ok(composed(json!({"customer": customer, "orders": orders, "unavailable": unavailable})))
}

/// The path of the customer's orders, with the parameters as they came.
fn orders_of(id: &str, query: &str) -> Result<String, Problem> {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("customer_id", id);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "customer_id" {
            let detail = "customer_id stands in the path; leave it out";
            return Err(Problem::parameter("customer_id", FieldCode::Unknown, detail));
        }
        pairs.append_pair(&name, &value);
    }
    Ok(format!("/orders?{}", pairs.finish()))
}
