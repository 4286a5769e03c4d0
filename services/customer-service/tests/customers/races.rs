//! Logins that meet a new password or a deletion: whoever comes first, no session is left that should have ended.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::PasswordHash;
use reqwest::Method;
use service_kit::auth::Role;
use sqlx::Connection as _;

use crate::harness::{Answer, PASSWORD, Shop, all, answer, count, customer, of};

const ROUNDS: u32 = 25;

fn tokens(logins: &[Answer]) -> Vec<String> {
    let succeeded = logins.iter().filter(|login| login.status == 201);
    succeeded.map(|login| login.json()["token"].as_str().unwrap().to_owned()).collect()
}

async fn assert_all_ended(shop: &Shop, logins: &[Answer]) {
    for login in logins.iter().filter(|login| login.status != 201) {
        login.is(401, "unauthenticated");
    }
    for token in tokens(logins) {
        assert!(!shop.world.is_live(&token).await);
    }
}

/// The answer to a login whose password was verified before, and that goes on after, a change of its customer's row.
async fn login_around(shop: &Shop, change: &'static str, value: &str) -> Answer {
    let mut connection = shop.world.database.connect().await;
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query(change).bind(value).execute(&mut *transaction).await.unwrap();
    let login = tokio::spawn(answer(shop.logs_in("a@b", PASSWORD)));
    shop.world.wait_until_it_waits_for_a_lock().await;
    // Listed before it waits.
    assert_eq!(shop.world.listed_sessions().await.len(), 1);
    transaction.commit().await.unwrap();
    login.await.unwrap()
}

const SET_HASH: &str = "UPDATE customer_service.customers SET password_hash = $1";

fn hash(password: &str) -> String {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).unwrap();
    hash.to_string()
}

#[tokio::test]
async fn a_login_waits_for_a_change_of_its_password_and_is_judged_by_the_new_one() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    login_around(&shop, SET_HASH, &hash("another password")).await.is(401, "unauthenticated");
    assert_eq!((shop.world.listed_sessions().await, shop.world.stored_sessions().await), (vec![], vec![]));
    let set = answer(shop.sets_password(&of(Role::Admin), "/customers/1", None, PASSWORD)).await;
    assert_eq!(set.status, 204);
    // The same password, hashed again.
    let login = login_around(&shop, SET_HASH, &hash(PASSWORD)).await;
    assert!(shop.world.is_live(&tokens(&[login])[0]).await);
    assert_eq!(shop.world.listed_sessions().await, shop.world.stored_sessions().await);
}

#[tokio::test]
async fn a_login_waits_for_the_beginning_of_a_deletion_and_comes_too_late() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    let close = "UPDATE customer_service.customers SET closing_at = now() WHERE email = $1";
    login_around(&shop, close, "a@b").await.is(401, "unauthenticated");
    assert_eq!((shop.world.listed_sessions().await, shop.world.stored_sessions().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_login_that_meets_a_new_password_leaves_no_session_of_the_old_one() {
    let shop = Shop::with(&["--rate-limit-logins", "0"]).await;
    shop.warm_up().await;
    let path = shop.customer("a@b").await;
    let mut password = PASSWORD.to_owned();
    let (mut succeeded, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let new = format!("password {round}");
        let change = answer(shop.sets_password(&of(Role::Admin), &path, None, &new));
        let logins = all((0..3).map(|_| shop.logs_in("a@b", &password)));
        let (change, logins) = tokio::join!(change, logins);
        assert_eq!(change.status, 204, "{change:?}");
        assert_all_ended(&shop, &logins).await;
        assert_eq!(shop.world.stored_sessions().await, [""; 0]);
        succeeded += count(&logins, 201);
        refused += count(&logins, 401);
        password = new;
    }
    assert_eq!(succeeded + refused, 3 * ROUNDS as usize);
    assert_eq!(shop.log_in("a@b", &password).await.status, 201);
}

#[tokio::test]
async fn a_login_that_meets_a_deletion_leaves_no_session() {
    let shop = Shop::with(&["--rate-limit-logins", "0"]).await;
    shop.warm_up().await;
    for round in 0..ROUNDS {
        let email = format!("a{round}@b");
        let path = shop.customer(&email).await;
        let deletion = answer(shop.request(&of(Role::Admin), Method::DELETE, &path));
        let early = all((0..2).map(|_| shop.logs_in(&email, PASSWORD)));
        // Some rounds begin the deletion when logins are about to succeed.
        let (early, deletion) = if round.is_multiple_of(2) {
            tokio::join!(early, deletion)
        } else {
            let login = shop.log_in(&email, PASSWORD).await;
            assert_eq!(login.status, 201, "{login:?}");
            let (early, deletion) = tokio::join!(early, deletion);
            (early.into_iter().chain([login]).collect(), deletion)
        };
        assert_eq!(deletion.status, 204, "{deletion:?}");
        assert_all_ended(&shop, &early).await;
        assert_eq!((shop.world.listed_sessions().await, shop.world.stored_sessions().await), (vec![], vec![]));
    }
}

#[tokio::test]
async fn two_changes_of_a_password_by_its_customer_at_once_are_made_one_after_the_other() {
    let shop = Shop::with(&["--rate-limit-logins", "0"]).await;
    shop.warm_up().await;
    let path = shop.customer("a@b").await;
    let mut password = PASSWORD.to_owned();
    for round in 0..8 {
        let news = [format!("one {round} password"), format!("two {round} password")];
        let change = |new: &str| answer(shop.sets_password(&customer(1, None), &path, Some(&password), new));
        let (one, two) = tokio::join!(change(&news[0]), change(&news[1]));
        // Whoever is second no longer knows the present one.
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 422], "{one:?} {two:?}");
        password = if one.status == 204 { news[0].clone() } else { news[1].clone() };
        assert_eq!(shop.log_in("a@b", &password).await.status, 201);
    }
}

#[tokio::test]
async fn sessions_that_begin_and_end_at_once_are_all_listed() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    shop.customer("a@b").await;
    for _ in 0..4 {
        let mut live = tokens(&all((0..6).map(|_| shop.logs_in("a@b", PASSWORD))).await);
        assert_eq!(live.len(), 6);
        let ended = live.split_off(3);
        let log_out = |token: &String| shop.request(&customer(1, Some(token)), Method::DELETE, "/sessions/current");
        let answers = all(ended.iter().map(log_out).chain((0..2).map(|_| shop.logs_in("a@b", PASSWORD)))).await;
        assert_eq!((count(&answers, 204), count(&answers, 201)), (3, 2), "{answers:?}");
        assert_eq!(shop.world.listed_sessions().await, shop.world.stored_sessions().await);
    }
}
