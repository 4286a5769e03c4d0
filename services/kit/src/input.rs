//! What requests carry: bodies and query parameters, read with every fault told at once.
//!
//! A field is read by a [`rule`], which judges one JSON value; parameters are texts and are judged by theirs.
//!
//! ```
//! use service_kit::input::{Fields, rule};
//!
//! let mut fields = Fields::parse(br#"{"name": "Lamp", "price": 19.9, "colour": "red"}"#)?;
//! let name = fields.required("name", rule::text(1..=200));
//! let price = fields.required("price", rule::money(2));
//! let problem = fields.finish(|| Some((name?, price?))).unwrap_err();
//! assert_eq!(problem.faults().len(), 1); // there is no colour
//! # Ok::<(), service_kit::Problem>(())
//! ```

pub mod rule;

use std::fmt;
use std::ops::RangeInclusive;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use schemas::FieldCode;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Fault, Kind, Place, Problem};

/// The longest body that is taken, in bytes.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// A JSON body, not read yet: of the right type, and not too long.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_content_length(request.headers())?;
        check_is_json(request.headers())?;
        let mut request = request;
        axum::extract::DefaultBodyLimit::max(MAX_BODY_BYTES).apply(&mut request);
        match Bytes::from_request(request, state).await {
            Ok(body) => Ok(RawBody(body)),
            Err(rejection) => Err(unreadable(&rejection)),
        }
    }
}

/// Judges a body by the length that it is told to have.
///
/// # Errors
/// [`body_too_large`].
pub fn check_content_length(headers: &HeaderMap) -> Result<(), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_BODY_BYTES as u64) { Err(body_too_large()) } else { Ok(()) }
}

/// 413: the body is longer than [`MAX_BODY_BYTES`].
#[must_use]
pub fn body_too_large() -> Problem {
    Problem::new(Kind::BodyTooLarge, format!("the body is longer than {MAX_BODY_BYTES} bytes; send it in parts"))
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return body_too_large();
    }
    Problem::new(Kind::MalformedRequest, "the body did not arrive whole; send it again")
}

/// `application/json`, also with parameters, and its relatives such as `application/merge-patch+json`.
fn check_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("unreadable"));
    let essence = given.unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let what = given.map_or("missing".to_owned(), |given| format!("{given:?}"));
    Err(Problem::new(Kind::UnsupportedMediaType, format!("Content-Type is {what}; send application/json")))
}

/// What is wrong with a value, before it is known where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: FieldCode,
    /// What would be right, to stand behind the field's name: `must be ...`.
    pub detail: String,
}

impl Refusal {
    /// A refusal with its reason.
    pub fn new(code: FieldCode, detail: impl Into<String>) -> Self {
        Refusal { code, detail: detail.into() }
    }

    fn of(self, name: &str, place: Place) -> Fault {
        Fault { place, code: self.code, detail: format!("{name} {}", self.detail) }
    }
}

/// The members of a JSON object, read field by field.
#[derive(Debug)]
pub struct Fields<'a> {
    members: Members<'a>,
    faults: Vec<Fault>,
}

impl<'a> Fields<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 for what is no JSON, 422 for JSON that is no object.
    pub fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        let json: &RawValue = serde_json::from_slice(body).map_err(|error| {
            Problem::new(Kind::MalformedRequest, format!("the body is not JSON: {error}; send one JSON object"))
        })?;
        if !json.get().starts_with('{') {
            let place = Place::Pointer(String::new());
            let detail = "the body must be a JSON object".to_owned();
            return Err(Problem::of_faults(vec![Fault { place, code: FieldCode::WrongType, detail }]));
        }
        let members: Members<'a> = serde_json::from_str(json.get()).map_err(Problem::internal)?;
        let faults = members.duplicates.iter().map(|name| {
            let detail = format!("{name} is there more than once; send it once");
            Fault { place: Place::Pointer(pointer(name)), code: FieldCode::Duplicate, detail }
        });
        Ok(Fields { faults: faults.collect(), members })
    }

    /// A field that must be there and not null. `None` is a fault that [`finish`](Self::finish) tells.
    pub fn required<T>(&mut self, name: &str, rule: impl FnOnce(&RawValue) -> Result<T, Refusal>) -> Option<T> {
        match self.members.take(name) {
            Some(value) => self.judge(name, value, rule),
            None => {
                self.fault(name, Refusal::new(FieldCode::Required, "is required"));
                None
            }
        }
    }

    /// A field that may be left out. `None` is a fault.
    pub fn or<T>(&mut self, name: &str, default: T, rule: impl FnOnce(&RawValue) -> Result<T, Refusal>) -> Option<T> {
        self.optional(name, rule).map(|value| value.unwrap_or(default))
    }

    /// A field that may be left out: `Some(None)`. `None` is a fault.
    // Two options, two questions: was it valid, and was it there.
    #[allow(clippy::option_option)]
    pub fn optional<T>(&mut self, name: &str, rule: impl FnOnce(&RawValue) -> Result<T, Refusal>) -> Option<Option<T>> {
        match self.members.take(name) {
            Some(value) => self.judge(name, value, rule).map(Some),
            None => Some(None),
        }
    }

    /// A field of a JSON Merge Patch (RFC 7396), where `null` sets `default`: like [`optional`](Self::optional).
    #[allow(clippy::option_option)]
    pub fn patched<T>(
        &mut self,
        name: &str,
        default: T,
        rule: impl FnOnce(&RawValue) -> Result<T, Refusal>,
    ) -> Option<Option<T>> {
        match self.members.take(name) {
            Some(value) if value.get() == "null" => Some(Some(default)),
            Some(value) => self.judge(name, value, rule).map(Some),
            None => Some(None),
        }
    }

    fn judge<T>(
        &mut self,
        name: &str,
        value: &RawValue,
        rule: impl FnOnce(&RawValue) -> Result<T, Refusal>,
    ) -> Option<T> {
        rule(value).map_err(|refusal| self.fault(name, refusal)).ok()
    }

    /// Tells a fault of the field that no rule of a single value finds.
    pub fn fault(&mut self, name: &str, refusal: Refusal) {
        self.faults.push(refusal.of(name, Place::Pointer(pointer(name))));
    }

    /// What was read, once no fault is left: fields that nobody read are faults as well.
    ///
    /// # Errors
    /// 422 with every fault.
    pub fn finish<T>(mut self, value: impl FnOnce() -> Option<T>) -> Result<T, Problem> {
        for (name, _) in std::mem::take(&mut self.members.unread) {
            self.fault(&name, Refusal::new(FieldCode::Unknown, "is not a field of this resource; leave it out"));
        }
        if !self.faults.is_empty() {
            return Err(Problem::of_faults(self.faults));
        }
        value().ok_or_else(|| Problem::internal("a field was refused without a fault"))
    }
}

/// The pointer to a member of the body (RFC 6901).
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The members of an object in their order, and the names that occurred again.
#[derive(Debug, Default)]
struct Members<'a> {
    unread: Vec<(String, &'a RawValue)>,
    duplicates: Vec<String>,
}

impl<'a> Members<'a> {
    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let index = self.unread.iter().position(|(present, _)| present == name)?;
        Some(self.unread.swap_remove(index).1)
    }
}

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members::default();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.unread.iter().any(|(present, _)| *present == name) {
                        members.duplicates.push(name);
                    } else {
                        members.unread.push((name, value));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// The query parameters of a request, read one by one.
#[derive(Debug)]
pub struct Parameters {
    unread: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Parameters::parse(parts.uri.query().unwrap_or("")))
    }
}

impl Parameters {
    /// Reads a query, without its question mark.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let mut parameters = Parameters { unread: Vec::new(), faults: Vec::new() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.unread.iter().any(|(present, _)| *present == name) {
                parameters.fault(&name, Refusal::new(FieldCode::Duplicate, "is there more than once; send it once"));
            } else {
                parameters.unread.push((name.into_owned(), value.into_owned()));
            }
        }
        parameters
    }

    /// A parameter, where it is there and valid. Faults are told by [`finish`](Self::finish).
    pub fn optional<T>(&mut self, name: &str, rule: impl FnOnce(&str) -> Result<T, Refusal>) -> Option<T> {
        let index = self.unread.iter().position(|(present, _)| present == name)?;
        let (_, value) = self.unread.swap_remove(index);
        let judged = if value.contains('\0') {
            Err(Refusal::new(FieldCode::InvalidFormat, "has a NUL character; leave it out"))
        } else {
            rule(&value)
        };
        judged.map_err(|refusal| self.fault(name, refusal)).ok()
    }

    fn fault(&mut self, name: &str, refusal: Refusal) {
        self.faults.push(refusal.of(name, Place::Parameter(name.to_owned())));
    }

    /// Ends the reading: parameters that nobody read are faults as well.
    ///
    /// # Errors
    /// 400 with every fault.
    pub fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.unread) {
            self.fault(&name, Refusal::new(FieldCode::Unknown, "is not a parameter of this resource; leave it out"));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::of_faults(self.faults)) }
    }
}

/// A parameter that is a number of this range, in digits alone.
pub fn number(range: RangeInclusive<usize>) -> impl FnOnce(&str) -> Result<usize, Refusal> {
    move |text| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| is_number && range.contains(number)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            Refusal::new(FieldCode::InvalidFormat, format!("is {text:?}; it must be a number from {least} to {most}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: fmt::Debug>(rule: impl FnOnce(&RawValue) -> Result<T, Refusal>, json: &str) -> FieldCode {
        rule(serde_json::from_str(json).unwrap()).unwrap_err().code
    }

    fn accepted<T>(rule: impl FnOnce(&RawValue) -> Result<T, Refusal>, json: &str) -> T {
        rule(serde_json::from_str(json).unwrap()).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    #[test]
    fn all_faults_of_a_body_are_told_at_once() {
        let body = br#"{"name":"","name":"x","price":"1.999","stock_quantity":-1,"colour/~":1}"#;
        let mut fields = Fields::parse(body).unwrap();
        let name = fields.required("name", rule::text(1..=200));
        let price = fields.required("price", rule::money(2));
        let stock = fields.or("stock_quantity", 0, rule::integer(0..=10));
        let category = fields.required("category", rule::text(0..=10));
        let problem = fields.finish(|| Some((name?, price?, stock?, category?))).unwrap_err();
        assert_eq!(problem.kind(), Kind::ValidationFailed);
        let mut told: Vec<_> = problem
            .faults()
            .iter()
            .map(|fault| match &fault.place {
                Place::Pointer(pointer) => (pointer.as_str(), fault.code.code()),
                Place::Parameter(parameter) => (parameter.as_str(), fault.code.code()),
            })
            .collect();
        told.sort_unstable();
        let expected = [
            ("/category", "required"),
            ("/colour~1~0", "unknown"),
            ("/name", "duplicate"),
            ("/name", "too_short"),
            ("/price", "too_many_digits"),
            ("/stock_quantity", "below_minimum"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn money_is_read_from_its_literal_and_never_through_a_float() {
        let of = |json| accepted(rule::money(2), json).to_string();
        assert_eq!(
            [of("19.99"), of("\"19.99\""), of("5"), of("\"5.5\""), of("1.100"), of("70368744177664.01")],
            ["19.99", "19.99", "5.00", "5.50", "1.10", "70368744177664.01"]
        );
        assert_eq!(refused(rule::money(2), "1.001"), FieldCode::TooManyDigits);
        assert_eq!(refused(rule::money(2), "99999999999999999999"), FieldCode::InvalidFormat);
        assert_eq!(refused(rule::money(2), "1e2"), FieldCode::InvalidFormat);
        assert_eq!(refused(rule::money(2), "-0.01"), FieldCode::BelowMinimum);
        assert_eq!(refused(rule::money(2), "true"), FieldCode::WrongType);
    }

    #[test]
    fn integers_are_whole_and_in_range() {
        let rule = || rule::integer(0..=100);
        assert_eq!(accepted(rule(), "100"), 100);
        assert_eq!(refused(rule(), "1.0"), FieldCode::InvalidFormat);
        assert_eq!(refused(rule(), "\"1\""), FieldCode::WrongType);
        assert_eq!(refused(rule(), "101"), FieldCode::AboveMaximum);
        assert_eq!(refused(rule(), "99999999999999999999"), FieldCode::AboveMaximum);
        assert_eq!(refused(rule(), "-99999999999999999999"), FieldCode::BelowMinimum);
    }

    #[test]
    fn texts_are_counted_in_characters_and_have_no_nul_and_no_half_surrogates() {
        assert_eq!(accepted(rule::text(1..=2), "\"\\u00e4ö\""), "äö");
        assert_eq!(refused(rule::text(1..=2), "\"abc\""), FieldCode::TooLong);
        assert_eq!(refused(rule::text(1..=2), "\"\\u0000\""), FieldCode::InvalidFormat);
        assert_eq!(refused(rule::text(1..=2), "\"\\ud800\""), FieldCode::InvalidFormat);
        assert_eq!(refused(rule::text(1..=2), "1"), FieldCode::WrongType);
    }

    #[test]
    fn ids_are_strings_or_integers_with_one_spelling() {
        assert_eq!(accepted(rule::id, "\"42\""), accepted(rule::id, "42"));
        for json in ["\"042\"", "0", "-1", "\"+1\"", "1.0", "\"\"", "9223372036854775808", "null"] {
            assert_eq!(refused(rule::id, json), FieldCode::InvalidFormat, "{json}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_is_told_apart_from_one_that_is_no_json() {
        assert_eq!(Fields::parse(b"[]").unwrap_err().kind(), Kind::ValidationFailed);
        for body in [&b"{"[..], b"", b"{} {}", b"\xff", b"{\"a\":1,}"] {
            assert_eq!(Fields::parse(body).unwrap_err().kind(), Kind::MalformedRequest, "{body:?}");
        }
    }

    #[test]
    fn unknown_and_repeated_parameters_are_faults() {
        let mut parameters = Parameters::parse("q=a+b&q=c&limt=3");
        assert_eq!(parameters.optional("q", |text| Ok(text.to_owned())).as_deref(), Some("a b"));
        let problem = parameters.finish().unwrap_err();
        assert_eq!(problem.kind(), Kind::MalformedRequest);
        let codes: Vec<_> = problem.faults().iter().map(|fault| fault.code).collect();
        assert_eq!(codes, [FieldCode::Duplicate, FieldCode::Unknown]);
    }
}
