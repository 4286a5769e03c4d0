//! What requests for orders look like, for the API's description.

use service_kit::Id;
use utoipa::{IntoParams, ToSchema};

use super::Order;

/// What to order.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what Wish reads")]
pub(crate) struct OrderContent {
    /// For whom; customers order for themselves.
    customer_id: Id,
    /// What.
    product_id: Id,
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1_000_000)]
    quantity: i64,
}

/// What to change of an order (JSON Merge Patch, RFC 7396).
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what parse_patch reads")]
pub(crate) struct OrderPatch {
    /// Where it is to go from where it is.
    #[schema(required = false)]
    status: Status,
}

/// Where an order stands.
///
/// PENDING: being placed; CONFIRMED: stock is reserved; PAID; SHIPPED; DELIVERED; CANCELLED: given up before it was paid;
/// REFUNDED: the money went back.
#[derive(ToSchema)]
#[schema(as = OrderStatus, rename_all = "UPPERCASE", example = "CONFIRMED")]
#[allow(dead_code, reason = "describes what schemas::OrderStatus writes")]
pub(crate) enum Status {
    Pending,
    Confirmed,
    Paid,
    Shipped,
    Delivered,
    Cancelled,
    Refunded,
}

/// A page of orders.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what PageRequest answers")]
pub(crate) struct OrderPage {
    /// The newest first.
    items: Vec<Order>,
    /// Where to go on; `null` on the last page.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// Which orders are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what Filters reads")]
pub(crate) struct FilterParameters {
    /// Those of this customer. Customers see their own ones with it or without.
    #[param(required = false, value_type = Id)]
    customer_id: Id,
    /// Those that stand here.
    #[param(required = false)]
    status: Status,
}
