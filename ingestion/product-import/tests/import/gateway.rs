//! A gateway that fails as it is told to. Where it does not, it does what the real one does for an import: it judges rows, and
//! knows a request again by its key. (That the real one does is in `catalog.rs`.)

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::serve::{Server, serve};

pub(crate) const TOKEN: &str = "the-token-of-tests";

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// This status in place of any work, and so many seconds to wait.
    Status(u16, Option<u64>),
    /// The product is made, and this status says nothing of it.
    StatusAfter(u16),
    /// The connection breaks off before any work.
    CutBefore,
    /// The product is made, and the connection breaks off.
    CutAfter,
}

/// Which request, counted from 0, meets which fault.
type Plan = Box<dyn Fn(u64) -> Fault + Send + Sync>;

#[derive(Clone)]
pub(crate) struct FakeGateway {
    state: Arc<State>,
    server: Arc<Server>,
}

struct State {
    /// Bodies by idempotency key.
    products: Mutex<HashMap<String, Bytes>>,
    made: Mutex<Vec<Value>>,
    requests: watch::Sender<u64>,
    plan: Mutex<Plan>,
    delay_millis: AtomicU64,
    /// Requests in work, and the most there were.
    in_work: AtomicU64,
    most_in_work: AtomicU64,
    /// Whether nothing is remembered, for files of any length.
    is_forgetful: bool,
}

impl FakeGateway {
    pub(crate) async fn start() -> Self {
        Self::start_with(false).await
    }

    /// One that makes every product anew, and only counts them.
    pub(crate) async fn forgetful() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(is_forgetful: bool) -> Self {
        let state = Arc::new(State {
            products: Mutex::default(),
            made: Mutex::default(),
            requests: watch::Sender::new(0),
            plan: Mutex::new(Box::new(|_| Fault::None)),
            delay_millis: AtomicU64::new(0),
            in_work: AtomicU64::new(0),
            most_in_work: AtomicU64::new(0),
            is_forgetful,
        });
        let answering = Arc::clone(&state);
        let server = serve(move |request| Arc::clone(&answering).handle(request)).await;
        FakeGateway { state, server: Arc::new(server) }
    }

    pub(crate) fn url(&self) -> Url {
        format!("http://{}", self.server.address).parse().unwrap()
    }

    pub(crate) fn fail(&self, plan: impl Fn(u64) -> Fault + Send + Sync + 'static) {
        *self.state.plan.lock().unwrap() = Box::new(plan);
    }

    /// The request after those so far meets this fault, and no other one does.
    pub(crate) fn fail_next(&self, fault: Fault) {
        let next = self.requests();
        self.fail(move |request| if request == next { fault } else { Fault::None });
    }

    pub(crate) fn heal(&self) {
        self.fail(|_| Fault::None);
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.state.delay_millis.store(delay.as_millis().try_into().unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> u64 {
        *self.state.requests.borrow()
    }

    /// Waits until so many requests have come.
    pub(crate) async fn wait_for_requests(&self, count: u64) {
        self.state.requests.subscribe().wait_for(|requests| *requests >= count).await.unwrap();
    }

    pub(crate) fn most_in_work(&self) -> u64 {
        self.state.most_in_work.load(Ordering::Relaxed)
    }

    /// Every product that was made, in the order of their making.
    pub(crate) fn made(&self) -> Vec<Value> {
        self.state.made.lock().unwrap().clone()
    }

    /// The names of the products, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.made().iter().map(|product| product["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

impl State {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let in_work = self.in_work.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_work.fetch_max(in_work, Ordering::Relaxed);
        let answer = self.answer(request).await;
        self.in_work.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (authorization, key) = (header("authorization"), header("idempotency-key"));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        let mut number = 0;
        self.requests.send_modify(|requests| {
            number = *requests;
            *requests += 1;
        });
        let fault = (self.plan.lock().unwrap())(number);
        let delay = self.delay_millis.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        match fault {
            Fault::CutBefore => return Err(io::ErrorKind::ConnectionAborted.into()),
            Fault::Status(status, wait) => return Ok(problem(status, "made-for-a-test", "as planned", &[], wait)),
            Fault::None | Fault::StatusAfter(_) | Fault::CutAfter => {}
        }
        if (method.as_str(), path.as_str()) != ("POST", "/products") {
            return Ok(problem(404, "not-found", "there is no such thing", &[], None));
        }
        if authorization.as_deref() != Some(&format!("Bearer {TOKEN}")) {
            return Ok(problem(401, "unauthenticated", "the token is not known", &[], None));
        }
        let answer = self.make(&key.unwrap(), body);
        match fault {
            Fault::CutAfter => Err(io::ErrorKind::ConnectionAborted.into()),
            Fault::StatusAfter(status) => Ok(problem(status, "made-for-a-test", "as planned", &[], None)),
            _ => Ok(answer),
        }
    }

    fn make(&self, key: &str, body: Bytes) -> Response<Full<Bytes>> {
        if self.is_forgetful {
            return response(201, &json!({"id": "1"}));
        }
        assert!(key.len() == 68 && key.starts_with("csv-"), "{key}");
        let product: Value = serde_json::from_slice(&body).unwrap();
        let faults = faults(&product);
        if !faults.is_empty() {
            return problem(422, "validation-failed", "see errors", &faults, None);
        }
        let mut products = self.products.lock().unwrap();
        match products.get(key) {
            Some(earlier) if *earlier == body => {
                let mut answer = response(201, &product);
                answer.headers_mut().insert("idempotency-replayed", "true".parse().unwrap());
                answer
            }
            Some(_) => problem(422, "idempotency-key-reused", "the key came with another body", &[], None),
            None => {
                products.insert(key.to_owned(), body);
                self.made.lock().unwrap().push(product.clone());
                response(201, &product)
            }
        }
    }
}

/// What the real gateway finds wrong with the values of tests.
fn faults(product: &Value) -> Vec<Value> {
    let fault = |name: &str, code: &str, detail: &str| json!({"pointer": format!("/{name}"), "code": code, "detail": format!("{name} {detail}")});
    let mut faults = Vec::new();
    match product["name"].as_str() {
        None => faults.push(fault("name", "required", "is required")),
        Some(name) if name.chars().count() > 200 => faults.push(fault("name", "too_long", "has too many characters")),
        Some(_) => {}
    }
    match product["price"].as_str() {
        None => faults.push(fault("price", "required", "is required")),
        Some(price) if !is_amount(price) => faults.push(fault("price", "invalid_format", "must be an amount")),
        Some(_) => {}
    }
    if product.get("stock_quantity").is_some_and(|quantity| !quantity.is_number()) {
        faults.push(fault("stock_quantity", "wrong_type", "must be an integer"));
    }
    faults
}

pub(crate) fn is_amount(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(whole) && is_number(fraction) && fraction.len() <= 2
}

fn problem(status: u16, slug: &str, detail: &str, errors: &[Value], wait: Option<u64>) -> Response<Full<Bytes>> {
    let mut body = json!({"type": format!("/problems/{slug}"), "status": status, "detail": detail});
    if !errors.is_empty() {
        body["errors"] = errors.into();
    }
    let mut answer = response(status, &body);
    if let Some(wait) = wait {
        answer.headers_mut().insert("retry-after", wait.into());
    }
    answer
}

fn response(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let answer = Response::builder().status(status).header("content-type", "application/json");
    answer.body(Full::new(body.to_string().into())).unwrap()
}
