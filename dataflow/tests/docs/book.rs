//! The pages, and the parts of them that are generated.

use std::fs;
use std::path::{Path, PathBuf};

/// A page of the book, or README.md.
pub(crate) struct Page {
    /// Its path from the repository's root.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// README.md and every page below `docs/`, sorted by path.
pub(crate) fn pages() -> Vec<Page> {
    let mut names = vec!["README.md".to_owned()];
    collect("docs", &mut names);
    names.sort();
    names.into_iter().map(|name| page(&name)).collect()
}

/// The page of this path.
pub(crate) fn page(name: &str) -> Page {
    let text = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("cannot read {name}: {error}"));
    Page { name: name.to_owned(), text }
}

fn collect(folder: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        // The book as mdBook has built it.
        if name == "docs/book" {
            continue;
        }
        if entry.path().is_dir() {
            collect(&name, names);
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            names.push(name);
        }
    }
}

/// Whether what differs is rewritten.
pub(crate) fn is_update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

/// Holds the part of a page between `<!-- generated -->` and `<!-- end -->` against what it must be.
pub(crate) fn assert_generated(name: &str, expected: &str) {
    const BEGIN: &str = "<!-- generated: UPDATE_GOLDEN=1 cargo test -p dataflow --test docs -->\n";
    const END: &str = "<!-- end -->";
    let text = page(name).text;
    let begin = text.find(BEGIN).unwrap_or_else(|| panic!("{name} has no line {BEGIN}")) + BEGIN.len();
    let end = begin + text[begin..].find(END).unwrap_or_else(|| panic!("{name} has no line {END}"));
    let expected = format!("\n{}\n\n", expected.trim());
    if text[begin..end] == expected {
        return;
    }
    if is_update() {
        fs::write(root().join(name), format!("{}{expected}{}", &text[..begin], &text[end..])).unwrap();
        return;
    }
    let line = text[begin..end].lines().zip(expected.lines()).find(|(written, wanted)| written != wanted);
    panic!("{name} is not what the program says; run with UPDATE_GOLDEN=1. First difference: {line:#?}");
}

/// A Markdown table.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head) + &line(&["---"; N]);
    for row in rows {
        text += &line(&row.each_ref().map(String::as_str));
    }
    text
}

/// A text as code, or nothing.
pub(crate) fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}
