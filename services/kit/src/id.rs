//! Ids of things in the shop.

use std::fmt;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::openapi::RefOr;

use crate::Problem;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// The id of a product, customer or order: a positive integer, in JSON always a string of its digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(i64);

impl Id {
    /// `None` for zero and less.
    #[must_use]
    pub const fn new(number: i64) -> Option<Self> {
        if number > 0 { Some(Id(number)) } else { None }
    }

    /// The number, as the database has it.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Id {
    type Err = &'static str;

    /// Digits alone, without a sign or leading zeros: every id has one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_spelt_so = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse().ok().filter(|_| is_spelt_so).and_then(Id::new).ok_or("no id; ids are positive integers such as 42")
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl utoipa::PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[1-9][0-9]{0,18}$"))
            .description(Some("A positive integer, written as a string."))
            .examples([serde_json::json!("42")])
            .into()
    }
}

impl utoipa::ToSchema for Id {}

/// The id in the path of a route that has one parameter. What is no id is nobody's id: it is told by [`found`](Self::found),
/// where the resource is looked for, and not before the faults of the request.
#[derive(Clone, Copy, Debug)]
pub struct PathId(Option<Id>);

impl PathId {
    /// The id.
    ///
    /// # Errors
    /// 404 for what is none.
    pub fn found(self) -> Result<Id, Problem> {
        self.0.ok_or_else(|| Problem::not_found("the path has no id; ids are positive integers such as 42"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        Ok(PathId(text.ok().and_then(|Path(text)| text.parse().ok())))
    }
}
