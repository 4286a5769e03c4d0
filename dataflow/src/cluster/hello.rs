//! What processes must have in common before they may work together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What a process says of itself to every other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the program.
    pub version: String,
    /// How many workers it runs.
    pub workers: usize,
    /// The settings that must be alike, by the flag's name, as the user would write them. They are shown to the user,
    /// so that secrets have no place here.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

impl Hello {
    /// The hello of this program.
    #[must_use]
    pub fn new(workers: usize, settings: BTreeMap<String, String>) -> Self {
        Hello { version: env!("CARGO_PKG_VERSION").to_owned(), workers, settings }
    }
}

/// The line with which a connection between two processes begins, in both directions. It is JSON, so that a version of
/// the program that says more or less can still be told what is wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Greeting {
    /// Tells a process of ours from whatever else connects.
    pub(super) footfall: String,
    pub(super) process: usize,
    pub(super) processes: usize,
    #[serde(flatten)]
    pub(super) hello: Hello,
}

/// What the field `footfall` of a greeting holds.
pub(super) const PURPOSE: &str = "dataflow-cluster";

/// Compares what two processes say of themselves.
///
/// # Errors
/// [`Error::Refused`], which is the same sentence on both sides.
pub(super) fn compare(one: &Greeting, other: &Greeting) -> Result<(), Error> {
    let (first, second) = if one.process <= other.process { (one, other) } else { (other, one) };
    let (i, j) = (first.process, second.process);
    let refused = |what: String, remedy: &str| Err(Error::Refused(format!("{what}; {remedy}")));
    let (a, b) = (&first.hello, &second.hello);
    if a.version != b.version {
        return refused(
            format!("process {i} runs version {} but process {j} runs version {}", a.version, b.version),
            "stop all processes, and start one and the same version",
        );
    }
    let is_same_number = first.processes == second.processes;
    if !is_same_number {
        return refused(
            format!(
                "--cluster-processes is {} on process {i} but {} on process {j}",
                first.processes, second.processes
            ),
            "start all processes with the same number",
        );
    }
    if a.workers != b.workers {
        return refused(
            format!("process {i} has {} workers but process {j} has {}", a.workers, b.workers),
            "start all processes with the same --workers",
        );
    }
    for flag in a.settings.keys().chain(b.settings.keys()) {
        let (x, y) = (a.settings.get(flag), b.settings.get(flag));
        if x != y {
            let [x, y] = [x, y].map(|value| value.map_or("not set", String::as_str));
            return refused(
                format!("{flag} is {x} on process {i} but {y} on process {j}"),
                "start all processes with the same settings",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(process: usize, change: impl FnOnce(&mut Greeting)) -> Greeting {
        let settings = BTreeMap::from([("--group".to_owned(), "views".to_owned())]);
        let hello = Hello { version: "0.1.0".to_owned(), workers: 2, settings };
        let mut greeting = Greeting { footfall: PURPOSE.to_owned(), process, processes: 3, hello };
        change(&mut greeting);
        greeting
    }

    #[test]
    fn both_sides_name_the_same_difference() {
        type Change = fn(&mut Greeting);
        let cases: [(Change, &str); 5] = [
            (
                |it| it.hello.version = "0.2.0".to_owned(),
                "process 0 runs version 0.1.0 but process 2 runs version 0.2.0;",
            ),
            (|it| it.processes = 4, "--cluster-processes is 3 on process 0 but 4 on process 2;"),
            (|it| it.hello.workers = 1, "process 0 has 2 workers but process 2 has 1;"),
            (
                |it| drop(it.hello.settings.insert("--group".to_owned(), "sales".to_owned())),
                "--group is views on process 0 but sales on process 2;",
            ),
            (|it| it.hello.settings.clear(), "--group is views on process 0 but not set on process 2;"),
        ];
        for (change, sentence) in cases {
            let (zero, two) = (greeting(0, |_| ()), greeting(2, change));
            let error = compare(&zero, &two).unwrap_err();
            assert_eq!(Err(error.clone()), compare(&two, &zero));
            assert_eq!(error.exit_code(), 78);
            assert!(error.to_string().starts_with(sentence), "{error}");
        }
        assert_eq!(compare(&greeting(0, |_| ()), &greeting(1, |_| ())), Ok(()));
    }

    #[test]
    fn a_greeting_of_a_later_version_can_still_be_read() {
        let line =
            r#"{"footfall":"dataflow-cluster","process":2,"processes":3,"version":"9","workers":1,"mood":"fine"}"#;
        let later: Greeting = serde_json::from_str(line).unwrap();
        assert!(compare(&greeting(0, |_| ()), &later).unwrap_err().to_string().contains("version 9"));
    }
}
