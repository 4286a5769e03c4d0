//! The live page: its files, and what they may do.

use std::collections::BTreeSet;

use reqwest::Response;

use crate::harness::{Platform, problem};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

async fn text(platform: &Platform, path: &str) -> String {
    platform.get(path).send().await.unwrap().text().await.unwrap()
}

/// What stands in quotes behind any of these words.
fn quoted(text: &str, words: &[&str]) -> BTreeSet<String> {
    let behind = words.iter().flat_map(|word| text.split(word).skip(1));
    behind.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// The paths of all files that the page loads, from its document on.
async fn assets(platform: &Platform) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let document = quoted(
        &text(platform, "/").await,
        &[" src=\"", "<link rel=\"icon\" href=\"", "<link rel=\"stylesheet\" href=\""],
    );
    let mut waiting: Vec<_> = document.into_iter().collect();
    while let Some(path) = waiting.pop() {
        if path.ends_with(".mjs") && !found.contains(&path) {
            let imports = quoted(&text(platform, &path).await, &["from \"./"]);
            waiting.extend(imports.into_iter().map(|name| format!("/assets/{name}")));
        }
        found.insert(path);
    }
    found
}

#[tokio::test]
async fn the_page_is_a_document_that_refers_to_its_own_files_alone() {
    let platform = Platform::start(&[]).await;
    let response = platform.get("/").send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, "text/html; charset=utf-8"));
    let page = response.text().await.unwrap();
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
    for target in quoted(&page, &[" src=\"", " href=\""]) {
        let is_own = target.starts_with("/assets/") || target.starts_with('#');
        assert!(is_own || ["/docs/", "/openapi.json"].contains(&target.as_str()), "{target}");
    }
    // The policy forbids them, so they would do nothing.
    for inline in ["<style", " style=", "<script>", " onclick="] {
        assert!(!page.contains(inline), "{inline}");
    }
}

#[tokio::test]
async fn every_file_has_its_type_and_the_policy_and_names_no_other_host() {
    let platform = Platform::start(&[]).await;
    let assets = assets(&platform).await;
    assert!(assets.len() > 10 && assets.contains("/assets/counts.mjs"), "{assets:?}");
    for path in assets.iter().map(String::as_str).chain(["/"]) {
        let response = platform.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let media_type = match path.rsplit('.').next().unwrap() {
            "mjs" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(header(&response, "content-type"), media_type, "{path}");
        assert_eq!(header(&response, "content-security-policy"), POLICY, "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&response, "cache-control"), "no-cache", "{path}");
        let content = response.text().await.unwrap().replace("http://www.w3.org/2000/svg", "");
        assert!(!content.contains("://"), "{path} names another host");
    }
    problem(platform.get("/assets/none.mjs"), 404).await;
}

#[tokio::test]
async fn a_browser_that_has_a_file_does_not_get_it_again() {
    let platform = Platform::start(&[]).await;
    let first = platform.get("/assets/main.mjs").send().await.unwrap();
    let tag = header(&first, "etag").to_owned();
    let again = platform.get("/assets/main.mjs").header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), header(&again, "etag")), (304, tag.as_str()));
    assert_eq!(header(&again, "cache-control"), "no-cache");
    let other = platform.get("/assets/style.css").header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(other.status(), 200);
}
