//! One customer: made, read, replaced, changed.

use reqwest::Method;
use schemas::EventTime;
use serde_json::{Value, json};
use service_kit::auth::{Caller, Role};

use crate::harness::{PASSWORD, Shop, all, answer, count, customer, of};

fn ann() -> Value {
    json!({"name": "Ann", "email": "Ann@Example.com", "password": PASSWORD})
}

#[tokio::test]
async fn a_customer_that_was_made_is_where_its_location_says_with_defaults_and_without_its_password() {
    let shop = Shop::start().await;
    let made = shop.post(&ann()).await;
    assert_eq!((made.status, made.header("location"), made.etag()), (201, "/customers/1", "\"1\""));
    let ann = made.json();
    serde_json::from_value::<EventTime>(ann["created_at"].clone()).unwrap();
    let expected = json!({
        "id": "1", "name": "Ann", "email": "Ann@Example.com", "phone": "", "address": "",
        "created_at": ann["created_at"], "updated_at": ann["created_at"],
    });
    assert_eq!(ann, expected);
    let read = shop.get("/customers/1").await;
    assert_eq!((read.status, read.etag(), read.json()), (200, "\"1\"", expected));
}

#[tokio::test]
async fn everybody_may_become_a_customer() {
    let shop = Shop::start().await;
    for (number, role) in
        [Role::Admin, Role::Service, Role::Customer, Role::Writer, Role::Anonymous].into_iter().enumerate()
    {
        let body = json!({"name": "Ann", "email": format!("ann{number}@example.com"), "password": PASSWORD});
        let made = answer(shop.sends(&of(role), Method::POST, "/customers", &body)).await;
        assert_eq!(made.status, 201, "{role:?}: {made:?}");
    }
}

#[tokio::test]
async fn a_record_is_reached_by_its_customer_admins_and_services_and_nowhere_by_others() {
    let shop = Shop::start().await;
    shop.customer("ann@example.com").await;
    shop.customer("bob@example.com").await;
    let body = json!({"name": "Ann", "email": "ann@example.com"});
    for (caller, reaches) in [
        (customer(1, None), true),
        (of(Role::Admin), true),
        (of(Role::Service), true),
        (customer(2, None), false),
        (of(Role::Customer), false),
        (of(Role::Writer), false),
    ] {
        let answers = [
            answer(shop.request(&caller, Method::GET, "/customers/1")).await,
            answer(shop.sends(&caller, Method::PUT, "/customers/1", &body).header("if-match", "*")).await,
            answer(shop.sends(&caller, Method::PATCH, "/customers/1", &json!({}))).await,
        ];
        for answer in answers {
            if reaches {
                assert_eq!(answer.status, 200, "{caller:?}: {answer:?}");
            } else {
                answer.is(404, "not-found");
                // The same as for one that is not there.
                assert_eq!(answer.json()["detail"], "there is no customer 1");
            }
        }
    }
}

#[tokio::test]
async fn who_is_not_logged_in_is_asked_to_and_who_has_the_wrong_role_is_told() {
    let shop = Shop::start().await;
    let path = shop.customer("ann@example.com").await;
    let nobody = Caller::anonymous();
    let (content, password) = (json!({"name": "Ann", "email": "a@b"}), json!({"password": PASSWORD}));
    for request in [
        shop.request(&nobody, Method::GET, "/customers"),
        shop.request(&nobody, Method::GET, &path),
        shop.sends(&nobody, Method::PUT, &path, &content),
        shop.sends(&nobody, Method::PATCH, &path, &json!({})),
        shop.request(&nobody, Method::DELETE, &path),
        shop.sends(&nobody, Method::PUT, &format!("{path}/password"), &password),
        shop.request(&nobody, Method::DELETE, "/sessions/current"),
    ] {
        answer(request).await.is(401, "unauthenticated");
    }
    for role in [Role::Customer, Role::Writer] {
        answer(shop.request(&of(role), Method::GET, "/customers")).await.is(403, "forbidden");
    }
    for role in [Role::Service, Role::Writer] {
        answer(shop.request(&of(role), Method::DELETE, &path)).await.is(403, "forbidden");
        let setting = shop.sends(&of(role), Method::PUT, &format!("{path}/password"), &password);
        answer(setting).await.is(403, "forbidden");
    }
    let others = customer(2, None);
    answer(shop.request(&others, Method::DELETE, &path)).await.is(404, "not-found");
    answer(shop.sets_password(&others, &path, Some(PASSWORD), PASSWORD)).await.is(404, "not-found");
    assert_eq!(shop.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_replaced_customer_has_what_it_was_replaced_with_and_its_password() {
    let shop = Shop::start().await;
    let made = shop.post(&json!({"name": "Ann", "email": "a@b", "phone": "1", "password": PASSWORD})).await;
    let replaced =
        shop.put("/customers/1", made.etag(), &json!({"name": "Eve", "email": "e@b", "address": "Rome"})).await;
    assert_eq!((replaced.status, replaced.etag()), (200, "\"2\""));
    let eve = replaced.json();
    let expected = json!({
        "id": "1", "name": "Eve", "email": "e@b", "phone": "", "address": "Rome",
        "created_at": made.json()["created_at"], "updated_at": eve["updated_at"],
    });
    assert_eq!(eve, expected);
    assert_eq!(shop.log_in("e@b", PASSWORD).await.status, 201);
    shop.log_in("a@b", PASSWORD).await.is(401, "unauthenticated");
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let shop = Shop::start().await;
    let body = json!({"name": "Ann", "email": "a@b", "phone": "1", "address": "Rome", "password": PASSWORD});
    let mut expected = shop.post(&body).await.json();
    let patched = shop.patch("/customers/1", &json!({"name": "Eve", "phone": null})).await;
    expected["name"] = json!("Eve");
    expected["phone"] = json!("");
    expected["updated_at"] = patched.json()["updated_at"].clone();
    assert_eq!((patched.status, patched.etag(), patched.json()), (200, "\"2\"", expected));
    let merge_patch = shop.request(&customer(1, None), Method::PATCH, "/customers/1");
    let merge_patch = merge_patch.header("content-type", "application/merge-patch+json").body(r#"{"name":"Ida"}"#);
    assert_eq!(answer(merge_patch).await.json()["name"], "Ida");
}

#[tokio::test]
async fn a_password_is_set_at_its_own_place_only() {
    let shop = Shop::start().await;
    let path = shop.customer("a@b").await;
    let unknown = [("/password".to_owned(), "unknown".to_owned())];
    let put = shop.put(&path, "*", &json!({"name": "Ann", "email": "a@b", "password": "another one"})).await;
    put.is(422, "validation-failed");
    assert_eq!(put.faults(), unknown);
    let patch = shop.patch(&path, &json!({"password": "another one"})).await;
    patch.is(422, "validation-failed");
    assert_eq!(patch.faults(), unknown);
    assert_eq!(shop.log_in("a@b", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn an_e_mail_address_belongs_to_one_customer_in_small_or_capital_letters() {
    let shop = Shop::start().await;
    shop.customer("Ann@Example.com").await;
    let bob = shop.customer("bob@example.com").await;
    let taken = |email: &str| json!({"name": "Bob", "email": email, "password": PASSWORD});
    for email in ["Ann@Example.com", "aNN@eXAMPLE.COM"] {
        shop.post(&taken(email)).await.is(409, "email-taken");
        shop.patch(&bob, &json!({"email": email})).await.is(409, "email-taken");
        shop.put(&bob, "*", &json!({"name": "Bob", "email": email})).await.is(409, "email-taken");
    }
    let read = shop.get(&bob).await;
    assert_eq!((read.etag(), &read.json()["email"]), ("\"1\"", &json!("bob@example.com")));
    // Its own one in other letters, and one that was given up.
    assert_eq!(shop.patch(&bob, &json!({"email": "BOB@example.com"})).await.json()["email"], "BOB@example.com");
    assert_eq!(shop.patch(&bob, &json!({"email": "b@example.com"})).await.status, 200);
    assert_eq!(shop.post(&taken("Bob@example.com")).await.status, 201);
}

#[tokio::test]
async fn of_registrations_of_one_address_at_once_in_different_letters_one_is_made() {
    let shop = Shop::start().await;
    shop.warm_up().await;
    for round in 0..10 {
        let emails = [format!("ann{round}@example.com"), format!("ANN{round}@EXAMPLE.COM")];
        let body = |email: &String| json!({"name": "Ann", "email": email, "password": PASSWORD});
        let answers = all(emails.iter().map(|email| shop.posts(&body(email)))).await;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (1, 1), "{answers:?}");
        answers.iter().find(|answer| answer.status == 409).unwrap().is(409, "email-taken");
    }
}

#[tokio::test]
async fn all_faults_of_a_customer_are_told_at_once() {
    let shop = Shop::start().await;
    let body = json!({
        "name": "", "email": "no address", "phone": "call me", "address": "x".repeat(1_001), "password": "seven77",
        "id": "1",
    });
    let refused = shop.post(&body).await;
    refused.is(422, "validation-failed");
    let expected = [
        ("/address", "too_long"),
        ("/email", "invalid_format"),
        ("/id", "unknown"),
        ("/name", "too_short"),
        ("/password", "too_short"),
        ("/phone", "invalid_format"),
    ];
    assert_eq!(refused.faults(), expected.map(|(place, code)| (place.to_owned(), code.to_owned())));
    let missing = shop.post(&json!({})).await.faults();
    assert_eq!(missing, ["/email", "/name", "/password"].map(|place| (place.to_owned(), "required".to_owned())));
    assert_eq!(shop.get("/customers").await.json()["items"], json!([]));
}

#[tokio::test]
async fn the_longest_values_are_kept_as_they_came() {
    let shop = Shop::start().await;
    // The small letter that becomes the longest text when letters are folded.
    let email = format!("{}@b", "\u{1fb7}".repeat(252));
    let password = "\u{1f4a1}".repeat(128);
    let mut body = json!({
        "name": "ä".repeat(200), "email": email, "phone": "+49 (30) 12-34/56.7", "address": "\"\\\n\u{1f4a1}".repeat(250),
        "password": password,
    });
    let made = shop.post(&body).await;
    assert_eq!(made.status, 201, "{made:?}");
    body.as_object_mut().unwrap().remove("password");
    let read = shop.get("/customers/1").await.json();
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(read[field], *value, "{field}");
    }
    assert_eq!(shop.log_in(&email.to_uppercase(), &password).await.status, 201);
}

#[tokio::test]
async fn what_is_no_id_is_not_found() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    for id in ["0", "01", "-1", "abc", "9223372036854775808", "%00", "%ff", "1%20", "2"] {
        let path = format!("/customers/{id}");
        shop.get(&path).await.is(404, "not-found");
        shop.delete(&path).await.is(404, "not-found");
        shop.patch(&path, &json!({})).await.is(404, "not-found");
        shop.put(&path, "*", &json!({"name": "Ann", "email": "c@d"})).await.is(404, "not-found");
        answer(shop.sets_password(&of(Role::Admin), &path, None, PASSWORD)).await.is(404, "not-found");
    }
}

#[tokio::test]
async fn faults_are_told_in_one_order() {
    let shop = Shop::start().await;
    shop.customer("a@b").await;
    let long = || "x".repeat((1 << 20) + 1);
    let json = "application/json";
    let put = |caller: Option<&Caller>, path: &str, media: &str, body: String| {
        let request = match caller {
            Some(caller) => shop.request(caller, Method::PUT, path),
            None => shop.anyones(Method::PUT, path),
        };
        request.header("content-type", media).body(body)
    };
    let valid = || r#"{"name":"Ann","email":"a@b"}"#.to_owned();
    let told = |request| async { answer(request).await.problem().1 };
    let (nobody, other) = (Caller::anonymous(), customer(2, None));
    let (ann, bad, good) = (customer(1, None), "/customers/1?x=1", "/customers/1");
    assert_eq!(told(put(None, bad, "text/plain", long())).await, "unauthenticated");
    assert_eq!(told(put(Some(&nobody), bad, json, long())).await, "body-too-large");
    assert_eq!(told(put(Some(&nobody), bad, "text/plain", valid())).await, "unsupported-media-type");
    assert_eq!(told(put(Some(&nobody), bad, json, "{".to_owned())).await, "unauthenticated");
    assert_eq!(told(put(Some(&other), bad, json, valid())).await, "malformed-request");
    assert_eq!(told(put(Some(&other), good, json, valid()).header("if-match", "7")).await, "malformed-request");
    assert_eq!(told(put(Some(&other), good, json, "{".to_owned())).await, "malformed-request");
    assert_eq!(told(put(Some(&other), good, json, "{}".to_owned())).await, "validation-failed");
    assert_eq!(told(put(Some(&other), good, json, valid())).await, "not-found");
    assert_eq!(told(put(Some(&ann), good, json, valid())).await, "precondition-required");
    shop.customer("c@d").await;
    let taken = || r#"{"name":"Ann","email":"c@d"}"#.to_owned();
    assert_eq!(told(put(Some(&ann), good, json, taken()).header("if-match", "\"9\"")).await, "stale-version");
    assert_eq!(told(put(Some(&ann), good, json, taken()).header("if-match", "\"1\"")).await, "email-taken");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let shop = Shop::start().await;
    shop.get("/elsewhere").await.is(404, "not-found");
    for (method, path, allowed) in [
        (Method::PATCH, "/customers", &["GET", "POST"][..]),
        (Method::POST, "/customers/1", &["GET", "PUT", "PATCH", "DELETE"]),
        (Method::GET, "/customers/1/password", &["PUT"]),
        (Method::GET, "/sessions", &["POST"]),
        (Method::GET, "/sessions/current", &["DELETE"]),
    ] {
        let answer = answer(shop.request(&of(Role::Admin), method, path)).await;
        answer.is(405, "method-not-allowed");
        let told: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        assert!(allowed.iter().all(|method| told.contains(method)), "{path}: {told:?}");
    }
}
