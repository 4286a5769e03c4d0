//! What readers and machines look for in README.md.

use crate::book::{page, pages};

#[test]
fn the_readme_names_the_test_command_where_ci_looks_for_it() {
    let text = page("README.md").text;
    assert_eq!(text.matches("<!-- ci: test -->\n```sh\ncargo test --workspace\n```\n").count(), 1);
}

#[test]
fn the_readme_names_the_command_that_starts_the_platform() {
    assert!(page("README.md").text.contains("```sh\ncargo run --release\n```\n"));
}

#[test]
fn every_page_has_one_title_and_says_which_language_its_blocks_are_in() {
    for page in pages().into_iter().filter(|page| page.name != "docs/SUMMARY.md") {
        let (mut titles, mut in_code) = (0, false);
        for line in page.text.lines() {
            if let Some(language) = line.strip_prefix("```") {
                assert!(in_code || !language.is_empty(), "{}: a block without a language", page.name);
                in_code = !in_code;
            } else if !in_code && line.starts_with("# ") {
                titles += 1;
            }
        }
        assert_eq!((titles, in_code), (1, false), "{}", page.name);
    }
}
