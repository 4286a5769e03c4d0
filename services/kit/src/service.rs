//! A service: what its parts share, the layers around its routes, and how it is served until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use prometheus_client::registry::Registry;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::TokenVerifier;
use crate::config::ServiceArgs;
use crate::listener::ClosingListener;
use crate::metrics::HttpMetrics;
use crate::request::identify;
use crate::{Error, Kind, Problem, Readiness, metrics};

/// How long a service that takes no more connections answers on those that it has: a client that has just connected is about
/// to send its request. None of it where nobody is to be given time (`DRAIN_DELAY` is 0).
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Where a service listens.
#[derive(Debug)]
pub struct Listeners {
    /// For requests.
    pub public: TcpListener,
    /// For the operator: metrics and health.
    pub admin: Option<TcpListener>,
}

/// A service's name and version, as log lines and metrics carry them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// What the parts of one service share.
#[derive(Debug)]
pub struct Service {
    named: Named,
    args: ServiceArgs,
    readiness: Readiness,
    registry: Registry,
    verifier: Option<TokenVerifier>,
    layers: Layers,
}

/// Layers of a service's own.
struct Layers(Option<Box<dyn FnOnce(Router) -> Router + Send>>);

impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Layers").field(&self.0.is_some()).finish()
    }
}

impl Service {
    /// A service of this name and version that is served as `args` say.
    #[must_use]
    pub fn new(name: &'static str, version: &'static str, args: &ServiceArgs) -> Self {
        Service {
            named: Named { name, version },
            args: args.clone(),
            readiness: Readiness::default(),
            registry: Registry::default(),
            verifier: None,
            layers: Layers(None),
        }
    }

    /// From now on, [`Caller`](crate::auth::Caller)s are who internal tokens say they are.
    #[must_use]
    pub fn with_verifier(mut self, verifier: TokenVerifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Puts layers of the service's own around everything that it answers, errors included.
    #[must_use]
    pub fn with_layers(mut self, layers: impl FnOnce(Router) -> Router + Send + 'static) -> Self {
        self.layers = Layers(Some(Box::new(layers)));
        self
    }

    /// What decides whether it is ready.
    #[must_use]
    pub const fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Where its parts register their metrics.
    pub const fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Serves `routes` until `stop`, then lets requests in work end.
    ///
    /// # Errors
    /// Where the listener fails, or requests in work did not end in time.
    pub async fn serve(mut self, listeners: Listeners, routes: Router, stop: CancellationToken) -> Result<(), Error> {
        let http = HttpMetrics::register(&mut self.registry, self.named.name);
        let (app, readiness) = (self.layered(routes, http), self.readiness.clone());
        let address = local_address(&listeners.public)?;
        let admin_address = listeners.admin.as_ref().map(local_address).transpose()?;
        let (registry, stop_admin) = (Arc::new(self.registry), CancellationToken::new());
        let admin = listeners.admin.map(|listener| {
            let routes = metrics::router(Arc::clone(&registry)).merge(readiness.router());
            let server = axum::serve(listener, routes).with_graceful_shutdown(stop_admin.clone().cancelled_owned());
            tokio::spawn(server.into_future())
        });
        let Named { name, version } = self.named;
        tracing::info!(
            service = name,
            version,
            %address,
            admin_address = admin_address.map(|address| address.to_string()),
            "serving"
        );

        let (close, stopped) = (CancellationToken::new(), CancellationToken::new());
        let (begin_drain, drain_delay) = (stop.clone(), self.args.drain_delay);
        let drain = {
            let (close, stopped) = (close.clone(), stopped.clone());
            async move {
                begin_drain.cancelled().await;
                readiness.drain();
                tracing::info!(service = name, "draining");
                tokio::time::sleep(drain_delay).await;
                close.cancel();
                tokio::time::sleep(LAST_REQUESTS.min(drain_delay)).await;
                stopped.cancel();
            }
        };
        let client_timeout = u32::try_from(self.args.client_timeout.as_millis()).unwrap_or(u32::MAX);
        let listener = ClosingListener::new(listeners.public, close)
            .map_err(|error| Error::Failed(format!("the listener has no address: {error}")))?;
        let listener = listener.tap_io(move |stream| {
            // Answers go out at once: they are written whole.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection stays slow");
            }
            // Nobody polls an answer while its client takes nothing, so only the system notices (RFC 5482).
            if let Err(error) = set_tcp_user_timeout(&*stream, client_timeout) {
                tracing::debug!(%error, "a connection may hang");
            }
        });
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let server = axum::serve(listener, app).with_graceful_shutdown(drain);
        let limit = async {
            stopped.cancelled().await;
            tokio::time::sleep(self.args.drain_timeout).await;
        };
        let result = tokio::select! {
            result = server.into_future() => result.map_err(|error| Error::Failed(format!("{name} stopped: {error}"))),
            () = limit => Err(Error::Failed(format!(
                "{name} stopped with requests in work after {:?}; raise DRAIN_TIMEOUT",
                self.args.drain_timeout
            ))),
        };
        stop_admin.cancel();
        if let Some(admin) = admin
            && let Err(error) = admin.await
        {
            tracing::warn!(service = name, %error, "the admin server failed");
        }
        tracing::info!(service = name, "stopped");
        result
    }

    /// From the inside out: time limit, load shedding, panics, a service's own, drain, metrics, ids.
    fn layered(&mut self, routes: Router, http: HttpMetrics) -> Router {
        let in_flight = InFlight(Arc::new(Semaphore::new(self.args.max_in_flight)));
        let verifier = self.verifier.take().map(Arc::new);
        let know_callers = move |mut request: Request, next: Next| {
            if let Some(verifier) = &verifier {
                request.extensions_mut().insert(Arc::clone(verifier));
            }
            next.run(request)
        };
        let own = self.layers.0.take().unwrap_or_else(|| Box::new(|routes| routes));
        let routes = routes
            .fallback(no_such_route)
            .method_not_allowed_fallback(no_such_method)
            .merge(self.readiness.router())
            .layer(from_fn(know_callers))
            .layer(from_fn_with_state(self.args.request_timeout, limit_time))
            .layer(from_fn_with_state(in_flight, shed_load))
            .layer(CatchPanicLayer::custom(answer_panic));
        own(routes)
            .layer(from_fn_with_state(self.readiness.clone(), part))
            .layer(from_fn_with_state(http, metrics::measure))
            .layer(from_fn_with_state(self.named, identify))
    }
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|error| Error::Failed(format!("the listener has no address: {error}")))
}

async fn no_such_route(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at {}; see /docs for what there is", request.uri().path()))
}

async fn no_such_method(request: Request) -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        format!("{} cannot be used with {}; see the Allow header", request.uri().path(), request.method()),
    )
}

#[derive(Clone, Debug)]
struct InFlight(Arc<Semaphore>);

async fn shed_load(State(InFlight(permits)): State<InFlight>, request: Request, next: Next) -> Response {
    let Ok(_permit) = permits.try_acquire() else {
        return Problem::new(Kind::Overloaded, "too many requests are in work; try again in a moment").into_response();
    };
    next.run(request).await
}

/// Tells clients of a service that is about to stop to open their next connection elsewhere: one that is closed while it is
/// idle may have a request on its way.
async fn part(State(readiness): State<Readiness>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if readiness.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn limit_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        Problem::new(Kind::Timeout, format!("there was no answer within {} s", limit.as_secs_f32())).into_response()
    })
}

// The layer hands the panic over by value.
#[allow(clippy::needless_pass_by_value)]
fn answer_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(format_args!("panic: {}", text.unwrap_or("without a text"))).into_response()
}
