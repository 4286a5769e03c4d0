//! Processes that are killed in the middle of a deletion or a login.

use reqwest::Method;
use service_kit::auth::{Role, SessionId};
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;

use crate::harness::{Api, PASSWORD, Shop, answer, customer, of};
use crate::order_service::Behaviour;
use crate::process::Process;
use crate::world::World;

/// A customer that is logged in, and whose deletion waits for the order service; with its token.
async fn being_deleted(world: &World, process: &Process) -> String {
    process.api.customer("a@b").await;
    let token = process.api.token("a@b").await;
    world.orders.behave(Behaviour::Holds);
    begin_deletion(&process.api);
    world.orders.wait_until_asked(1).await;
    token
}

fn begin_deletion(api: &Api) {
    let request = api.request(&of(Role::Admin), Method::DELETE, "/customers/1");
    // Its process is killed before it answers.
    tokio::spawn(request.send());
}

/// Starts another process, which is to end what the one before it has begun.
async fn assert_is_finished(world: &World, token: &str) {
    let process = Process::start(world, &[]).await;
    process.api.log_in("a@b", PASSWORD).await.is(401, "unauthenticated");
    assert_eq!(world.closing().await, 1);
    world.let_a_minute_pass().await;
    world.wait_until_nothing_closes().await;
    process.api.get("/customers/1").await.is(404, "not-found");
    process.api.delete("/customers/1").await.is(404, "not-found");
    assert!(!world.is_live(token).await);
    assert_eq!((world.listed_sessions().await, world.stored_sessions().await), (vec![], vec![]));
    assert_eq!(process.api.customer("a@b").await, "/customers/2");
}

async fn begin(connection: &mut PgConnection, lock: &'static str) {
    sqlx::raw_sql("BEGIN").execute(&mut *connection).await.unwrap();
    sqlx::raw_sql(lock).execute(connection).await.unwrap();
}

#[tokio::test]
async fn a_deletion_whose_process_dies_before_the_order_service_has_answered_is_finished_by_another() {
    let world = World::create().await;
    let process = Process::start(&world, &[]).await;
    let token = being_deleted(&world, &process).await;
    process.kill();
    assert!(world.is_live(&token).await);
    world.orders.behave(Behaviour::Closes);
    assert_is_finished(&world, &token).await;
}

#[tokio::test]
async fn a_deletion_whose_process_dies_before_sessions_are_ended_is_finished_by_another() {
    let world = World::create().await;
    let process = Process::start(&world, &[]).await;
    let token = being_deleted(&world, &process).await;
    let mut connection = world.database.connect().await;
    begin(&mut connection, "SELECT FROM customer_service.customers FOR UPDATE").await;
    world.orders.behave(Behaviour::Closes);
    world.wait_until_it_waits_for_a_lock().await;
    process.kill();
    connection.close().await.unwrap();
    assert!(world.is_live(&token).await);
    assert_is_finished(&world, &token).await;
}

#[tokio::test]
async fn a_deletion_whose_process_dies_after_sessions_are_ended_is_finished_by_another() {
    let world = World::create().await;
    let process = Process::start(&world, &[]).await;
    let token = being_deleted(&world, &process).await;
    let mut connection = world.database.connect().await;
    // They are taken off the list once they are ended.
    begin(&mut connection, "SELECT FROM customer_service.sessions FOR UPDATE").await;
    world.orders.behave(Behaviour::Closes);
    world.wait_until_it_waits_for_a_lock().await;
    assert!(!world.is_live(&token).await);
    process.kill();
    connection.close().await.unwrap();
    assert_eq!(world.listed_sessions().await.len(), 1);
    assert_is_finished(&world, &token).await;
}

#[tokio::test]
async fn a_deletion_whose_process_dies_although_an_order_is_open_is_given_up_by_another() {
    let world = World::create().await;
    let process = Process::start(&world, &[]).await;
    let token = being_deleted(&world, &process).await;
    process.kill();
    world.orders.behave(Behaviour::HasOpenOrders);
    let process = Process::start(&world, &[]).await;
    world.let_a_minute_pass().await;
    world.wait_until_nothing_closes().await;
    assert_eq!(process.api.get("/customers/1").await.status, 200);
    assert!(world.is_live(&token).await);
    assert_eq!(process.api.log_in("a@b", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn what_logins_leave_that_died_in_the_middle_is_ended_with_the_others() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    // Listed, and not in DynamoDB; and in DynamoDB, and never told to anybody.
    let sessions = shop.world.sessions().await;
    sessions.put("second", &customer(1, None), Duration::from_secs(60)).await.unwrap();
    for token in ["first", "second"] {
        let insertion = sqlx::query(
            "INSERT INTO customer_service.sessions (token_hash, customer_id, expires_at) VALUES ($1, 1, now() + '1 minute')",
        );
        let hash = SessionId::of_token(token);
        insertion.bind(hash.as_str()).execute(&mut shop.world.database.connect().await).await.unwrap();
    }
    assert!(shop.world.is_live("second").await);
    let changed = answer(shop.sets_password(&of(Role::Admin), &path, None, "another password")).await;
    assert_eq!(changed.status, 204);
    assert_eq!((shop.world.listed_sessions().await, shop.world.stored_sessions().await), (vec![], vec![]));
}
