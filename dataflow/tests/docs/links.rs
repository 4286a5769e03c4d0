//! Links, images and the table of contents.

use std::collections::BTreeSet;
use std::path::Path;

use crate::book::{Page, page, pages, root};

#[test]
fn every_link_and_image_resolves() {
    let mut broken = Vec::new();
    for Page { name, text } in pages() {
        for target in targets(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { name.clone() } else { resolve(&name, path) };
            // A page of the book may only lead to what the book holds.
            let is_inside = name == "README.md" || file.starts_with("docs/");
            if !is_inside || !root().join(&file).exists() {
                broken.push(format!("{name}: {target} does not lead to a file"));
            } else if !anchor.is_empty() && !anchors(&page(&file).text).contains(anchor) {
                broken.push(format!("{name}: {target} does not lead to a heading"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_summary_names_every_page_once() {
    let listed: Vec<_> =
        targets(&page("docs/SUMMARY.md").text).into_iter().map(|path| resolve("docs/SUMMARY.md", &path)).collect();
    let mut sorted = listed.clone();
    sorted.sort();
    let present: Vec<_> = pages()
        .into_iter()
        .map(|page| page.name)
        .filter(|name| name.starts_with("docs/") && name != "docs/SUMMARY.md")
        .collect();
    assert_eq!(sorted, present);
}

#[test]
fn every_image_is_used() {
    let mut used = BTreeSet::new();
    for Page { name, text } in pages() {
        used.extend(targets(&text).into_iter().map(|target| resolve(&name, &target)));
    }
    for entry in std::fs::read_dir(root().join("docs/images")).unwrap() {
        let name = format!("docs/images/{}", entry.unwrap().file_name().to_str().unwrap());
        assert!(used.contains(&name), "{name} is on no page");
    }
}

/// What links and images lead to: `](target)` outside of code, and `src="target"`.
fn targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for (before, after) in [("](", ')'), ("src=\"", '"')] {
            for piece in line.split(before).skip(1) {
                targets.extend(piece.split(after).next().map(str::to_owned));
            }
        }
    }
    targets
}

/// The path from the root of what `target`, on the page `name`, leads to.
fn resolve(name: &str, target: &str) -> String {
    let mut parts: Vec<&str> = Path::new(name).parent().unwrap().iter().map(|part| part.to_str().unwrap()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The ids that a page's headings get.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let id = |heading: &str| -> String {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(id).collect()
}
