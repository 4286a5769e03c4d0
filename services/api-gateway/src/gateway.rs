//! The gateway's parts, put together.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use service_kit::auth::Caller;
use service_kit::client::{self, Peer};
use service_kit::session::{self, Sessions};
use service_kit::{Error, Listeners, Problem, RequestContext, Service};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::analytics::{self, Analytics};
use crate::expand::{self, Asked};
use crate::identity::Identity;
use crate::jwks::Jwks;
use crate::limits::Limits;
use crate::routes::{Access, ROUTES, Route, Upstream};
use crate::settings::Args;
use crate::{NAME, browsers, customer_orders, docs, page, proxy};

/// How long a stopping gateway waits for the reader of results, which looks ten times a second.
const END_LIMIT: Duration = Duration::from_secs(1);

/// What all requests share.
#[derive(Clone, Debug)]
pub(crate) struct Gateway(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    identity: Identity,
    limits: Limits,
    analytics: Analytics,
    product_catalog: Peer,
    customer_service: Peer,
    order_service: Peer,
    activity_service: Peer,
}

/// Serves until `stop`.
///
/// # Errors
/// A setting that makes no sense, or a listener that fails.
pub async fn run(args: Args, listeners: Listeners, stop: CancellationToken) -> Result<(), Error> {
    let browsers = browsers::layers(&args.identity.cors_allowed_origins)?;
    let jwt = args.identity.jwt()?;
    let client = client::new()?;
    let dynamodb = session::client(&args.dynamodb).await;
    let mut service = Service::new(NAME, env!("CARGO_PKG_VERSION"), &args.service).with_layers(browsers);
    let background = TaskTracker::new();
    let analytics = Analytics::start(&args, dynamodb.clone(), service.registry(), stop.clone(), &background)?;
    let peer = |name, url: &reqwest::Url, secret| Peer::new(name, url.clone(), secret, client.clone());
    let services = &args.services;
    let gateway = Gateway(Arc::new(Parts {
        identity: Identity::new(
            Sessions::new(dynamodb, &args.dynamodb),
            jwt.map(|settings| Jwks::new(settings, client.clone())),
            &args.identity,
        ),
        limits: Limits::new(&args.limits),
        analytics,
        product_catalog: peer("product-catalog", &services.product_service_url, &services.product_service_secret),
        customer_service: peer("customer-service", &services.customer_service_url, &services.customer_service_secret),
        order_service: peer("order-service", &services.order_service_url, &services.order_service_secret),
        activity_service: peer("activity-service", &services.activity_service_url, &services.activity_service_secret),
    }));
    let forgetting = gateway.clone();
    let until = stop.clone();
    background.spawn(async move { forgetting.0.limits.keep_small(until).await });
    let routes = passed_on(&gateway)
        .merge(customer_orders::router(gateway.clone()))
        .merge(analytics::router(gateway))
        .merge(docs::router())
        .merge(page::router());
    let served = service.serve(listeners, routes, stop).await;
    background.close();
    // Whoever stops Kafka after the gateway is not told that it is gone. While Kafka does not answer, nobody waits for it.
    if served.is_ok() && tokio::time::timeout(END_LIMIT, background.wait()).await.is_err() {
        tracing::debug!("stopped while the results topic was being asked for");
    }
    served
}

impl Gateway {
    /// Who sent a request, within its limits.
    pub(crate) async fn admit(&self, parts: &axum::http::request::Parts, access: Access) -> Result<Caller, Problem> {
        let Gateway(gateway) = self;
        let caller = gateway.identity.of(parts, access).await?;
        gateway.limits.check(&caller, gateway.identity.address(parts))?;
        Ok(caller)
    }

    /// What answers questions about counts.
    pub(crate) fn analytics(&self) -> &Analytics {
        &self.0.analytics
    }

    /// The service that answers.
    pub(crate) fn peer(&self, upstream: Upstream) -> &Peer {
        match upstream {
            Upstream::ProductCatalog => &self.0.product_catalog,
            Upstream::CustomerService => &self.0.customer_service,
            Upstream::OrderService => &self.0.order_service,
            Upstream::ActivityService => &self.0.activity_service,
        }
    }
}

/// The routes of the table.
fn passed_on(gateway: &Gateway) -> Router {
    ROUTES.iter().fold(Router::new(), |router, route| {
        let methods = route.methods.iter().fold(MethodRouter::new(), |methods, (method, access)| {
            let access = *access;
            let handler = move |State(gateway): State<Gateway>, context: RequestContext, request: Request| async move {
                pass_on(&gateway, route, access, &context, request).await.unwrap_or_else(Problem::into_response)
            };
            methods.merge(on(filter(method), handler))
        });
        router.route(route.path, methods.with_state(gateway.clone()))
    })
}

async fn pass_on(
    gateway: &Gateway,
    route: &Route,
    access: Access,
    context: &RequestContext,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = gateway.admit(&parts, access).await?;
    if expand::is_wanted(route, &parts) {
        return expand::answer(&Asked { gateway, caller: &caller, context }, route, &parts).await;
    }
    proxy::forward(gateway.peer(route.upstream), &caller, context, Request::from_parts(parts, body)).await
}

/// The table holds these methods only; its test says so.
fn filter(method: &str) -> MethodFilter {
    match method {
        "GET" => MethodFilter::GET,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::POST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_methods_that_the_router_knows() {
        for (method, _) in ROUTES.iter().flat_map(|route| route.methods) {
            assert!(*method == "POST" || filter(method) != MethodFilter::POST, "{method}");
        }
    }
}
