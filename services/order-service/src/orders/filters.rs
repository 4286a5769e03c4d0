//! Which orders a list has.

use schemas::OrderStatus;
use serde::{Deserialize, Serialize};
use service_kit::auth::{Caller, Role};
use service_kit::input::{Parameters, Refusal};
use service_kit::{Id, Kind, Problem};

use crate::order::{no_such_customer, parse_status};

/// What the orders of a list have in common. Cursors carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filters {
    /// This customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Option<Id>,
    /// This status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<OrderStatus>,
}

impl Filters {
    /// Reads the parameters that filter; whoever reads the others tells the faults.
    pub(super) fn read(parameters: &mut Parameters) -> Self {
        Filters {
            customer_id: parameters.optional("customer_id", |text| {
                let refusal = |what| Refusal::new(schemas::FieldCode::InvalidFormat, format!("is {text:?}: {what}"));
                text.parse().map_err(refusal)
            }),
            status: parameters.optional("status", parse_status),
        }
    }

    /// What of it the caller may see: a customer its own orders, whatever a cursor says that it made up.
    ///
    /// # Errors
    /// 404 where a customer asks for another one's.
    pub(super) fn seen_by(&self, caller: &Caller) -> Result<Self, Problem> {
        match self.customer_id {
            Some(customer) if !caller.may_reach(customer) => Err(no_such_customer(customer)),
            None if caller.role == Role::Customer => {
                let own = caller.customer_id.ok_or_else(|| {
                    Problem::new(Kind::Forbidden, "these credentials are no customer's; log in as one")
                })?;
                Ok(Filters { customer_id: Some(own), ..self.clone() })
            }
            _ => Ok(self.clone()),
        }
    }
}
