//! Where orders can go from where they are.
//!
//! ```text
//! PENDING ---> CONFIRMED ---> PAID ---> SHIPPED ---> DELIVERED
//!    |             |            |          |             |
//!    +-> CANCELLED <+           +----------+-------------+---> REFUNDED
//! ```
//!
//! No request sets `PENDING`, in which every order begins, or `CONFIRMED`, which takes a reservation of stock: the service
//! does that itself while it places the order.

use schemas::{OrderEventType, OrderStatus};
use service_kit::auth::Role;

/// Every status, in the order of an order's life.
pub(crate) const ALL: [OrderStatus; 7] = [
    OrderStatus::Pending,
    OrderStatus::Confirmed,
    OrderStatus::Paid,
    OrderStatus::Shipped,
    OrderStatus::Delivered,
    OrderStatus::Cancelled,
    OrderStatus::Refunded,
];

/// Its name, as clients and the database have it.
pub(crate) const fn name(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Pending => "PENDING",
        OrderStatus::Confirmed => "CONFIRMED",
        OrderStatus::Paid => "PAID",
        OrderStatus::Shipped => "SHIPPED",
        OrderStatus::Delivered => "DELIVERED",
        OrderStatus::Cancelled => "CANCELLED",
        OrderStatus::Refunded => "REFUNDED",
    }
}

/// The status of this name.
pub(crate) fn named(text: &str) -> Option<OrderStatus> {
    ALL.into_iter().find(|status| name(*status) == text)
}

/// Where a request can bring an order from this status.
pub(crate) const fn next(status: OrderStatus) -> &'static [OrderStatus] {
    match status {
        OrderStatus::Pending => &[OrderStatus::Cancelled],
        OrderStatus::Confirmed => &[OrderStatus::Paid, OrderStatus::Cancelled],
        OrderStatus::Paid => &[OrderStatus::Shipped, OrderStatus::Refunded],
        OrderStatus::Shipped => &[OrderStatus::Delivered, OrderStatus::Refunded],
        OrderStatus::Delivered => &[OrderStatus::Refunded],
        OrderStatus::Cancelled | OrderStatus::Refunded => &[],
    }
}

/// Whether somebody of this role may bring an order of its own to this status.
pub(crate) fn may_set(role: Role, status: OrderStatus) -> bool {
    match role {
        Role::Admin | Role::Service => true,
        Role::Customer => status == OrderStatus::Cancelled,
        Role::Writer | Role::Anonymous => false,
    }
}

/// What others are told of an order that has come to this status; nothing while it is being placed.
pub(crate) const fn event(status: OrderStatus) -> Option<OrderEventType> {
    match status {
        OrderStatus::Pending => None,
        OrderStatus::Confirmed => Some(OrderEventType::Confirmed),
        OrderStatus::Paid => Some(OrderEventType::Paid),
        OrderStatus::Shipped => Some(OrderEventType::Shipped),
        OrderStatus::Delivered => Some(OrderEventType::Delivered),
        OrderStatus::Cancelled => Some(OrderEventType::Cancelled),
        OrderStatus::Refunded => Some(OrderEventType::Refunded),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_status_has_the_name_by_which_events_call_it() {
        for status in ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), name(status));
            assert_eq!(named(name(status)), Some(status));
        }
        for text in ["", "paid", "PAID ", "RETURNED"] {
            assert_eq!(named(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_way_through_the_statuses_ends() {
        let mut reached = HashSet::new();
        let mut ways = vec![vec![OrderStatus::Pending], vec![OrderStatus::Confirmed]];
        while let Some(way) = ways.pop() {
            assert!(way.len() <= ALL.len(), "there is a circle: {way:?}");
            let last = *way.last().unwrap();
            reached.insert(name(last));
            ways.extend(next(last).iter().map(|status| [&way[..], &[*status]].concat()));
        }
        assert_eq!(reached.len(), ALL.len(), "not every status is reached: {reached:?}");
    }
}
