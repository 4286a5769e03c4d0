//! The service of one test and a client of it.

use clap::Parser as _;
use customer_service::{Args, NAME};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role, SessionId};
use service_kit::{Error, Id, Listeners};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::{World, wait_until};

pub(crate) use test_kit::{Answer, MAX_CONNECTIONS, SECRET, all, answer, authorization, count};

/// The password of customers that tests make.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A customer by its id, logged in by this token where there is one.
pub(crate) fn customer(id: i64, token: Option<&str>) -> Caller {
    Caller {
        customer_id: Id::new(id),
        session: token.map(SessionId::of_token),
        ..Caller::new(format!("customer-{id}"), Role::Customer)
    }
}

pub(crate) fn of(role: Role) -> Caller {
    Caller::new("test", role)
}

/// A client of a service, however it runs.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) base: String,
    client: Client,
}

impl Api {
    pub(crate) fn at(base: String) -> Self {
        Api { base, client: Client::new() }
    }

    /// A request without anything that it needs.
    pub(crate) fn anyones(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// A request of somebody.
    pub(crate) fn request(&self, caller: &Caller, method: Method, path: &str) -> RequestBuilder {
        self.anyones(method, path).header(AUTHORIZATION, authorization(NAME, SECRET, caller))
    }

    /// The same, with a body.
    pub(crate) fn sends(&self, caller: &Caller, method: Method, path: &str, body: &Value) -> RequestBuilder {
        self.request(caller, method, path).header(CONTENT_TYPE, "application/json").body(body.to_string())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(&of(Role::Admin), Method::GET, path)).await
    }

    pub(crate) fn posts(&self, body: &Value) -> RequestBuilder {
        self.sends(&Caller::anonymous(), Method::POST, "/customers", body)
    }

    pub(crate) async fn post(&self, body: &Value) -> Answer {
        answer(self.posts(body)).await
    }

    pub(crate) async fn put(&self, path: &str, etag: &str, body: &Value) -> Answer {
        answer(self.sends(&of(Role::Admin), Method::PUT, path, body).header(IF_MATCH, etag)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        answer(self.sends(&of(Role::Admin), Method::PATCH, path, body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request(&of(Role::Admin), Method::DELETE, path)).await
    }

    /// Makes a customer, and returns its path.
    pub(crate) async fn customer(&self, email: &str) -> String {
        let made = self.post(&json!({"name": "Ann", "email": email, "password": PASSWORD})).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.header("location").to_owned()
    }

    pub(crate) fn logs_in(&self, email: &str, password: &str) -> RequestBuilder {
        let body = json!({"email": email, "password": password});
        self.sends(&Caller::anonymous(), Method::POST, "/sessions", &body)
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> Answer {
        answer(self.logs_in(email, password)).await
    }

    /// The token of a login that succeeds.
    pub(crate) async fn token(&self, email: &str) -> String {
        let session = self.log_in(email, PASSWORD).await;
        assert_eq!(session.status, 201, "{session:?}");
        session.json()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn sets_password(
        &self,
        caller: &Caller,
        path: &str,
        current: Option<&str>,
        new: &str,
    ) -> RequestBuilder {
        let mut body = json!({"password": new});
        if let Some(current) = current {
            body["current_password"] = json!(current);
        }
        self.sends(caller, Method::PUT, &format!("{path}/password"), &body)
    }

    pub(crate) async fn readiness(&self) -> Answer {
        answer(self.anyones(Method::GET, "/readyz")).await
    }

    pub(crate) async fn wait_until_ready(&self) {
        wait_until("it is ready", async || self.readiness().await.status == 200).await;
    }
}

/// A running service.
pub(crate) struct Shop {
    pub(crate) api: Api,
    admin: Api,
    stop: CancellationToken,
    served: JoinHandle<Result<(), Error>>,
    pub(crate) world: World,
}

impl std::ops::Deref for Shop {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Shop {
    /// A service that is ready.
    pub(crate) async fn start() -> Self {
        Shop::with(&[]).await
    }

    /// The same, with these flags.
    pub(crate) async fn with(flags: &[&str]) -> Self {
        let world = World::create().await;
        let mut all = world.flags();
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let shop = Shop::start_with(world, &all).await;
        shop.wait_until_ready().await;
        shop
    }

    /// A service with these flags alone, ready or not.
    pub(crate) async fn start_with(world: World, flags: &[String]) -> Self {
        let args = Args::try_parse_from(std::iter::once(&NAME.to_owned()).chain(flags)).unwrap();
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = |listener: &TcpListener| Api::at(format!("http://{}", listener.local_addr().unwrap()));
        let (public_api, admin_api) = (api(&public), api(&admin));
        let stop = CancellationToken::new();
        let listeners = Listeners { public, admin: Some(admin) };
        let served = tokio::spawn(customer_service::run(args, listeners, stop.clone()));
        Shop { api: public_api, admin: admin_api, stop, served, world }
    }

    /// Opens connections to the database, so that requests which come at once also run at once. Not all in one go: without
    /// optimisation the handshake of each takes long enough for many of them to miss the time limit together.
    pub(crate) async fn warm_up(&self) {
        for requests in 2..=MAX_CONNECTIONS {
            let answers = all((0..requests).map(|_| self.request(&of(Role::Admin), Method::GET, "/customers"))).await;
            assert_eq!(count(&answers, 200), requests, "{answers:?}");
        }
    }

    /// What the operator reads.
    pub(crate) async fn metrics(&self) -> String {
        answer(self.admin.anyones(Method::GET, "/metrics")).await.text
    }

    /// The number of a line of the metrics; 0 where there is none.
    pub(crate) async fn metric(&self, line: &str) -> u64 {
        let metrics = self.metrics().await;
        let value = metrics.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    pub(crate) fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// Whether anybody answers.
    pub(crate) async fn is_reachable(&self) -> bool {
        self.anyones(Method::GET, "/healthz").send().await.is_ok()
    }

    /// Stops it, and waits for its end.
    pub(crate) async fn stop(self) -> World {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
        self.world
    }
}
