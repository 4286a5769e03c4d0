//! What the order service is asked for: whether a customer may go.

use std::time::Duration;

use axum::http::Method;
use service_kit::auth::{Caller, Role};
use service_kit::client::Peer;
use service_kit::{Id, Kind, Problem, RequestContext};

/// The service that has the orders.
pub(crate) const NAME: &str = "order-service";
/// How long the question may take, further attempts included: a client waits for it.
const LIMIT: Duration = Duration::from_secs(5);

/// The order service.
#[derive(Debug)]
pub(crate) struct OrderService {
    peer: Peer,
    /// Who asks: this service, whoever wants the customer deleted.
    caller: Caller,
}

impl OrderService {
    pub(crate) fn new(peer: Peer) -> Self {
        OrderService { peer, caller: Caller::new(crate::NAME, Role::Service) }
    }

    /// Lets no order of the customer be taken from now on. It may be asked for again.
    ///
    /// # Errors
    /// 409 where an order of the customer is open: then further ones are still taken. 503 where the service does not answer.
    pub(crate) async fn close_customer(&self, id: Id, context: &RequestContext) -> Result<(), Problem> {
        let path = format!("/internal/closed-customers/{id}");
        let reply = self.peer.call(Method::PUT, &path, None, &self.caller, context, LIMIT).await;
        let reply = reply.map_err(unavailable)?;
        if reply.status.is_success() {
            return Ok(());
        }
        Err(match reply.problem() {
            problem if problem.kind() == Kind::OpenOrders => problem,
            problem => unavailable(problem),
        })
    }
}

/// One kind for all ways in which the service does not answer.
fn unavailable(problem: Problem) -> Problem {
    match problem.kind() {
        Kind::DependencyUnavailable | Kind::Internal => problem,
        kind => Problem::unavailable(NAME, kind.slug()),
    }
}
