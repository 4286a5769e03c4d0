//! How often passwords may be guessed.

use serde_json::json;
use service_kit::auth::Role;

use crate::harness::{PASSWORD, Shop, all, answer, count, customer, of};

#[tokio::test]
async fn after_too_many_failures_not_even_the_right_password_is_looked_at_whether_there_is_the_customer_or_not() {
    let shop = Shop::with(&["--rate-limit-logins", "1"]).await;
    shop.customer("Ann@b").await;
    for email in ["ann@b", "nobody@b"] {
        shop.log_in(email, "wrong password").await.is(401, "unauthenticated");
        let hashes = shop.metric("customer_password_hashes_total").await;
        let limited = shop.log_in(&email.to_uppercase(), PASSWORD).await;
        limited.is(429, "rate-limited");
        let wait: u64 = limited.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        assert_eq!(shop.metric("customer_password_hashes_total").await, hashes);
    }
    // Others are not held up.
    shop.customer("bob@b").await;
    assert_eq!(shop.log_in("bob@b", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn logins_that_succeed_do_not_count() {
    let shop = Shop::with(&["--rate-limit-logins", "1"]).await;
    shop.customer("a@b").await;
    let answers = all((0..12).map(|_| shop.logs_in("a@b", PASSWORD))).await;
    assert_eq!(count(&answers, 201), 12, "{answers:?}");
    shop.log_in("a@b", "wrong password").await.is(401, "unauthenticated");
}

#[tokio::test]
async fn of_guesses_at_once_hardly_more_than_allowed_are_looked_at() {
    const LIMIT: usize = 3;
    let shop = Shop::with(&["--rate-limit-logins", &LIMIT.to_string()]).await;
    shop.warm_up().await;
    let answers = all((0..40).map(|n| shop.logs_in("nobody@b", &format!("wrong {n}")))).await;
    let (refused, limited) = (count(&answers, 401), count(&answers, 429));
    assert_eq!(refused + limited, 40, "{answers:?}");
    // Those that are hashed at the same moment do not know of each other; and a minute's share may come back meanwhile.
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!((LIMIT..LIMIT + cores + 1).contains(&refused), "{refused} guesses on {cores} cores");
}

#[tokio::test]
async fn without_a_limit_nobody_waits() {
    let shop = Shop::with(&["--rate-limit-logins", "0"]).await;
    let answers = all((0..15).map(|_| shop.logs_in("nobody@b", "wrong password"))).await;
    assert_eq!(count(&answers, 401), 15, "{answers:?}");
}

#[tokio::test]
async fn a_guess_is_a_guess_also_where_a_password_is_changed() {
    let shop = Shop::with(&["--rate-limit-logins", "1"]).await;
    let path = shop.customer("a@b").await;
    let change = |current| shop.sets_password(&customer(1, None), &path, Some(current), "another password");
    answer(change("wrong password")).await.is(422, "validation-failed");
    answer(change(PASSWORD)).await.is(429, "rate-limited");
    shop.log_in("a@b", PASSWORD).await.is(429, "rate-limited");
    // An admin, who guesses nothing.
    assert_eq!(answer(shop.sets_password(&of(Role::Admin), &path, None, "another password")).await.status, 204);
    assert_eq!(shop.patch(&path, &json!({"name": "Eve"})).await.status, 200);
}
