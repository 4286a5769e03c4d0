//! What browsers are told: which pages may call, and what answers may do to a page.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, header};
use service_kit::idempotency_headers::{IDEMPOTENCY_KEY, REPLAYED};
use service_kit::{Error, REQUEST_ID, TRACEPARENT};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::analytics::LAST_EVENT_ID;
use crate::identity::WRITE_KEY;

/// How long a browser remembers what it was allowed.
const MAX_AGE: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Headers of every answer that does not bring its own. Answers are data: nothing in them is to be run, framed or guessed at.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
];

/// The layers around all routes.
pub(crate) fn layers(allowed_origins: &[String]) -> Result<impl FnOnce(Router) -> Router + Send + 'static, Error> {
    let cors = cors(allowed_origins)?;
    Ok(move |routes: Router| {
        let with_headers = HEADERS.into_iter().fold(routes, |routes, (name, value)| {
            routes.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
        });
        with_headers.layer(cors)
    })
}

fn cors(allowed_origins: &[String]) -> Result<CorsLayer, Error> {
    let origins: Vec<&str> =
        allowed_origins.iter().map(|origin| origin.trim()).filter(|origin| !origin.is_empty()).collect();
    let allowed = if origins.contains(&"*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.into_iter().map(origin).collect::<Result<Vec<_>, _>>()?)
    };
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            IDEMPOTENCY_KEY,
            HeaderName::from_static(LAST_EVENT_ID),
            HeaderName::from_static(WRITE_KEY),
            HeaderName::from_static(REQUEST_ID),
            HeaderName::from_static(TRACEPARENT),
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::LOCATION,
            header::RETRY_AFTER,
            REPLAYED,
            HeaderName::from_static(REQUEST_ID),
        ])
        .max_age(MAX_AGE))
}

fn origin(text: &str) -> Result<HeaderValue, Error> {
    let is_origin = reqwest::Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text);
    HeaderValue::from_str(text).ok().filter(|_| is_origin).ok_or_else(|| {
        Error::Usage(format!("CORS_ALLOWED_ORIGINS has {text:?}; write origins such as https://shop.example, or *"))
    })
}
