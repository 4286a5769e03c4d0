//! Resources with what belongs to them, in one answer: `?expand=`, and a customer's orders.
//!
//! Parts are asked for side by side, in the caller's name, so that nobody sees more than by asking for them one by one. A
//! part that cannot be had is `null`, and `unavailable` says why; the resource itself is answered all the same.

use std::time::Duration;

use axum::Json;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join_all;
use schemas::FieldCode;
use serde_json::{Map, Value, json};
use service_kit::auth::Caller;
use service_kit::client::Peer;
use service_kit::input::{Parameters, Refusal};
use service_kit::{Kind, Problem, RequestContext};
use utoipa::ToSchema;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, Required};

use crate::gateway::Gateway;
use crate::routes::{ROUTES, Route, Upstream};

/// How long a resource or a part may take: somebody waits for all of them.
const LIMIT: Duration = Duration::from_secs(3);
/// The parameter that names parts.
const PARAMETER: &str = "expand";

/// What can come with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A product's counts of the running minute and of the last one that is over.
    Live,
    /// An order's customer.
    Customer,
    /// An order's product.
    Product,
}

impl Part {
    /// The part's name, in the parameter and in the answer.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Part::Live => "live",
            Part::Customer => "customer",
            Part::Product => "product",
        }
    }

    async fn of(self, asked: &Asked<'_>, resource: &Map<String, Value>) -> Result<Value, Problem> {
        let id = |name: &str| {
            let id = resource.get(name).and_then(Value::as_str);
            id.ok_or_else(|| Problem::internal(format_args!("a resource has no {name}")))
        };
        match self {
            Part::Live => {
                let live = asked.gateway.analytics().live(id("id")?).await?;
                serde_json::to_value(live).map_err(Problem::internal)
            }
            Part::Customer => {
                asked.read(Upstream::CustomerService, &format!("/customers/{}", id("customer_id")?)).await
            }
            Part::Product => asked.read(Upstream::ProductCatalog, &format!("/products/{}", id("product_id")?)).await,
        }
    }
}

/// Who asks, in which request.
pub(crate) struct Asked<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) caller: &'a Caller,
    pub(crate) context: &'a RequestContext,
}

impl Asked<'_> {
    /// A resource of a service.
    pub(crate) async fn read(&self, upstream: Upstream, path_and_query: &str) -> Result<Value, Problem> {
        let peer: &Peer = self.gateway.peer(upstream);
        let reply = peer.call(Method::GET, path_and_query, None, self.caller, self.context, LIMIT).await?;
        reply.json()
    }
}

/// Whether a request asks for parts.
pub(crate) fn is_wanted(route: &Route, parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or("");
    parts.method == Method::GET
        && !route.parts.is_empty()
        && form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == PARAMETER)
}

/// The resource with its parts.
pub(crate) async fn answer(asked: &Asked<'_>, route: &Route, parts: &Parts) -> Result<Response, Problem> {
    let wanted = wanted(route, Parameters::parse(parts.uri.query().unwrap_or("")))?;
    let Value::Object(mut resource) = asked.read(route.upstream, parts.uri.path()).await? else {
        return Err(Problem::internal(format_args!("{} is no object", parts.uri.path())));
    };
    let found = join_all(wanted.iter().map(|part| part.of(asked, &resource))).await;
    let mut unavailable = Vec::new();
    for (part, found) in wanted.iter().zip(found) {
        resource.insert(part.name().to_owned(), or_null(part.name(), found, &mut unavailable));
    }
    resource.insert("unavailable".to_owned(), unavailable.into());
    Ok(composed(Value::Object(resource)))
}

/// A part of an answer that cannot be had.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what missing_part makes")]
pub(crate) struct Unavailable {
    /// Which one.
    part: String,
    /// The name of the problem.
    #[schema(example = "dependency-unavailable")]
    reason: String,
}

/// Says that a part cannot be had, and why.
pub(crate) fn missing_part(part: &str, problem: &Problem) -> Value {
    json!({"part": part, "reason": problem.kind().slug()})
}

/// A part, or `null` with the reason added to what is unavailable.
pub(crate) fn or_null(name: &str, found: Result<Value, Problem>, unavailable: &mut Vec<Value>) -> Value {
    found.unwrap_or_else(|problem| {
        unavailable.push(missing_part(name, &problem));
        Value::Null
    })
}

/// An answer out of several, which has no version of its own.
pub(crate) fn composed(body: Value) -> Response {
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response()
}

/// The parts that the parameter names, each once.
fn wanted(route: &Route, mut parameters: Parameters) -> Result<Vec<Part>, Problem> {
    let read = |text: &str| {
        let named = |name: &str| route.parts.iter().copied().find(|part| part.name() == name);
        let parts: Option<Vec<Part>> = text.split(',').map(named).collect();
        parts.ok_or_else(|| {
            let known = route.parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(",");
            Refusal::new(
                FieldCode::InvalidFormat,
                format!("is {text:?}; name parts out of {known}, separated by commas"),
            )
        })
    };
    let mut parts = parameters.optional(PARAMETER, read).unwrap_or_default();
    parameters.finish()?;
    let mut seen = Vec::new();
    parts.retain(|part| {
        !seen.contains(part) && {
            seen.push(*part);
            true
        }
    });
    Ok(parts)
}

/// Adds the parameter to the description of the operations that know it.
pub(crate) fn describe(api: &mut OpenApi) {
    for route in ROUTES.iter().filter(|route| !route.parts.is_empty()) {
        let Some(operation) = api.paths.paths.get_mut(route.path).and_then(|item| item.get.as_mut()) else { continue };
        let names: Vec<_> = route.parts.iter().map(|part| part.name()).collect();
        let item = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names.clone()));
        let parameter = ParameterBuilder::new()
            .name(PARAMETER)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(format!(
                "What to answer beside the resource, separated by commas: {}. Each is a member of this name, or `null` where it \
                 cannot be had; `unavailable` then says why (`part`, and as `reason` the name of the problem). Such an answer \
                 has no `ETag`.",
                names.join(", ")
            )))
            .schema(Some(ArrayBuilder::new().items(item).min_items(Some(1)).build()))
            .style(Some(utoipa::openapi::path::ParameterStyle::Form))
            .explode(Some(false))
            .build();
        let described = std::mem::take(operation);
        *operation = OperationBuilder::from(described).parameter(parameter).build();
    }
}

/// Whether a problem is a service's, and passes.
pub(crate) fn is_down(problem: &Problem) -> bool {
    let kinds = [Kind::DependencyUnavailable, Kind::Overloaded, Kind::Timeout, Kind::Internal];
    kinds.contains(&problem.kind())
}
