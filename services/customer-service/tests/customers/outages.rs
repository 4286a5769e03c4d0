//! A database or DynamoDB that is not there, goes and comes back.

use backends::Postgres;
use reqwest::Method;
use serde_json::json;
use service_kit::auth::Role;

use crate::harness::{Answer, PASSWORD, Shop, answer, customer, of};
use crate::world::{World, wait_until};
use test_kit::folder;

fn assert_unavailable(answer: &Answer) {
    answer.is(503, "dependency-unavailable");
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_service_that_lost_its_database_says_so_and_goes_on_when_it_is_back() {
    let folder = folder();
    let data = folder.path().join("data");
    let postgres = Postgres::start(&data, None).await.unwrap();
    postgres.create_database("shop").await.unwrap();
    let world = World::create().await;
    let (port, flags) = (postgres.port(), world.flags_on(&postgres, "shop"));
    postgres.stop().await.unwrap();

    // Started before its database.
    let shop = Shop::start_with(world, &flags).await;
    let readiness = shop.readiness().await;
    assert_eq!((readiness.status, &*readiness.text), (503, "not ready: database\n"));
    let body = json!({"name": "Ann", "email": "a@b", "password": PASSWORD});
    assert_unavailable(&shop.post(&body).await);
    let postgres = Postgres::start(&data, Some(port)).await.unwrap();
    shop.wait_until_ready().await;
    let path = shop.customer("a@b").await;
    let token = shop.token("a@b").await;

    // Lost, then back.
    postgres.stop().await.unwrap();
    assert_unavailable(&shop.get(&path).await);
    assert_unavailable(&shop.log_in("a@b", PASSWORD).await);
    assert_unavailable(&shop.delete(&path).await);
    // Logging out needs DynamoDB alone.
    let log_out = shop.request(&customer(1, Some(&token)), Method::DELETE, "/sessions/current");
    assert_eq!(answer(log_out).await.status, 204);
    assert!(!shop.world.is_live(&token).await);
    let _postgres = Postgres::start(&data, Some(port)).await.unwrap();
    assert_eq!(shop.get(&path).await.status, 200);
    assert_eq!(shop.log_in("a@b", PASSWORD).await.status, 201);
    assert_eq!(shop.delete(&path).await.status, 204);
    shop.stop().await;
}

#[tokio::test]
async fn without_dynamodb_nobody_logs_in_or_out_or_changes_a_password_and_records_are_served() {
    let mut shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let token = shop.token("a@b").await;
    shop.world.stop_dynamodb().await;
    assert_unavailable(&shop.log_in("a@b", PASSWORD).await);
    let change = || answer(shop.api.sets_password(&customer(1, None), &path, Some(PASSWORD), "another password"));
    assert_unavailable(&change().await);
    let log_out = || answer(shop.api.request(&customer(1, Some(&token)), Method::DELETE, "/sessions/current"));
    assert_unavailable(&log_out().await);
    shop.log_in("a@b", "wrong password").await.is(401, "unauthenticated");
    assert_eq!(shop.readiness().await.status, 200);
    assert_eq!(shop.patch(&path, &json!({"name": "Eve"})).await.status, 200);
    shop.customer("bob@b").await;

    shop.world.start_dynamodb().await;
    // The password has not changed, and the session has not ended.
    assert!(shop.world.is_live(&token).await);
    let second = shop.token("a@b").await;
    assert_eq!(
        answer(shop.sets_password(&customer(1, None), &path, Some(PASSWORD), "another password")).await.status,
        204
    );
    assert_eq!([shop.world.is_live(&token).await, shop.world.is_live(&second).await], [false, false]);
    assert_eq!((shop.world.listed_sessions().await, shop.world.stored_sessions().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_deletion_that_dynamodb_interrupts_is_finished_when_it_is_back() {
    let mut shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let token = shop.token("a@b").await;
    shop.world.stop_dynamodb().await;
    assert_unavailable(&shop.delete(&path).await);
    assert_eq!(shop.world.closing().await, 1);
    // Nothing is erased while the session is live.
    assert_eq!(shop.get(&path).await.json()["email"], "a@b");
    shop.world.start_dynamodb().await;
    assert!(shop.world.is_live(&token).await);
    shop.log_in("a@b", PASSWORD).await.is(401, "unauthenticated");
    shop.world.let_a_minute_pass().await;
    shop.world.wait_until_nothing_closes().await;
    shop.get(&path).await.is(404, "not-found");
    assert!(!shop.world.is_live(&token).await);
}

#[tokio::test]
async fn many_logins_that_wait_for_dynamodb_leave_connections_for_others() {
    let mut shop = Shop::start().await;
    shop.customer("a@b").await;
    shop.warm_up().await;
    let _silent = shop.world.let_dynamodb_hang().await;
    let logins = crate::harness::all((0..16).map(|_| shop.logs_in("a@b", PASSWORD)));
    let reads = async {
        // Sessions are listed before they are put into DynamoDB.
        wait_until("half of the connections wait", async || shop.world.listed_sessions().await.len() >= 8).await;
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(shop.get("/customers/1").await);
        }
        answers
    };
    let (logins, reads) = tokio::join!(logins, reads);
    logins.iter().for_each(assert_unavailable);
    assert_eq!(crate::harness::count(&reads, 200), 20, "{reads:?}");
}

#[tokio::test]
async fn the_operator_sees_how_many_connections_there_are() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    let metrics = shop.metrics().await;
    let has = |start: &str| metrics.lines().any(|line| line.starts_with(start) && !line.ends_with(" 0"));
    assert!(has("database_connections_open "), "{metrics}");
    assert!(has(
        "http_requests_total{service=\"customer-service\",method=\"POST\",route=\"/customers\",status=\"201\"}"
    ));
    assert_eq!(answer(shop.request(&of(Role::Admin), Method::GET, "/customers")).await.status, 200);
    shop.stop().await;
}
