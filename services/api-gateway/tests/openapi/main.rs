//! The description of the API: the checked-in document is what the services say, and the table of routes holds to it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod reference;

use std::path::Path;

use serde_json::Value;

/// Writes the document anew where this variable is set.
const UPDATE: &str = "UPDATE_GOLDEN";

fn merged() -> Value {
    let parts = [
        product_catalog::openapi(),
        customer_service::openapi(),
        order_service::openapi(),
        activity_service::openapi(),
        api_gateway::document(),
    ];
    serde_json::to_value(api_gateway::merged(parts)).unwrap()
}

/// Compares a file of the repository with what it should be, or writes it.
fn check_or_update(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let advice = format!("run `{UPDATE}=1 cargo test -p api-gateway --test openapi` and review the difference");
    assert!(kept == wanted, "{} is not what the services say; {advice}", path.display());
}

#[test]
fn the_checked_in_document_is_what_the_services_say() {
    check_or_update("openapi.json", &(serde_json::to_string_pretty(&merged()).unwrap() + "\n"));
}

#[test]
fn the_reference_in_the_book_is_what_the_services_say() {
    check_or_update("../../docs/reference/api.md", &reference::page(&merged()));
}

#[test]
fn the_document_is_version_3_1_and_every_reference_in_it_leads_somewhere() {
    let document = merged();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 10);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn what_is_described_is_routed_and_what_is_routed_is_described() {
    let document = merged();
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        described.extend(item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    described.sort();
    let mut routed = api_gateway::routed();
    routed.sort();
    assert_eq!(described, routed);
}

#[test]
fn every_operation_tells_its_problems_and_who_may_call() {
    let document = merged();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("503") && responses.contains_key("429"), "{method} {path}");
            assert_eq!(
                operation.get("security").is_some(),
                responses.contains_key("403"),
                "{method} {path}: 403 belongs to operations that need credentials"
            );
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path}");
        }
    }
}
