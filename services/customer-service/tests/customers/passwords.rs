//! Changing a password.

use reqwest::Method;
use serde_json::json;
use service_kit::auth::Role;

use crate::harness::{PASSWORD, Shop, answer, customer, of};

const NEW: &str = "another password";

#[tokio::test]
async fn a_new_password_takes_the_old_ones_place_and_ends_all_other_sessions() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    shop.customer("bob@b").await;
    let (own, other, bobs) = (shop.token("a@b").await, shop.token("a@b").await, shop.token("bob@b").await);
    let caller = customer(1, Some(&own));
    let changed = answer(shop.sets_password(&caller, &path, Some(PASSWORD), NEW)).await;
    assert_eq!((changed.status, &*changed.text), (204, ""), "{changed:?}");
    assert_eq!([shop.world.is_live(&own).await, shop.world.is_live(&other).await], [true, false]);
    assert!(shop.world.is_live(&bobs).await);
    assert_eq!(shop.world.listed_sessions().await, shop.world.stored_sessions().await);
    shop.log_in("a@b", PASSWORD).await.is(401, "unauthenticated");
    assert_eq!(shop.log_in("a@b", NEW).await.status, 201);
}

#[tokio::test]
async fn a_caller_without_a_session_of_the_customer_ends_them_all() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let tokens = [shop.token("a@b").await, shop.token("a@b").await];
    let changed = answer(shop.sets_password(&customer(1, None), &path, Some(PASSWORD), NEW)).await;
    assert_eq!(changed.status, 204);
    for token in &tokens {
        assert!(!shop.world.is_live(token).await);
    }
    let token = shop.log_in("a@b", NEW).await.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(answer(shop.sets_password(&of(Role::Admin), &path, None, PASSWORD)).await.status, 204);
    assert!(!shop.world.is_live(&token).await);
    assert_eq!(shop.world.stored_sessions().await, [""; 0]);
}

#[tokio::test]
async fn a_customer_has_to_know_its_present_password_and_what_an_admin_claims_is_verified() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let token = shop.token("a@b").await;
    let missing = answer(shop.sets_password(&customer(1, None), &path, None, "short")).await;
    missing.is(422, "validation-failed");
    let expected = [("/current_password", "required"), ("/password", "too_short")];
    assert_eq!(missing.faults(), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    for caller in [customer(1, None), of(Role::Admin)] {
        for wrong in ["wrong password", "", "correct horse batterY"] {
            let refused = answer(shop.sets_password(&caller, &path, Some(wrong), NEW)).await;
            refused.is(422, "validation-failed");
            assert_eq!(refused.faults(), [("/current_password".to_owned(), "wrong_password".to_owned())]);
        }
    }
    assert!(shop.world.is_live(&token).await);
    assert_eq!(answer(shop.sets_password(&of(Role::Admin), &path, Some(PASSWORD), NEW)).await.status, 204);
}

#[tokio::test]
async fn a_password_has_8_to_128_characters() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let set = |new: &str| answer(shop.sets_password(&of(Role::Admin), &path, None, new));
    for (new, code) in [("1234567".to_owned(), "too_short"), ("x".repeat(129), "too_long")] {
        let refused = set(&new).await;
        refused.is(422, "validation-failed");
        assert_eq!(refused.faults(), [("/password".to_owned(), code.to_owned())]);
    }
    for new in ["12345678".to_owned(), "ä".repeat(128)] {
        assert_eq!(set(&new).await.status, 204);
        assert_eq!(shop.log_in("a@b", &new).await.status, 201);
    }
    let unknown = shop.sends(&of(Role::Admin), Method::PUT, &format!("{path}/password"), &json!({"new": NEW}));
    let expected = [("/new", "unknown"), ("/password", "required")];
    assert_eq!(answer(unknown).await.faults(), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
}
