//! The description of the API as a page of the book.

use std::fmt::Write as _;

use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page.
pub(crate) fn page(document: &Value) -> String {
    let mut page = String::from(
        "# HTTP API\n\n\
         <!-- Written by the test `openapi` of api-gateway, of the descriptions in the services' code. -->\n\n\
         What clients call, at the gateway. `/openapi.json` is the same for programs (OpenAPI 3.1), `/docs` for people with a browser. \
         Every error is a problem (RFC 9457), and each kind has a [page](../problems/validation-failed.md) of its own. Operations marked \
         *credentials* need [a token or a key](../guides/authenticate.md).\n",
    );
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                write_operation(&mut page, document, &method.to_uppercase(), path, operation);
            }
        }
    }
    page.push_str("\n## Schemas\n");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        write_schema(&mut page, name, schema);
    }
    page
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

fn write_operation(page: &mut String, document: &Value, method: &str, path: &str, operation: &Value) {
    let credentials = if operation.get("security").is_some() { " (*credentials*)" } else { "" };
    writeln!(
        page,
        "\n## {method} {path}\n\n{}{credentials}. {}",
        text(operation, "summary"),
        one_line(text(operation, "description"))
    )
    .unwrap();
    let parameters = operation.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        page.push_str("\n| parameter | in | what |\n| --- | --- | --- |\n");
        for parameter in parameters {
            let (name, place) = (text(parameter, "name"), text(parameter, "in"));
            let what = format!("{}{}", one_line(text(parameter, "description")), bounds(&parameter["schema"]));
            writeln!(page, "| `{name}` | {place} | {what} |").unwrap();
        }
    }
    if let Some(body) = operation.pointer("/requestBody/content/application~1json/schema") {
        writeln!(page, "\nBody: {}.", kind(body)).unwrap();
    }
    page.push_str("\n| status | what |\n| --- | --- |\n");
    for (status, response) in operation["responses"].as_object().unwrap() {
        let response = match response.get("$ref").and_then(Value::as_str) {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => response,
        };
        let media = response.get("content").and_then(Value::as_object);
        let body = media.and_then(|media| media.values().next()).map(|media| kind(&media["schema"]));
        let body = body.filter(|body| !body.contains("Problem")).map(|body| format!(": {body}")).unwrap_or_default();
        writeln!(page, "| {status} | {}{body} |", one_line(text(response, "description"))).unwrap();
    }
}

fn write_schema(page: &mut String, name: &str, schema: &Value) {
    writeln!(page, "\n### {name}\n\n{}", one_line(text(schema, "description"))).unwrap();
    let Some(members) = schema.get("properties").and_then(Value::as_object) else {
        if let Some(choices) = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(*key)?.as_array()) {
            let choices: Vec<_> = choices.iter().map(kind).collect();
            writeln!(page, "\n{}", choices.join(", or ")).unwrap();
        }
        return;
    };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    page.push_str("\n| field | type | what |\n| --- | --- | --- |\n");
    for (member, schema) in members {
        let optional = if required.contains(&member.as_str()) { "" } else { ", optional" };
        let what = format!("{}{}", one_line(text(schema, "description")), bounds(schema));
        writeln!(page, "| `{member}` | {}{optional} | {what} |", kind(schema)).unwrap();
    }
}

/// A schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = ["oneOf", "anyOf", "allOf"].iter().find_map(|key| schema.get(*key)?.as_array()) {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}

fn bounds(schema: &Value) -> String {
    let mut told = Vec::new();
    for (key, word) in [
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("minLength", "at least this many characters:"),
        ("maxLength", "at most this many characters:"),
        ("default", "default"),
        ("example", "such as"),
    ] {
        if let Some(value) = schema.get(key).filter(|value| !value.is_object() && !value.is_array()) {
            told.push(format!("{word} `{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
    }
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

fn one_line(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}
