//! Refusals name a page: it has to be there.

use std::fs;
use std::path::Path;

use crate::book::root;

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The words that follow `before` in the program's source.
fn words<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn every_page_that_a_refusal_names_exists() {
    let mut text = String::new();
    sources(&root().join("dataflow/src"), &mut text);
    let pages: Vec<_> = words(&text, "docs/runbooks/")
        .chain(words(&text, "refused(\n            \""))
        .chain(words(&text, "refused(\n                    \""))
        .filter(|page| !page.is_empty())
        .collect();
    assert!(pages.len() >= 8, "{pages:?}");
    for page in pages {
        assert!(root().join(format!("docs/runbooks/{page}.md")).is_file(), "docs/runbooks/{page}.md is missing");
    }
}
