//! The API's description, a page to read it with, and a page for each problem: all without any other host.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use pulldown_cmark::{Options, Parser, html};
use service_kit::{Kind, Problem, openapi};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{analytics, customer_orders, expand};

/// What the gateway serves: [`merged`] of all services, as a test of the workspace wrote it.
const DOCUMENT: &str = include_str!("../openapi.json");
/// The page of the docs runs its own scripts and styles.
const PAGE_POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The gateway's own part of the description.
#[must_use]
pub fn document() -> OpenApi {
    let mut api = analytics::openapi();
    api.merge(customer_orders::openapi());
    api
}

/// The description of the whole API, of its parts.
#[must_use]
pub fn merged(parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let info = InfoBuilder::new()
        .title("Footfall")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Live, exact counts of the different people who look at each product of a shop, minute by minute, and the shop \
             itself: products, customers, orders. Errors are problem details (RFC 9457); lists are read page by page with `cursor`.",
        ))
        .build();
    let mut api = OpenApiBuilder::new().info(info).build();
    for part in parts {
        api.merge(part);
    }
    expand::describe(&mut api);
    openapi::complete(api)
}

/// `/openapi.json`, `/docs`, `/problems/{slug}`.
pub(crate) fn router() -> Router {
    let page = SwaggerUi::new("/docs").config(Config::from("/openapi.json").try_it_out_enabled(true));
    let policy =
        SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    Router::new()
        .merge(page)
        .route("/problems/{slug}", get(problem))
        .layer(policy)
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], DOCUMENT) }))
}

async fn problem(Path(slug): Path<String>) -> Result<Response, Problem> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.slug() == slug);
    let kind = kind.ok_or_else(|| Problem::not_found(format!("there is no problem {slug:?}")))?;
    let mut body = String::new();
    html::push_html(&mut body, Parser::new_ext(page_of(kind), Options::ENABLE_TABLES));
    let title = kind.title();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\
         <body><main>{body}</main></body></html>\n"
    );
    Ok(Html(page).into_response())
}

const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;margin:0;color:#1d2430;background:#fff}\
    main{max-width:42rem;margin:0 auto;padding:2rem 1rem}code,pre{font-size:.9em;background:#f1f3f6;border-radius:4px}\
    code{padding:.1em .3em}pre{padding:1rem;overflow-x:auto}pre code{padding:0}a{color:#0b5cad}\
    @media(prefers-color-scheme:dark){body{color:#e4e8ee;background:#14181f}code,pre{background:#232a35}a{color:#7db8f5}}";

macro_rules! page {
    ($slug:literal) => {
        include_str!(concat!("../../../docs/problems/", $slug, ".md"))
    };
}

/// The page about a kind of problem.
const fn page_of(kind: Kind) -> &'static str {
    match kind {
        Kind::MalformedRequest => page!("malformed-request"),
        Kind::Unauthenticated => page!("unauthenticated"),
        Kind::Forbidden => page!("forbidden"),
        Kind::NotFound => page!("not-found"),
        Kind::MethodNotAllowed => page!("method-not-allowed"),
        Kind::InsufficientStock => page!("insufficient-stock"),
        Kind::IllegalTransition => page!("illegal-transition"),
        Kind::EmailTaken => page!("email-taken"),
        Kind::OpenOrders => page!("open-orders"),
        Kind::CartChanged => page!("cart-changed"),
        Kind::RequestInProgress => page!("request-in-progress"),
        Kind::StaleVersion => page!("stale-version"),
        Kind::BodyTooLarge => page!("body-too-large"),
        Kind::UnsupportedMediaType => page!("unsupported-media-type"),
        Kind::ValidationFailed => page!("validation-failed"),
        Kind::IdempotencyKeyReused => page!("idempotency-key-reused"),
        Kind::PreconditionRequired => page!("precondition-required"),
        Kind::RateLimited => page!("rate-limited"),
        Kind::Overloaded => page!("overloaded"),
        Kind::DependencyUnavailable => page!("dependency-unavailable"),
        Kind::Timeout => page!("timeout"),
        Kind::Internal => page!("internal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_about_its_problem() {
        for kind in Kind::ALL {
            let (page, status) = (page_of(kind), kind.status().as_u16().to_string());
            assert!(page.starts_with(&format!("# {}\n", kind.title())), "{}: the title", kind.slug());
            assert!(page.contains(&format!("`{}`", kind.slug())) && page.contains(&status), "{}", kind.slug());
        }
    }
}
