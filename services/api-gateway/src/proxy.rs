//! Passing requests on: bodies as streams in both directions, identity as an internal token.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::response::Response;
use futures_util::Stream;
use service_kit::auth::Caller;
use service_kit::client::Peer;
use service_kit::input::{MAX_BODY_BYTES, body_too_large, check_content_length};
use service_kit::{Kind, Problem, RequestContext};

use crate::identity::{WRITE_KEY, WRITE_KEY_PARAMETER};

/// Headers that are about one connection (RFC 9110, 7.6.1), or that the client or the gateway writes itself.
const NOT_PASSED_ON: [HeaderName; 9] = [
    header::CONNECTION,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];
/// Headers by which callers prove who they are: services have no use for them.
const CREDENTIALS: [HeaderName; 3] = [header::AUTHORIZATION, header::COOKIE, HeaderName::from_static(WRITE_KEY)];

/// Passes a request on to a service, and its answer back.
pub(crate) async fn forward(
    peer: &Peer,
    caller: &Caller,
    context: &RequestContext,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    check_content_length(&parts.headers)?;
    let (path, headers) = (path_and_query(&parts), passed_on(&parts.headers));
    let send = |headers, body: Option<reqwest::Body>| {
        let finish = move |request: reqwest::RequestBuilder| match body {
            Some(body) => request.body(body),
            None => request,
        };
        peer.send(parts.method.clone(), &path, headers, caller, context, finish)
    };
    if matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE) {
        let result = match send(headers.clone(), None).await {
            // A service that has just been replaced: what only reads can be sent again.
            Err(problem) if is_down(&problem) && parts.method != Method::DELETE => send(headers, None).await,
            result => result,
        };
        return result.map(answer);
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let body = Limited { body: body.into_data_stream(), left: MAX_BODY_BYTES, is_over: Arc::clone(&is_over) };
    match send(headers, Some(reqwest::Body::wrap_stream(body))).await {
        Ok(response) => Ok(answer(response)),
        Err(_) if is_over.load(Ordering::Relaxed) => Err(body_too_large()),
        Err(problem) => Err(problem),
    }
}

fn is_down(problem: &Problem) -> bool {
    problem.kind() == Kind::DependencyUnavailable
}

/// The path and the query as they came, without the write key.
fn path_and_query(parts: &Parts) -> String {
    match parts.uri.query().map(without_write_key).filter(|query| !query.is_empty()) {
        Some(query) => format!("{}?{query}", parts.uri.path()),
        None => parts.uri.path().to_owned(),
    }
}

/// The headers that are not about the connection or the caller's credentials.
fn passed_on(received: &HeaderMap) -> HeaderMap {
    let mut headers = received.clone();
    let named = connection_headers(received);
    for name in NOT_PASSED_ON.iter().chain(&CREDENTIALS).chain(&named) {
        headers.remove(name);
    }
    headers
}

/// Headers that `Connection` names are about the connection as well.
fn connection_headers(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// The query as it came, without the write key.
fn without_write_key(query: &str) -> String {
    let is_key = |pair: &&str| pair.split('=').next() == Some(WRITE_KEY_PARAMETER);
    query.split('&').filter(|pair| !is_key(pair)).collect::<Vec<_>>().join("&")
}

fn answer(response: reqwest::Response) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = response.status();
    let mut headers = response.headers().clone();
    let named = connection_headers(&headers);
    for name in NOT_PASSED_ON.iter().chain(&named) {
        headers.remove(name);
    }
    *answer.headers_mut() = headers;
    *answer.body_mut() = Body::from_stream(response.bytes_stream());
    answer
}

/// A body that fails when it is longer than bodies may be.
struct Limited {
    body: BodyDataStream,
    left: usize,
    is_over: Arc<AtomicBool>,
}

impl Stream for Limited {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.body).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => match self.left.checked_sub(bytes.len()) {
                Some(left) => {
                    self.left = left;
                    Poll::Ready(Some(Ok(bytes)))
                }
                None => {
                    self.is_over.store(true, Ordering::Relaxed);
                    Poll::Ready(Some(Err(axum::Error::new("the body is too long"))))
                }
            },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_write_key_is_taken_out_of_the_query_and_the_rest_stays_as_it_came() {
        assert_eq!(without_write_key("write_key=secret"), "");
        assert_eq!(without_write_key("a=%2F&write_key=secret&b=c+d"), "a=%2F&b=c+d");
        assert_eq!(without_write_key("write_keys=1"), "write_keys=1");
    }
}
