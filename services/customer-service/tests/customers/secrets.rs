//! What nobody must read: not in a log line, not in an answer.

use reqwest::Method;
use serde_json::json;
use service_kit::auth::Role;

use crate::harness::{Answer, answer, customer, of};
use crate::process::Process;
use crate::world::World;
use test_kit::SECRET;

const FIRST: &str = "first-secret-password";
const SECOND: &str = "second-secret-password";
const WRONG: &str = "wrong-secret-password";

/// All that can happen to a password and a token; returns the token and every other answer.
async fn live(process: &Process) -> (String, Vec<Answer>) {
    let api = &process.api;
    let body = json!({"name": "Ann", "email": "ann@secret.example", "phone": "5550199", "password": FIRST});
    let mut answers = vec![answer(api.posts(&body).header("idempotency-key", "key")).await];
    answers.push(answer(api.posts(&body).header("idempotency-key", "key")).await);
    answers.push(api.post(&body).await);
    let login = api.log_in("ann@secret.example", FIRST).await;
    assert_eq!(login.status, 201, "{login:?}");
    let token = login.json()["token"].as_str().unwrap().to_owned();
    answers.push(api.log_in("ann@secret.example", WRONG).await);
    answers.push(api.log_in("nobody@secret.example", FIRST).await);
    let ann = customer(1, Some(&token));
    answers.push(answer(api.sets_password(&ann, "/customers/1", Some(WRONG), SECOND)).await);
    answers.push(answer(api.sets_password(&ann, "/customers/1", Some(FIRST), SECOND)).await);
    answers.push(answer(api.sets_password(&ann, "/customers/1", Some(SECOND), &SECOND.repeat(9))).await);
    answers.push(api.patch("/customers/1", &json!({"password": SECOND})).await);
    answers.push(api.get("/customers/1").await);
    answers.push(api.get("/customers?email=ann@secret.example").await);
    answers.push(answer(api.request(&ann, Method::DELETE, "/sessions/current")).await);
    answers.push(answer(api.request(&of(Role::Admin), Method::DELETE, "/customers/1")).await);
    (token, answers)
}

#[tokio::test]
async fn no_password_hash_or_token_is_in_a_log_line_or_in_an_answer_that_is_not_the_login() {
    let world = World::create().await;
    let process = Process::start(&world, &["--log", "debug,customer_service=trace,service_kit=trace"]).await;
    let (token, answers) = live(&process).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 201, 409, 401, 401, 422, 204, 422, 422, 200, 200, 204, 204]);
    let log = process.kill();
    assert!(
        log.iter().any(|line| line.contains("customer_service.customers") || line.contains("INSERT INTO customers"))
    );
    assert!(log.iter().any(|line| line.contains("\"deleted\"")), "{log:?}");
    let secrets = [FIRST, SECOND, WRONG, &token, "$argon2id$", SECRET, world.database.server.postgres.password()];
    for secret in secrets {
        for line in &log {
            assert!(!line.contains(secret), "{secret}: {line}");
        }
        for answer in &answers {
            assert!(!answer.text.contains(secret), "{secret}: {answer:?}");
        }
    }
    // Nor who the customers are.
    for line in &log {
        assert!(!line.contains("secret.example") && !line.contains("5550199"), "{line}");
    }
}
