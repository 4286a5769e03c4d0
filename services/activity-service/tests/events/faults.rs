//! What is refused, in the order in which it is judged. None of it needs Kafka.

use activity_service::NAME;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};
use service_kit::auth::Role;

use crate::service::{Service, args, event};

#[test]
fn a_call_that_does_not_come_from_the_gateway_is_unauthenticated() {
    let service = Service::without_kafka(&[]);
    let of_another = Service::authorization("product-catalog", Role::Admin);
    let anonymous = Service::authorization(NAME, Role::Anonymous);
    for authorization in ["", "Bearer nonsense", &of_another, &anonymous] {
        let request = service
            .request(Method::POST, "/events")
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json");
        let answer = service.send(request.body(event("u1", "p1")));
        assert_eq!((answer.status, &*answer.problem()), (401, "unauthenticated"), "{authorization}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[test]
fn identity_is_judged_before_type_and_syntax() {
    let service = Service::without_kafka(&[]);
    let answer = service.send(service.request(Method::POST, "/events").body("nonsense"));
    assert_eq!(answer.status, 401);
}

#[test]
fn other_routes_and_methods_do_not_exist() {
    let service = Service::without_kafka(&[]);
    let answer = service.send(service.request(Method::GET, "/event"));
    assert_eq!((answer.status, &*answer.problem()), (404, "not-found"));
    let answer = service.send(service.request(Method::GET, "/events"));
    assert_eq!((answer.status, &*answer.problem(), answer.header("allow")), (405, "method-not-allowed", "POST"));
}

#[test]
fn a_body_of_another_type_or_above_one_mebibyte_is_refused() {
    let service = Service::without_kafka(&[]);
    let request = service
        .request(Method::POST, "/events")
        .header(AUTHORIZATION, Service::authorization(NAME, Role::Writer))
        .header(CONTENT_TYPE, "text/plain");
    let answer = service.send(request.body(event("u1", "p1")));
    assert_eq!((answer.status, &*answer.problem()), (415, "unsupported-media-type"));

    let answer = service.post(vec![b' '; (1 << 20) + 1]);
    assert_eq!((answer.status, &*answer.problem()), (413, "body-too-large"));
}

#[test]
fn an_array_has_at_least_one_and_at_most_five_hundred_events() {
    let service = Service::without_kafka(&[]);
    let answer = service.post("[]");
    assert_eq!((answer.status, &*answer.problem()), (422, "validation-failed"));
    assert_eq!(answer.json()["errors"][0]["code"], "too_short");

    let answer = service.post(format!("[{}]", vec!["1"; 501].join(",")));
    assert_eq!((answer.status, &*answer.problem()), (413, "body-too-large"));
    let answer = service.post(format!("[{}]", vec!["1"; 500].join(",")));
    assert_eq!(answer.json()["errors"].as_array().map(Vec::len), Some(500));
}

#[test]
fn what_is_no_json_is_malformed() {
    let service = Service::without_kafka(&[]);
    for body in ["", "{", "[{},]", "{} {}"] {
        let answer = service.post(body);
        assert_eq!((answer.status, &*answer.problem()), (400, "malformed-request"), "{body}");
    }
}

#[test]
fn a_request_without_a_valid_event_is_told_every_fault_at_its_place() {
    let service = Service::without_kafka(&[]);
    let faults = |body: &str| {
        let answer = service.post(body.to_owned());
        assert_eq!((answer.status, &*answer.problem()), (422, "validation-failed"), "{body}");
        let told = answer.json()["errors"].as_array().unwrap().clone();
        assert!(told.iter().all(|fault| fault["detail"].is_string()), "{told:?}");
        told.into_iter().map(|fault| json!([fault["pointer"], fault["code"]])).collect::<Vec<Value>>()
    };
    assert_eq!(faults("{}"), [json!(["/user_id", "missing_user_id"])]);
    assert_eq!(faults("null"), [json!(["", "not_an_object"])]);
    let future = r#"{"user_id":1,"product_id":2,"event_type":"X","timestamp":"9999-01-01T00:00:00Z"}"#;
    assert_eq!(
        faults(&format!(r#"[{{"user_id":""}}, 7, {future}]"#)),
        [json!(["/0/user_id", "invalid_user_id"]), json!(["/1", "not_an_object"]), json!(["/2/timestamp", "future"])]
    );
    let metrics = service.metrics();
    for (reason, count) in [("missing_user_id", 1), ("invalid_user_id", 1), ("not_an_object", 2), ("future", 1)] {
        let line = format!("activity_events_rejected_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "no {line:?} in {metrics}");
    }
}

#[test]
fn settings_that_cannot_be_used_end_the_service_before_it_serves() {
    for (args, said) in [
        (args("", "events", &[]), "KAFKA_BOOTSTRAP_SERVERS is not set"),
        (args("127.0.0.1:1", "no topic", &[]), "\"no topic\" is no name of a topic"),
        (args("127.0.0.1:1", "events", &["--kafka-config=acks=0"]), "must not carry acks"),
        (
            activity_service::Args {
                kafka_input_topic: Some("other".to_owned()),
                ..args("127.0.0.1:1", "events", &[])
            },
            "set only one of KAFKA_TOPIC and KAFKA_INPUT_TOPIC",
        ),
    ] {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let error = runtime.block_on(async {
            let public = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let listeners = service_kit::Listeners { public, admin: None };
            activity_service::run(args, listeners, tokio_util::sync::CancellationToken::new()).await.unwrap_err()
        });
        assert_eq!(error.exit_code(), 64);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn the_description_of_the_api_has_the_one_operation_and_who_may_call_it() {
    let api = serde_json::to_value(activity_service::openapi()).unwrap();
    let paths: Vec<_> = api["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/events"]);
    let operation = &api["paths"]["/events"]["post"];
    assert_eq!(operation["security"], json!([{"bearer": []}, {"write_key": []}]));
    assert!(operation["responses"]["202"].is_object() && operation["requestBody"].is_object(), "{operation}");
    assert_eq!(api["components"]["securitySchemes"]["write_key"]["name"], "X-Write-Key");
}
