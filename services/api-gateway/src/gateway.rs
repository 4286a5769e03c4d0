//! The gateway's parts, put together.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use service_kit::auth::{Caller, TokenSigner};
use service_kit::session::{self, Sessions};
use service_kit::{Error, Listeners, Problem, RequestContext, Service, client};
use tokio_util::sync::CancellationToken;

use crate::analytics::{self, Analytics};
use crate::identity::Identity;
use crate::jwks::Jwks;
use crate::limits::Limits;
use crate::proxy::Target;
use crate::routes::{Access, ROUTES, Upstream};
use crate::settings::Args;
use crate::{NAME, browsers, docs};

/// What all requests share.
#[derive(Clone, Debug)]
pub(crate) struct Gateway(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    identity: Identity,
    limits: Limits,
    product_catalog: Target,
    activity_service: Target,
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
    let analytics = Analytics::start(&args, dynamodb.clone(), service.registry(), stop.clone())?;
    let target = |name, url: &reqwest::Url, secret| {
        Target::new(name, url.clone(), TokenSigner::new(name, secret), client.clone())
    };
    let gateway = Gateway(Arc::new(Parts {
        identity: Identity::new(
            Sessions::new(dynamodb, &args.dynamodb),
            jwt.map(|settings| Jwks::new(settings, client.clone())),
            &args.identity,
        ),
        limits: Limits::new(&args.limits),
        product_catalog: target("product-catalog", &args.product_service_url, &args.product_service_secret),
        activity_service: target("activity-service", &args.activity_service_url, &args.activity_service_secret),
    }));
    let forgetting = gateway.clone();
    let until = stop.clone();
    tokio::spawn(async move { forgetting.0.limits.keep_small(until).await });
    let routes = passed_on(&gateway).merge(analytics::router(gateway, analytics)).merge(docs::router());
    service.serve(listeners, routes, stop).await
}

impl Gateway {
    /// Who sent a request, within its limits.
    pub(crate) async fn admit(&self, parts: &axum::http::request::Parts, access: Access) -> Result<Caller, Problem> {
        let Gateway(gateway) = self;
        let caller = gateway.identity.of(parts, access).await?;
        gateway.limits.check(&caller, gateway.identity.address(parts))?;
        Ok(caller)
    }

    fn target(&self, upstream: Upstream) -> &Target {
        match upstream {
            Upstream::ProductCatalog => &self.0.product_catalog,
            Upstream::ActivityService => &self.0.activity_service,
        }
    }
}

/// The routes of the table.
fn passed_on(gateway: &Gateway) -> Router {
    ROUTES.iter().fold(Router::new(), |router, route| {
        let methods = route.methods.iter().fold(MethodRouter::new(), |methods, (method, access)| {
            let (access, upstream) = (*access, route.upstream);
            let handler = move |State(gateway): State<Gateway>, context: RequestContext, request: Request| async move {
                pass_on(&gateway, upstream, access, &context, request).await.unwrap_or_else(Problem::into_response)
            };
            methods.merge(on(filter(method), handler))
        });
        router.route(route.path, methods.with_state(gateway.clone()))
    })
}

async fn pass_on(
    gateway: &Gateway,
    upstream: Upstream,
    access: Access,
    context: &RequestContext,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = gateway.admit(&parts, access).await?;
    gateway.target(upstream).forward(&caller, context, Request::from_parts(parts, body)).await
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
