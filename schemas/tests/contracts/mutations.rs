//! Small changes to JSON objects: what a careless writer of a contract would do.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// One change to an object.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    /// A field is dropped.
    Drop(Index),
    /// A field has another value, mostly of another type.
    Retype(Index, Value),
    /// A field is added or, if the object has it, replaced.
    Add(&'static str, Value),
    /// A field has the value of another one.
    Copy(Index, Index),
    /// A character of a string is replaced.
    Replace(Index, Index, char),
    /// A character is appended to a string.
    Append(Index, char),
    /// The object is no object.
    Whole(Value),
}

pub(crate) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    prop::collection::vec(mutation(), 1..=2)
}

pub(crate) fn apply(value: &mut Value, mutations: &[Mutation]) {
    for mutation in mutations {
        change(value, mutation);
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let added = [
        "extra",
        "final",
        "text",
        "base64",
        "original_length",
        "original_sha256",
        "revision",
        "metadata",
        "detail",
        "watermark",
    ];
    let character = prop::sample::select("0123456789aA-:.TZtz+ é\"\\\0".chars().collect::<Vec<_>>());
    prop_oneof![
        2 => any::<Index>().prop_map(Mutation::Drop),
        6 => (any::<Index>(), odd_value()).prop_map(|(field, value)| Mutation::Retype(field, value)),
        2 => (prop::sample::select(added.to_vec()), odd_value()).prop_map(|(field, value)| Mutation::Add(field, value)),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(to, from)| Mutation::Copy(to, from)),
        4 => (any::<Index>(), any::<Index>(), character.clone()).prop_map(|(field, at, c)| Mutation::Replace(field, at, c)),
        2 => (any::<Index>(), character).prop_map(|(field, c)| Mutation::Append(field, c)),
        1 => odd_value().prop_map(Mutation::Whole),
    ]
}

fn odd_value() -> impl Strategy<Value = Value> {
    let digest = "0123456789abcdef".repeat(4);
    let values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!([1]),
        json!({"user_id": "u1"}),
        json!(0),
        json!(1),
        json!(-1),
        json!(42),
        json!(65_536),
        json!(65_537),
        json!(u64::from(u32::MAX) + 1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(42.0),
        json!(-0.0),
        json!(1.5),
        json!(1e30),
        json!(1e-7),
        json!(""),
        json!(" "),
        json!("x"),
        json!("42"),
        json!("x".repeat(256)),
        json!("x".repeat(257)),
        json!("é".repeat(128)),
        json!("é".repeat(129)),
        json!("null"),
        json!("late"),
        json!("job"),
        json!("empty"),
        json!("future"),
        json!("not_json"),
        json!("NOT_JSON"),
        json!("invalid_user_id"),
        json!("order.paid"),
        json!("order.pending"),
        json!("PAID"),
        json!("PENDING"),
        json!("paid"),
        json!("EUR"),
        json!("eur"),
        json!("EURO"),
        json!("0.00"),
        json!("0"),
        json!("19.99"),
        json!("-1.00"),
        json!("19.99999"),
        json!("01"),
        json!("1."),
        json!(".5"),
        json!("1e3"),
        json!("99999999999999999999"),
        json!("/w=="),
        json!("/x=="),
        json!("/w"),
        json!("//8="),
        json!("//9="),
        json!("AAAA"),
        json!(digest),
        json!(digest.to_uppercase()),
        json!("2024-01-01T12:00:00Z"),
        json!("2024-01-01T12:01:00Z"),
        json!("2024-01-01T12:00:30Z"),
        json!("2024-01-01T12:00:00.000Z"),
        json!("2024-01-01T12:00:00+00:00"),
        json!("2024-02-29T00:00:00Z"),
        json!("2023-02-29T00:00:00Z"),
        json!("2024-04-31T00:00:00.000Z"),
        json!("1969-12-31T23:59:00Z"),
        json!("1969-12-31T23:59:00-00:01"),
        json!("9999-12-31T23:59:00Z"),
        json!("9999-12-31T23:59:59-00:01"),
        json!("10000-01-01T00:00:00Z"),
        json!("2016-12-31T23:59:60Z"),
        json!("1968-01-01T00:00:00+00:00"),
        json!("2024-01-01t12:00:00.5z"),
        json!("2024-01-01 12:00:00Z"),
        json!("2024-01-01T12:00Z"),
        json!("2024-13-01T12:00:00Z"),
        json!("2024-01-01T24:00:00Z"),
    ];
    prop::sample::select(values)
}

fn change(value: &mut Value, mutation: &Mutation) {
    if let Mutation::Whole(other) = mutation {
        *value = other.clone();
        return;
    }
    let Some(object) = value.as_object_mut() else { return };
    let keys: Vec<String> = object.keys().cloned().collect();
    let field_at = |index: &Index| (!keys.is_empty()).then(|| index.get(&keys).clone());
    match mutation {
        Mutation::Drop(field) => {
            if let Some(field) = field_at(field) {
                object.remove(&field);
            }
        }
        Mutation::Retype(field, other) => {
            if let Some(field) = field_at(field) {
                object.insert(field, other.clone());
            }
        }
        Mutation::Add(field, other) => {
            object.insert((*field).to_owned(), other.clone());
        }
        Mutation::Copy(to, from) => {
            if let (Some(to), Some(from)) = (field_at(to), field_at(from)) {
                object.insert(to, object[&from].clone());
            }
        }
        Mutation::Replace(field, at, c) => {
            if let Some(Value::String(text)) = field_at(field).and_then(|field| object.get_mut(&field)) {
                let mut characters: Vec<char> = text.chars().collect();
                if !characters.is_empty() {
                    *at.get_mut(&mut characters) = *c;
                }
                *text = characters.into_iter().collect();
            }
        }
        Mutation::Append(field, c) => {
            if let Some(Value::String(text)) = field_at(field).and_then(|field| object.get_mut(&field)) {
                text.push(*c);
            }
        }
        Mutation::Whole(_) => {}
    }
}
