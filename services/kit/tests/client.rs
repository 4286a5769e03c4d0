//! Calls to other services, over real sockets: who calls, what is sent again, and what of an answer is told on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, Method};
use axum::routing::any;
use axum::{Json, Router};
use clap::Parser;
use schemas::FieldCode;
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role, TokenVerifier};
use service_kit::client::{self, Peer, Reply};
use service_kit::config::{InternalTokenArgs, Secret, ServiceArgs};
use service_kit::{Kind, Listeners, Problem, RequestContext, Service};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const NAME: &str = "product-catalog";
const LIMIT: Duration = Duration::from_secs(5);

fn secret() -> Secret {
    "a-secret-of-internal-tokens-for-tests".parse().unwrap()
}

fn peer(address: &str) -> Peer {
    Peer::new(NAME, format!("http://{address}").parse().unwrap(), &secret(), client::new().unwrap())
}

#[derive(Parser)]
struct Only {
    #[command(flatten)]
    service: ServiceArgs,
}

/// A service that answers every request with what `answer` makes of the number of requests before it.
async fn serving(answer: fn(u32, Caller, HeaderMap) -> Result<Json<Value>, Problem>) -> (Peer, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let counting = Arc::clone(&count);
    let handler = move |caller: Caller, headers: HeaderMap| {
        let number = counting.fetch_add(1, Ordering::Relaxed);
        async move { answer(number, caller, headers) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = peer(&listener.local_addr().unwrap().to_string());
    let tokens = InternalTokenArgs { internal_token_secret: secret(), internal_token_previous_secret: None };
    let service = Service::new(NAME, "0", &Only::parse_from(["test"]).service);
    let service = service.with_verifier(TokenVerifier::new(NAME, &tokens));
    let listeners = Listeners { public: listener, admin: None };
    tokio::spawn(service.serve(listeners, Router::new().route("/thing", any(handler)), CancellationToken::new()));
    (peer, count)
}

async fn call(peer: &Peer, limit: Duration) -> Result<Reply, Problem> {
    let context = RequestContext::of_our_own();
    peer.call(Method::PUT, "/thing", Some(&json!({})), &Caller::new("orders", Role::Service), &context, limit).await
}

#[tokio::test]
async fn the_service_learns_who_calls_and_in_which_request() {
    let (peer, _) = serving(|_, caller, headers| {
        Ok(Json(json!({"caller": caller, "request": headers["x-request-id"].to_str().unwrap()})))
    })
    .await;
    let context = RequestContext::of_our_own();
    let caller = Caller::new("orders", Role::Service);
    let reply = peer.call(Method::GET, "/thing", None, &caller, &context, LIMIT).await.unwrap();
    let seen: Value = reply.json().unwrap();
    assert_eq!(seen, json!({"caller": {"sub": "orders", "role": "service"}, "request": context.request_id}));
}

#[tokio::test]
async fn a_call_is_sent_again_while_the_service_cannot_answer() {
    let (peer, count) = serving(|number, _, _| match number {
        0 | 1 => Err(Problem::new(Kind::Overloaded, "later")),
        _ => Ok(Json(json!({"number": number}))),
    })
    .await;
    let answered: Value = call(&peer, LIMIT).await.unwrap().json().unwrap();
    assert_eq!((answered, count.load(Ordering::Relaxed)), (json!({"number": 2}), 3));
}

#[tokio::test]
async fn what_the_client_has_to_change_is_told_at_once_with_its_own_members_and_without_faults_of_a_body_that_is_ours()
{
    let (peer, count) = serving(|_, _, _| {
        Err(Problem::new(Kind::InsufficientStock, "2 are in stock").with("available", 2).with("errors", json!([])))
    })
    .await;
    let problem = call(&peer, LIMIT).await.unwrap().json::<Value>().unwrap_err();
    assert_eq!((problem.kind(), count.load(Ordering::Relaxed)), (Kind::InsufficientStock, 1));
    let told = format!("{problem:?}");
    assert!(told.contains("2 are in stock") && told.contains("available") && !told.contains("errors"), "{told}");
    let (peer, _) = serving(|_, _, _| Err(Problem::parameter("limit", FieldCode::Unknown, "is none"))).await;
    let problem = call(&peer, LIMIT).await.unwrap().problem();
    assert_eq!(problem.kind(), Kind::MalformedRequest);
    assert!(format!("{problem:?}").contains("\"limit\""));
}

#[tokio::test]
async fn that_a_service_does_not_know_us_or_answers_nonsense_is_our_defect_and_not_the_clients() {
    let (peer, _) = serving(|_, caller, _| caller.require(&[Role::Admin]).map(|()| Json(json!({})))).await;
    assert_eq!(call(&peer, LIMIT).await.unwrap().problem().kind(), Kind::Internal);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nonsense = peer_of(&listener);
    let routes = Router::new().fallback(any(|| async { (axum::http::StatusCode::CONFLICT, "what?") }));
    tokio::spawn(axum::serve(listener, routes).into_future());
    assert_eq!(call(&nonsense, LIMIT).await.unwrap().problem().kind(), Kind::Internal);
}

fn peer_of(listener: &TcpListener) -> Peer {
    peer(&listener.local_addr().unwrap().to_string())
}

#[tokio::test]
async fn a_service_that_is_down_or_says_nothing_is_unavailable_when_the_limit_is_reached() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let down = peer_of(&closed);
    drop(closed);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for peer in [down, peer_of(&silent)] {
        let problem = call(&peer, Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(problem.kind(), Kind::DependencyUnavailable);
    }
}
