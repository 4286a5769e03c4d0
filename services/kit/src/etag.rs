//! Versions of resources: entity tags and the conditions that clients put on them (RFC 9110, 8.8.3 and 13).

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemas::FieldCode;

use crate::{Kind, Problem};

/// The version of a resource: it grows by every change that a client can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub i64);

impl Version {
    /// Its tag, such as `"7"` with the quotes.
    #[must_use]
    pub fn tag(self) -> String {
        format!("\"{}\"", self.0)
    }

    /// The header that carries the tag.
    #[must_use]
    pub fn header(self) -> (HeaderName, HeaderValue) {
        // Quotes and digits are always a valid value.
        (ETAG, HeaderValue::from_str(&self.tag()).unwrap_or(HeaderValue::from_static("\"0\"")))
    }
}

/// The versions that a request names.
#[derive(Clone, Debug, Default)]
pub struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

#[derive(Clone, Debug)]
enum Tags {
    Any,
    /// With their quotes, and `W/` in front of weak ones.
    List(Vec<String>),
}

impl Tags {
    /// `*`, or a list of tags separated by commas.
    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Tags::Any);
        }
        let mut tags = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let weak = rest.strip_prefix("W/");
            let inner = weak.unwrap_or(rest).strip_prefix('"')?;
            let (tag, after) = inner.split_once('"')?;
            tags.push(format!("{}\"{tag}\"", if weak.is_some() { "W/" } else { "" }));
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(more) => more.trim_start(),
                None if after.is_empty() => "",
                None => return None,
            };
        }
        (!tags.is_empty()).then_some(Tags::List(tags))
    }

    fn read(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, Problem> {
        let mut lines = Vec::new();
        for value in headers.get_all(name) {
            lines.push(value.to_str().unwrap_or("unreadable"));
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let text = lines.join(", ");
        Tags::parse(&text).map(Some).ok_or_else(|| {
            let detail = format!("{name} is {text:?}; send the ETag as it came, with its quotes, or *");
            Problem::parameter(name.as_str(), FieldCode::InvalidFormat, detail)
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Preconditions {
            if_match: Tags::read(&parts.headers, &IF_MATCH)?,
            if_none_match: Tags::read(&parts.headers, &IF_NONE_MATCH)?,
        })
    }
}

impl Preconditions {
    /// For changes that must name the version that they change.
    ///
    /// # Errors
    /// 428 without `If-Match`.
    pub fn require(&self) -> Result<(), Problem> {
        if self.if_match.is_some() {
            return Ok(());
        }
        Err(Problem::new(
            Kind::PreconditionRequired,
            "this change needs If-Match with the ETag of the version that it is made from; read the resource first",
        ))
    }

    /// Holds `If-Match` against the present version, by strong comparison.
    ///
    /// # Errors
    /// 412 where it names others.
    pub fn check(&self, present: Version) -> Result<(), Problem> {
        match &self.if_match {
            Some(Tags::List(tags)) if !tags.contains(&present.tag()) => Err(Problem::new(
                Kind::StaleVersion,
                format!("the resource is now in version {}; read it again and repeat the change", present.tag()),
            )
            .with_header_of(present)),
            _ => Ok(()),
        }
    }

    /// The answer to a read: without a body where the client has the present version, by weak comparison.
    pub fn answer(&self, present: Version, response: impl IntoResponse) -> Response {
        let is_known = match &self.if_none_match {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::List(tags)) => tags.iter().any(|tag| tag.trim_start_matches("W/") == present.tag()),
        };
        if is_known {
            (StatusCode::NOT_MODIFIED, [present.header()]).into_response()
        } else {
            ([present.header()], response).into_response()
        }
    }
}

impl Problem {
    fn with_header_of(self, version: Version) -> Self {
        let (name, value) = version.header();
        self.with_header(name, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preconditions(if_match: &str) -> Preconditions {
        Preconditions { if_match: Some(Tags::parse(if_match).unwrap()), if_none_match: None }
    }

    #[test]
    fn a_change_is_made_to_a_version_that_it_names() {
        for text in ["\"7\"", "*", "\"6\", \"7\"", " \"7\" ,\"8\""] {
            assert!(preconditions(text).check(Version(7)).is_ok(), "{text}");
        }
        for text in ["\"6\"", "W/\"7\"", "\"77\""] {
            assert_eq!(preconditions(text).check(Version(7)).unwrap_err().kind(), Kind::StaleVersion, "{text}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for text in ["7", "", "\"7", "\"7\" \"8\"", "w/\"7\"", ","] {
            assert!(Tags::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_client_that_has_the_version_gets_no_body() {
        let known = Preconditions { if_match: None, if_none_match: Tags::parse("W/\"7\"") };
        assert_eq!(known.answer(Version(7), "body").status(), StatusCode::NOT_MODIFIED);
        assert_eq!(known.answer(Version(8), "body").status(), StatusCode::OK);
    }
}
