//! What may be called, who answers it, and who may call: the one table.

use self::Access::{Bearer, Public, WriteKey};
use crate::expand::Part;

/// Which service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Upstream {
    /// Products and their stock.
    ProductCatalog,
    /// Customers and their sessions.
    CustomerService,
    /// Orders.
    OrderService,
    /// Events.
    ActivityService,
}

/// What a caller must show. Which role may do what is judged by the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Public,
    /// A bearer token.
    Bearer,
    /// A write key, or a bearer token.
    WriteKey,
}

/// A path, and what each method of it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) upstream: Upstream,
    pub(crate) methods: &'static [(&'static str, Access)],
    /// What reads can ask for beside the resource, with `expand`.
    pub(crate) parts: &'static [Part],
}

const fn route(path: &'static str, upstream: Upstream, methods: &'static [(&'static str, Access)]) -> Route {
    Route { path, upstream, methods, parts: &[] }
}

impl Route {
    const fn with_parts(self, parts: &'static [Part]) -> Self {
        Route { parts, ..self }
    }
}

/// Everything that is passed on.
pub(crate) const ROUTES: [Route; 10] = [
    route("/products", Upstream::ProductCatalog, &[("GET", Public), ("POST", Bearer)]),
    route(
        "/products/{id}",
        Upstream::ProductCatalog,
        &[("GET", Public), ("PUT", Bearer), ("PATCH", Bearer), ("DELETE", Bearer)],
    )
    .with_parts(&[Part::Live]),
    route("/customers", Upstream::CustomerService, &[("GET", Bearer), ("POST", Public)]),
    route(
        "/customers/{id}",
        Upstream::CustomerService,
        &[("GET", Bearer), ("PUT", Bearer), ("PATCH", Bearer), ("DELETE", Bearer)],
    ),
    route("/customers/{id}/password", Upstream::CustomerService, &[("PUT", Bearer)]),
    route("/sessions", Upstream::CustomerService, &[("POST", Public)]),
    route("/sessions/current", Upstream::CustomerService, &[("DELETE", Bearer)]),
    route("/orders", Upstream::OrderService, &[("GET", Bearer), ("POST", Bearer)]),
    route("/orders/{id}", Upstream::OrderService, &[("GET", Bearer), ("PATCH", Bearer)])
        .with_parts(&[Part::Customer, Part::Product]),
    route("/events", Upstream::ActivityService, &[("POST", WriteKey)]),
];

/// Every method and path that the gateway answers, by the templates of the API's description.
#[must_use]
pub fn routed() -> Vec<(String, String)> {
    let own = [
        "/analytics/products/{id}/stream",
        "/analytics/products/{id}/windows",
        "/analytics/stream",
        "/analytics/top",
        "/customers/{id}/orders",
    ];
    let own = own.map(|path| ("GET".to_owned(), path.to_owned()));
    let of = |route: &Route| {
        let path = route.path;
        route.methods.iter().map(move |(method, _)| ((*method).to_owned(), path.to_owned())).collect::<Vec<_>>()
    };
    ROUTES.iter().flat_map(of).chain(own).collect()
}
