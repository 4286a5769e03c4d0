//! What may be called, who answers it, and who may call: the one table.

/// Which service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Upstream {
    /// Products and their stock.
    ProductCatalog,
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
}

/// Everything that is passed on.
pub(crate) const ROUTES: [Route; 3] = [
    Route {
        path: "/products",
        upstream: Upstream::ProductCatalog,
        methods: &[("GET", Access::Public), ("POST", Access::Bearer)],
    },
    Route {
        path: "/products/{id}",
        upstream: Upstream::ProductCatalog,
        methods: &[
            ("GET", Access::Public),
            ("PUT", Access::Bearer),
            ("PATCH", Access::Bearer),
            ("DELETE", Access::Bearer),
        ],
    },
    Route { path: "/events", upstream: Upstream::ActivityService, methods: &[("POST", Access::WriteKey)] },
];

/// Every method and path that the gateway answers, by the templates of the API's description.
#[must_use]
pub fn routed() -> Vec<(String, String)> {
    let own = [("GET".to_owned(), "/analytics/products/{id}/windows".to_owned())];
    let of = |route: &Route| {
        let path = route.path;
        route.methods.iter().map(move |(method, _)| ((*method).to_owned(), path.to_owned())).collect::<Vec<_>>()
    };
    ROUTES.iter().flat_map(of).chain(own).collect()
}
