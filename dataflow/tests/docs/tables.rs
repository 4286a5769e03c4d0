//! Reasons and exit codes.

use dataflow::error::Error;
use schemas::Reason;

use crate::book::{assert_generated, code, table};

#[test]
fn the_table_of_reasons_is_the_closed_list() {
    let rows = Reason::ALL.map(|reason| [code(reason.code()), code(reason.pointer()), reason.detail().to_owned()]);
    assert_generated("docs/reference/events.md", &table(["code", "where", "meaning"], rows));
}

#[test]
fn the_table_of_exit_codes_is_the_list_of_errors() {
    let documented = documented_codes();
    let codes: Vec<_> = documented.iter().map(|[code, _]| code.clone()).collect();
    let mut returned: Vec<_> = every_error().iter().map(Error::exit_code).collect();
    returned.sort_unstable();
    assert_eq!(codes, returned.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>());
    let success = ["`0`".to_owned(), "it did what it was asked to, or was stopped and ended well".to_owned()];
    let rows = [success].into_iter().chain(documented);
    assert_generated("docs/reference/exit-codes.md", &table(["code", "meaning"], rows));
}

/// The codes and meanings in the comments of `Error`, in ascending order.
fn documented_codes() -> Vec<[String; 2]> {
    let comments = include_str!("../../src/error.rs").lines().filter_map(|line| line.trim().strip_prefix("/// "));
    let mut codes: Vec<(u8, String)> = comments
        .filter_map(|comment| comment.split_once(": "))
        .filter_map(|(code, meaning)| Some((code.parse().ok()?, meaning.trim_end_matches('.').to_owned())))
        .collect();
    codes.sort();
    codes.into_iter().map(|(code, meaning)| [format!("`{code}`"), meaning]).collect()
}

fn every_error() -> Vec<Error> {
    let text = String::new;
    let all = vec![
        Error::Usage(text()),
        Error::BadData(text()),
        Error::Unavailable(text()),
        Error::Internal(text()),
        Error::Interrupted,
        Error::Io(text()),
        Error::Restart(text()),
        Error::Refused(text()),
    ];
    for error in &all {
        // A new variant does not compile here: it belongs into the list above.
        match error {
            Error::Usage(_)
            | Error::BadData(_)
            | Error::Unavailable(_)
            | Error::Internal(_)
            | Error::Interrupted
            | Error::Io(_)
            | Error::Restart(_)
            | Error::Refused(_) => {}
        }
    }
    all
}
