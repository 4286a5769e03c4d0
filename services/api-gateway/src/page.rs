//! The live page that product teams keep open: plain files of the folder `page/`, which read the same API as everyone.
//!
//! Nothing is built or fetched from elsewhere: the files are in the program as they are in the repository, and
//! `page/dev/mock.mjs` serves the same ones to whoever works on them.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use service_kit::etag::{Preconditions, Version};
use sha2::{Digest as _, Sha256};
use tower_http::set_header::SetResponseHeaderLayer;

/// What the page may do: run its own files and read this origin.
const POLICY: &str = include_str!("../page/content-security-policy");
/// Browsers ask each time, and are answered 304: a page that is open for weeks gets the new files with its next load.
const CACHE: &str = "no-cache";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
struct File {
    path: &'static str,
    media_type: &'static str,
    content: &'static str,
}

macro_rules! asset {
    ($name:literal, $media_type:expr) => {
        File {
            path: concat!("/assets/", $name),
            media_type: $media_type,
            content: include_str!(concat!("../page/assets/", $name)),
        }
    };
}

static FILES: [File; 20] = [
    File { path: "/", media_type: HTML, content: include_str!("../page/index.html") },
    asset!("api.mjs", SCRIPT),
    asset!("bars.mjs", SCRIPT),
    asset!("chart.mjs", SCRIPT),
    asset!("counts.mjs", SCRIPT),
    asset!("dom.mjs", SCRIPT),
    asset!("favicon.svg", SVG),
    asset!("feed.mjs", SCRIPT),
    asset!("format.mjs", SCRIPT),
    asset!("freshness.mjs", SCRIPT),
    asset!("loader.mjs", SCRIPT),
    asset!("main.mjs", SCRIPT),
    asset!("minutes.mjs", SCRIPT),
    asset!("names.mjs", SCRIPT),
    asset!("product.mjs", SCRIPT),
    asset!("search.mjs", SCRIPT),
    asset!("status.mjs", SCRIPT),
    asset!("style.css", CSS),
    asset!("top.mjs", SCRIPT),
    asset!("words.mjs", SCRIPT),
];

/// `/` and `/assets/...`. Anybody may read them.
pub(crate) fn router() -> Router {
    let policy = HeaderValue::from_static(POLICY.trim_ascii_end());
    let cache = HeaderValue::from_static(CACHE);
    FILES
        .iter()
        .fold(Router::new(), |router, file| {
            let version = version(file.content);
            let handler = move |preconditions: Preconditions| async move { answer(file, version, &preconditions) };
            router.route(file.path, get(handler))
        })
        .layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, policy))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, cache))
}

fn answer(file: &File, version: Version, preconditions: &Preconditions) -> Response {
    preconditions.answer(version, ([(header::CONTENT_TYPE, file.media_type)], file.content))
}

/// What changes with the content, in the form in which the kit compares versions: the first bits of its SHA-256.
fn version(content: &str) -> Version {
    let digest = Sha256::digest(content);
    let bytes = digest.iter().take(7).fold(0, |number, byte| (number << 8) | i64::from(*byte));
    Version(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page/assets");
        let present: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("/assets/{}", entry.unwrap().file_name().to_str().unwrap()))
            .collect();
        let served = FILES.iter().map(|file| file.path.to_owned()).filter(|path| path != "/").collect();
        assert_eq!(present, served);
    }

    #[test]
    fn another_content_is_another_version() {
        assert_ne!(version("one"), version("two"));
        let tags: BTreeSet<_> = FILES.iter().map(|file| version(file.content).tag()).collect();
        assert_eq!(tags.len(), FILES.len());
    }
}
