//! A stand-in for the order service: the one route that is called, over a real socket, answering as it is told to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::put;
use clap::Parser;
use service_kit::auth::{Caller, Role, TokenVerifier};
use service_kit::config::{InternalTokenArgs, ServiceArgs};
use service_kit::{Kind, Listeners, Problem, Service};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use test_kit::SECRET;

const NAME: &str = "order-service";

/// How customers are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// As asked for.
    Closes,
    /// An order is open.
    HasOpenOrders,
    /// It has too much to do.
    Fails,
    /// It takes its time, until it is told something else.
    Holds,
}

/// The stand-in, and what it was asked for.
#[derive(Debug)]
pub(crate) struct OrderService {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    stop: CancellationToken,
    served: JoinHandle<Result<(), service_kit::Error>>,
}

#[derive(Debug)]
struct Shared {
    behaviour: watch::Sender<Behaviour>,
    /// The customers that were to be closed, in order.
    asked: Mutex<Vec<String>>,
}

#[derive(Parser)]
struct Only {
    #[command(flatten)]
    service: ServiceArgs,
}

impl OrderService {
    /// Port 0 for any.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (behaviour, _) = watch::channel(Behaviour::Closes);
        let shared = Arc::new(Shared { behaviour, asked: Mutex::default() });
        let tokens =
            InternalTokenArgs { internal_token_secret: SECRET.parse().unwrap(), internal_token_previous_secret: None };
        let service = Service::new(NAME, "0", &Only::parse_from(["test"]).service);
        let service = service.with_verifier(TokenVerifier::new(NAME, &tokens));
        let routes = Router::new().route("/internal/closed-customers/{id}", put(close));
        let (routes, stop) = (routes.with_state(Arc::clone(&shared)), CancellationToken::new());
        let listeners = Listeners { public: listener, admin: None };
        let served = tokio::spawn(service.serve(listeners, routes, stop.clone()));
        OrderService { port, shared, stop, served }
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
    }

    /// The customers that were to be closed so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Waits until it was asked so many times.
    pub(crate) async fn wait_until_asked(&self, times: usize) {
        crate::world::wait_until("the order service is asked", async || self.asked().len() >= times).await;
    }

    /// Goes down: its port refuses connections.
    pub(crate) async fn stop(self) -> u16 {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
        self.port
    }
}

async fn close(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.require(&[Role::Service])?;
    shared.asked.lock().unwrap().push(id);
    let mut told = shared.behaviour.subscribe();
    let behaviour = *told.wait_for(|told| *told != Behaviour::Holds).await.unwrap();
    match behaviour {
        Behaviour::Closes | Behaviour::Holds => Ok(StatusCode::NO_CONTENT),
        Behaviour::HasOpenOrders => Err(Problem::new(Kind::OpenOrders, "2 orders are open; wait for their end")),
        Behaviour::Fails => Err(Problem::new(Kind::Overloaded, "too many requests")),
    }
}
