//! Lists in pages: `{"items":[...],"next_cursor":"..."|null}`.
//!
//! A cursor holds the place behind the last item and the filters of the list, so that a client follows it without
//! repeating anything. It is opaque, and anything that is no cursor of the same list is refused.

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use schemas::FieldCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::input::{Parameters, Refusal, number};

/// How many items a page has at most.
pub const MAX_LIMIT: usize = 200;
/// How many items a page has where the client does not say.
pub const DEFAULT_LIMIT: usize = 50;

/// Which page of a list is asked for.
#[derive(Clone, Debug)]
pub struct PageRequest<F, P> {
    /// How many items at most.
    pub limit: usize,
    /// What is listed: the cursor's, else the request's own.
    pub filters: F,
    /// Behind which place the page begins; none for the first.
    pub after: Option<P>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor<F, P> {
    /// Which list it belongs to.
    l: String,
    f: F,
    p: P,
}

/// One page of a list.
#[derive(Clone, Debug, Serialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<F, P> PageRequest<F, P>
where
    F: Serialize + DeserializeOwned + Default + PartialEq,
    P: Serialize + DeserializeOwned,
{
    /// Reads `limit` and `cursor`; `filters` have been read from the same parameters and are its own beside a cursor only
    /// where they are the same.
    ///
    /// # Errors
    /// 400 with every fault of the query, also those that were found before.
    pub fn read(list: &str, mut parameters: Parameters, filters: F) -> Result<Self, Problem> {
        let limit = parameters.optional("limit", number(1..=MAX_LIMIT)).unwrap_or(DEFAULT_LIMIT);
        let cursor = parameters.optional("cursor", |text| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
            let cursor = bytes.and_then(|bytes| serde_json::from_slice::<Cursor<F, P>>(&bytes).ok());
            let invalid =
                || Refusal::new(FieldCode::InvalidFormat, "is not a cursor of this list; send next_cursor as it came");
            let cursor = cursor.filter(|cursor| cursor.l == list).ok_or_else(invalid)?;
            if filters != F::default() && filters != cursor.f {
                let detail = "belongs to a list with other filters; begin again without it";
                return Err(Refusal::new(FieldCode::Conflict, detail));
            }
            Ok(cursor)
        });
        parameters.finish()?;
        Ok(match cursor {
            Some(cursor) => PageRequest { limit, filters: cursor.f, after: Some(cursor.p) },
            None => PageRequest { limit, filters, after: None },
        })
    }

    /// How many items to look for: one more than asked for says whether there is a next page.
    #[must_use]
    pub fn lookahead(&self) -> i64 {
        i64::try_from(self.limit).map_or(i64::MAX, |limit| limit + 1)
    }

    /// The page and the cursor to the next one, of up to [`lookahead`](Self::lookahead) items.
    ///
    /// # Errors
    /// Where the cursor cannot be written.
    pub fn cut<T>(
        &self,
        list: &str,
        mut items: Vec<T>,
        place: impl FnOnce(&T) -> P,
    ) -> Result<(Vec<T>, Option<String>), Problem>
    where
        F: Clone,
    {
        let has_next = items.len() > self.limit;
        items.truncate(self.limit);
        let next_cursor = match items.last() {
            Some(last) if has_next => {
                let cursor = Cursor { l: list.to_owned(), f: self.filters.clone(), p: place(last) };
                let json = serde_json::to_vec(&cursor).map_err(Problem::internal)?;
                Some(BASE64_URL_SAFE_NO_PAD.encode(json))
            }
            _ => None,
        };
        Ok((items, next_cursor))
    }

    /// The answer: a page of up to [`lookahead`](Self::lookahead) items, with a link to the next one.
    ///
    /// # Errors
    /// Where the cursor cannot be written.
    pub fn answer<T: Serialize>(
        &self,
        path: &str,
        items: Vec<T>,
        place: impl FnOnce(&T) -> P,
    ) -> Result<Response, Problem>
    where
        F: Clone,
    {
        let (items, next_cursor) = self.cut(path, items, place)?;
        let link = next_cursor.as_ref().map(|cursor| next_link(path, self.limit, cursor)).transpose()?;
        let mut response = Json(Page { items, next_cursor }).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }
}

/// `Link` to the next page (RFC 8288).
///
/// # Errors
/// Where the path has characters that no header may have.
pub fn next_link(path: &str, limit: usize, cursor: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(&format!("<{path}?limit={limit}&cursor={cursor}>; rel=\"next\"")).map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Request = PageRequest<Option<String>, i64>;

    fn read(query: &str, filter: Option<&str>) -> Result<Request, Problem> {
        Request::read("/products", Parameters::parse(query), filter.map(str::to_owned))
    }

    fn cursor_behind(request: &Request, items: Vec<i64>) -> Option<String> {
        request.cut("/products", items, |item| *item).unwrap().1
    }

    #[test]
    fn following_cursors_meets_every_item_once_with_the_filters_of_the_first_page() {
        let all: Vec<i64> = (1..=7).collect();
        let (mut met, mut query, mut filter) = (Vec::new(), "limit=3".to_owned(), Some("lamps"));
        loop {
            let request = read(&query, filter).unwrap();
            assert_eq!(request.filters.as_deref(), Some("lamps"));
            let behind = |item: &&i64| request.after.is_none_or(|after| **item > after);
            let wanted = usize::try_from(request.lookahead()).unwrap();
            let found = all.iter().filter(behind).take(wanted).copied().collect();
            let (items, next) = request.cut("/products", found, |item| *item).unwrap();
            met.extend(items);
            let Some(next) = next else { break };
            (query, filter) = (format!("limit=3&cursor={next}"), None);
        }
        assert_eq!(met, all);
    }

    #[test]
    fn a_cursor_of_another_list_or_of_other_filters_is_refused() {
        let cursor = cursor_behind(&read("limit=1", Some("lamps")).unwrap(), vec![1, 2]).unwrap();
        assert!(read(&format!("cursor={cursor}"), Some("lamps")).is_ok());
        assert!(read(&format!("cursor={cursor}"), Some("chairs")).is_err());
        let elsewhere = Request::read("/orders", Parameters::parse(&format!("cursor={cursor}")), None);
        assert!(elsewhere.is_err());
        for text in ["", "x", "e30", "%00"] {
            assert!(read(&format!("cursor={text}"), None).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_from_1_to_200() {
        assert_eq!(read("", None).unwrap().limit, 50);
        for limit in ["0", "201", "-1", "+5", "ten", ""] {
            assert!(read(&format!("limit={limit}"), None).is_err(), "{limit}");
        }
    }
}
