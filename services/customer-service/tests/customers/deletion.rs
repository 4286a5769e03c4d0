//! Deleting a customer.

use reqwest::Method;
use serde_json::json;
use service_kit::auth::Role;

use crate::harness::{PASSWORD, Shop, all, answer, count, customer, of};
use crate::order_service::{Behaviour, OrderService};
use crate::world::wait_until;

#[tokio::test]
async fn a_deleted_customer_is_nowhere_its_sessions_have_ended_and_its_row_is_empty() {
    let shop = Shop::start().await;
    let body = json!({"name": "Ann", "email": "ann@b", "phone": "123", "address": "Rome", "password": PASSWORD});
    let keyed = || answer(shop.posts(&body).header("idempotency-key", "key"));
    assert_eq!(keyed().await.status, 201);
    let (path, token) = ("/customers/1", shop.token("ann@b").await);
    shop.customer("bob@b").await;
    let bobs = shop.token("bob@b").await;
    let ann = customer(1, Some(&token));
    let deleted = answer(shop.request(&ann, Method::DELETE, path)).await;
    assert_eq!((deleted.status, &*deleted.text), (204, ""), "{deleted:?}");
    assert_eq!(shop.world.orders.asked(), ["1"]);
    assert_eq!([shop.world.is_live(&token).await, shop.world.is_live(&bobs).await], [false, true]);

    for caller in [of(Role::Admin), ann] {
        answer(shop.request(&caller, Method::GET, path)).await.is(404, "not-found");
        answer(shop.sends(&caller, Method::PATCH, path, &json!({"name": "Eve"}))).await.is(404, "not-found");
        answer(shop.request(&caller, Method::DELETE, path)).await.is(404, "not-found");
        answer(shop.sets_password(&caller, path, Some(PASSWORD), PASSWORD)).await.is(404, "not-found");
    }
    shop.put(path, "*", &json!({"name": "Eve", "email": "e@b"})).await.is(404, "not-found");
    shop.log_in("ann@b", PASSWORD).await.is(401, "unauthenticated");
    let erased = "SELECT count(*) FROM customer_service.customers WHERE id = 1 AND name = '' AND phone = ''
                  AND address = '' AND email IS NULL AND folded_email IS NULL AND password_hash IS NULL";
    assert_eq!(shop.world.number(erased).await, 1);
    // What was answered when it was made is forgotten as well, and its address is free.
    assert_eq!(shop.world.number("SELECT count(*) FROM customer_service.idempotency_keys").await, 0);
    let again = keyed().await;
    assert_eq!(
        (again.status, again.header("location"), again.header("idempotency-replayed")),
        (201, "/customers/3", "")
    );
}

#[tokio::test]
async fn a_customer_with_an_open_order_stays_as_it_is_until_the_order_has_ended() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let token = shop.token("a@b").await;
    shop.world.orders.behave(Behaviour::HasOpenOrders);
    let refused = answer(shop.request(&customer(1, Some(&token)), Method::DELETE, &path)).await;
    refused.is(409, "open-orders");
    assert_eq!(refused.json()["detail"], "2 orders are open; wait for their end");
    assert_eq!(shop.world.closing().await, 0);
    assert!(shop.world.is_live(&token).await);
    assert_eq!(shop.get(&path).await.etag(), "\"1\"");
    assert_eq!(shop.log_in("a@b", PASSWORD).await.status, 201);
    shop.world.orders.behave(Behaviour::Closes);
    assert_eq!(shop.delete(&path).await.status, 204);
    assert_eq!(shop.world.stored_sessions().await, [""; 0]);
}

#[tokio::test]
async fn no_session_begins_while_a_customer_is_being_deleted() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let token = shop.token("a@b").await;
    shop.world.orders.behave(Behaviour::Holds);
    let deleting = tokio::spawn(answer(shop.request(&of(Role::Admin), Method::DELETE, &path)));
    shop.world.orders.wait_until_asked(1).await;
    shop.log_in("a@b", PASSWORD).await.is(401, "unauthenticated");
    // The others go on until it is known that the customer may go.
    assert!(shop.world.is_live(&token).await);
    assert_eq!(shop.get(&path).await.status, 200);
    // A slow order service is waited for.
    shop.world.orders.behave(Behaviour::Closes);
    assert_eq!(deleting.await.unwrap().status, 204);
    assert!(!shop.world.is_live(&token).await);
    assert_eq!(shop.world.stored_sessions().await, [""; 0]);
}

#[tokio::test]
async fn a_deletion_goes_on_although_its_client_hangs_up() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    shop.world.orders.behave(Behaviour::Holds);
    let deleting = tokio::spawn(answer(shop.request(&of(Role::Admin), Method::DELETE, &path)));
    shop.world.orders.wait_until_asked(1).await;
    deleting.abort();
    assert!(deleting.await.unwrap_err().is_cancelled());
    shop.world.orders.behave(Behaviour::Closes);
    shop.world.wait_until_nothing_closes().await;
    shop.get(&path).await.is(404, "not-found");
    // Nobody had to finish it.
    assert_eq!(shop.world.orders.asked(), ["1"]);
}

#[tokio::test]
async fn a_service_that_stops_ends_what_it_was_asked_for_before() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    shop.world.orders.behave(Behaviour::Holds);
    let deleting = tokio::spawn(answer(shop.request(&of(Role::Admin), Method::DELETE, &path)));
    shop.world.orders.wait_until_asked(1).await;
    deleting.abort();
    assert!(deleting.await.unwrap_err().is_cancelled());
    shop.tell_to_stop();
    // Nobody is served any more, and the deletion still goes on.
    wait_until("it takes no requests", async || !shop.is_reachable().await).await;
    assert_eq!(shop.world.closing().await, 1);
    shop.world.orders.behave(Behaviour::Closes);
    let world = shop.stop().await;
    assert_eq!((world.closing().await, world.orders.asked().len()), (0, 1));
}

#[tokio::test]
async fn deletions_of_one_customer_at_once_delete_it_once() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    for round in 1..=5 {
        let path = shop.customer(&format!("a{round}@b")).await;
        shop.token(&format!("a{round}@b")).await;
        let answers = all((0..6).map(|_| shop.request(&of(Role::Admin), Method::DELETE, &path))).await;
        assert!(count(&answers, 204) >= 1, "{answers:?}");
        assert_eq!(count(&answers, 204) + count(&answers, 404), 6, "{answers:?}");
    }
    assert_eq!(shop.world.stored_sessions().await, [""; 0]);
}

#[tokio::test]
async fn an_attempt_that_was_overtaken_gives_nothing_up() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    shop.world.orders.behave(Behaviour::Holds);
    let first = tokio::spawn(answer(shop.request(&of(Role::Admin), Method::DELETE, &path)));
    shop.world.orders.wait_until_asked(1).await;
    // As if another replica had taken it up meanwhile.
    shop.world.execute("UPDATE customer_service.customers SET closing_attempt = closing_attempt + 1").await;
    shop.world.orders.behave(Behaviour::HasOpenOrders);
    first.await.unwrap().is(409, "open-orders");
    assert_eq!(shop.world.closing().await, 1);
}

#[tokio::test]
async fn what_could_not_be_deleted_now_is_deleted_when_the_order_service_is_back() {
    let mut shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let token = shop.token("a@b").await;
    let down = std::mem::replace(&mut shop.world.orders, OrderService::start(0).await);
    let port = down.stop().await;
    let unavailable = shop.delete(&path).await;
    unavailable.is(503, "dependency-unavailable");
    assert!(!unavailable.header("retry-after").is_empty());
    assert_eq!(shop.world.closing().await, 1);
    shop.log_in("a@b", PASSWORD).await.is(401, "unauthenticated");
    shop.world.orders = OrderService::start(port).await;
    shop.world.let_a_minute_pass().await;
    shop.world.wait_until_nothing_closes().await;
    shop.get(&path).await.is(404, "not-found");
    assert!(!shop.world.is_live(&token).await);
}

#[tokio::test]
async fn a_deletion_that_somebody_went_on_with_in_the_last_minute_is_left_alone() {
    let shop = Shop::start().await;
    let paths = [shop.customer("a@b").await, shop.customer("c@d").await, shop.customer("e@f").await];
    shop.world.orders.behave(Behaviour::Fails);
    for path in &paths[..2] {
        shop.delete(path).await.is(503, "dependency-unavailable");
    }
    let of_second = || shop.world.orders.asked().iter().filter(|id| *id == "2").count();
    let before = of_second();
    shop.world.orders.behave(Behaviour::Closes);
    let age = "UPDATE customer_service.customers SET closing_at = closing_at - interval '61 seconds' WHERE id = 1";
    shop.world.execute(age).await;
    wait_until("the first is finished", async || shop.world.closing().await == 1).await;
    // The next one takes so long that the finisher looks again meanwhile.
    shop.world.orders.behave(Behaviour::Fails);
    shop.delete(&paths[2]).await.is(503, "dependency-unavailable");
    assert_eq!(of_second(), before);
    assert_eq!(shop.world.closing().await, 2);
}

#[tokio::test]
async fn the_client_may_ask_again_for_a_deletion_that_was_interrupted() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    shop.world.orders.behave(Behaviour::Fails);
    shop.delete(&path).await.is(503, "dependency-unavailable");
    shop.world.orders.behave(Behaviour::Closes);
    assert_eq!(shop.delete(&path).await.status, 204);
    shop.delete(&path).await.is(404, "not-found");
}

#[tokio::test]
async fn a_deletion_that_was_interrupted_is_given_up_where_an_order_is_open() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    shop.world.orders.behave(Behaviour::Fails);
    shop.delete(&path).await.is(503, "dependency-unavailable");
    shop.world.orders.behave(Behaviour::HasOpenOrders);
    shop.world.let_a_minute_pass().await;
    shop.world.wait_until_nothing_closes().await;
    assert_eq!(shop.get(&path).await.status, 200);
    assert_eq!(shop.log_in("a@b", PASSWORD).await.status, 201);
}
