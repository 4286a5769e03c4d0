//! Logging in and out.

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Method;
use schemas::EventTime;
use serde_json::{Value, json};
use service_kit::Id;
use service_kit::auth::{Caller, Role, SessionId};

use crate::harness::{PASSWORD, Shop, answer, customer, of};

fn millis(time: &Value) -> i64 {
    serde_json::from_value::<EventTime>(time.clone()).unwrap().millis()
}

#[tokio::test]
async fn a_login_makes_a_session_that_the_gateway_knows_as_the_customer() {
    let shop = Shop::with(&["--session-ttl", "1h"]).await;
    let made = shop.post(&json!({"name": "Ann", "email": "Ann@b", "password": PASSWORD})).await.json();
    let login = shop.log_in("aNN@B", PASSWORD).await;
    assert_eq!((login.status, login.header("location")), (201, "/sessions/current"));
    assert_eq!(login.header("cache-control"), "no-store");
    let session = login.json();
    let token = session["token"].as_str().unwrap();
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(token).unwrap().len(), 32);
    let expected = json!({
        "token": token, "token_type": "Bearer", "expires_at": session["expires_at"], "customer_id": "1",
        "role": "customer",
    });
    assert_eq!(session, expected);
    let (lasts, made_at) = (millis(&session["expires_at"]), millis(&made["created_at"]));
    assert!((made_at + 3_599_000..made_at + 3_720_000).contains(&lasts), "{lasts} {made_at}");

    let found = shop.world.sessions().await.find(token).await.unwrap().unwrap();
    let expected = Caller {
        customer_id: Id::new(1),
        session: Some(SessionId::of_token(token)),
        ..Caller::new("customer-1", Role::Customer)
    };
    assert_eq!(found, expected);
    assert_eq!(shop.world.listed_sessions().await, shop.world.stored_sessions().await);
}

#[tokio::test]
async fn whatever_is_wrong_with_a_login_is_answered_the_same_for_the_same_work() {
    let shop = Shop::with(&["--rate-limit-logins", "0"]).await;
    shop.customer("ann@b").await;
    shop.customer("gone@b").await;
    shop.customer("closing@b").await;
    assert_eq!(shop.delete("/customers/2").await.status, 204);
    shop.world.execute("UPDATE customer_service.customers SET closing_at = now() WHERE id = 3").await;
    let mut details = Vec::new();
    for (email, password) in [
        ("ann@b", "wrong password"),
        ("ann@b", ""),
        ("nobody@b", PASSWORD),
        ("", PASSWORD),
        ("no address", "x"),
        ("gone@b", PASSWORD),
        ("closing@b", "wrong password"),
        ("closing@b", PASSWORD),
    ] {
        let before = shop.metric("customer_password_hashes_total").await;
        let refused = shop.log_in(email, password).await;
        refused.is(401, "unauthenticated");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        details.push(refused.json()["detail"].clone());
        assert_eq!(shop.metric("customer_password_hashes_total").await - before, 1, "{email} {password}");
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    assert_eq!((shop.world.listed_sessions().await, shop.world.stored_sessions().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_login_that_cannot_be_read_is_refused_with_all_its_faults() {
    let shop = Shop::start().await;
    let login = |body: Value| shop.sends(&Caller::anonymous(), Method::POST, "/sessions", &body);
    let refused = answer(login(json!({"email": 1, "user": "ann"}))).await;
    refused.is(422, "validation-failed");
    let expected = [("/email", "wrong_type"), ("/password", "required"), ("/user", "unknown")];
    assert_eq!(refused.faults(), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    let query = shop.sends(&Caller::anonymous(), Method::POST, "/sessions?x=1", &json!({}));
    answer(query).await.is(400, "malformed-request");
}

#[tokio::test]
async fn a_session_that_is_ended_counts_no_longer_and_others_go_on() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    let (first, second) = (shop.token("a@b").await, shop.token("a@b").await);
    let log_out = |token: &str| shop.request(&customer(1, Some(token)), Method::DELETE, "/sessions/current");
    let ended = answer(log_out(&first)).await;
    assert_eq!((ended.status, &*ended.text), (204, ""));
    assert!(!shop.world.is_live(&first).await);
    assert!(shop.world.is_live(&second).await);
    assert_eq!(shop.world.listed_sessions().await, [SessionId::of_token(&second).as_str()]);
    // Sent again by somebody who did not get the answer.
    assert_eq!(answer(log_out(&first)).await.status, 204);
}

#[tokio::test]
async fn who_has_no_session_has_none_to_end() {
    let shop = Shop::start().await;
    for caller in [customer(1, None), of(Role::Admin), of(Role::Writer)] {
        answer(shop.request(&caller, Method::DELETE, "/sessions/current")).await.is(404, "not-found");
    }
    let nobody = shop.request(&Caller::anonymous(), Method::DELETE, "/sessions/current");
    answer(nobody).await.is(401, "unauthenticated");
}

#[tokio::test]
async fn a_session_of_somebody_who_is_no_customer_can_be_ended_too() {
    let shop = Shop::start().await;
    let admin = Caller::new("local-admin", Role::Admin);
    let sessions = shop.world.sessions().await;
    sessions.put("token", &admin, std::time::Duration::from_secs(60)).await.unwrap();
    let caller = Caller { session: Some(SessionId::of_token("token")), ..admin };
    assert_eq!(answer(shop.request(&caller, Method::DELETE, "/sessions/current")).await.status, 204);
    assert!(!shop.world.is_live("token").await);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let shop = Shop::with(&["--session-ttl", "1s"]).await;
    shop.customer("a@b").await;
    let token = shop.token("a@b").await;
    crate::world::wait_until("the session has expired", async || !shop.world.is_live(&token).await).await;
}

#[tokio::test]
async fn sessions_are_forgotten_some_time_after_they_have_expired() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    for (token, hours) in [("live", -1), ("just expired", 0), ("long expired", 2)] {
        let insertion = sqlx::query(
            "INSERT INTO customer_service.sessions (token_hash, customer_id, expires_at)
             VALUES ($1, 1, now() - make_interval(hours => $2))",
        );
        insertion.bind(token).bind(hours).execute(&mut shop.world.database.connect().await).await.unwrap();
    }
    let world = shop.stop().await;
    let flags = world.flags();
    let shop = Shop::start_with(world, &flags).await;
    let is_swept = async || shop.world.listed_sessions().await == ["just expired", "live"];
    crate::world::wait_until("the session is forgotten", is_swept).await;
}

#[tokio::test]
async fn a_hash_that_was_made_with_other_costs_is_renewed_by_the_next_login() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    let hash: PasswordHash = cheap.hash_password(b"password").unwrap();
    let update = sqlx::query("UPDATE customer_service.customers SET password_hash = $1").bind(hash.to_string());
    update.execute(&mut shop.world.database.connect().await).await.unwrap();
    shop.log_in("a@b", "wrong password").await.is(401, "unauthenticated");
    let outdated = "SELECT count(*) FROM customer_service.customers WHERE password_hash LIKE '%m=64,t=1,p=1$%'";
    assert_eq!(shop.world.number(outdated).await, 1);
    assert_eq!(shop.log_in("a@b", "password").await.status, 201);
    assert_eq!(shop.world.number(outdated).await, 0);
    assert_eq!(shop.log_in("a@b", "password").await.status, 201);
    shop.log_in("a@b", "wrong password").await.is(401, "unauthenticated");
}

#[tokio::test]
async fn the_operator_sees_what_becomes_of_logins() {
    let shop = Shop::with(&["--rate-limit-logins", "1"]).await;
    shop.customer("a@b").await;
    shop.token("a@b").await;
    shop.log_in("a@b", "wrong password").await.is(401, "unauthenticated");
    shop.log_in("a@b", PASSWORD).await.is(429, "rate-limited");
    for outcome in ["succeeded", "refused", "limited"] {
        assert_eq!(shop.metric(&format!("customer_logins_total{{outcome=\"{outcome}\"}}")).await, 1, "{outcome}");
    }
    assert_eq!(shop.metric("customer_password_hashes_waiting").await, 0);
    assert!(shop.metrics().await.contains("\ncustomer_password_hashes_waiting 0"));
    shop.stop().await;
}
