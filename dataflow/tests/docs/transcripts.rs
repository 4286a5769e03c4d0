//! Runs the transcripts of every page.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::backends::{self, Backend};
use crate::book::{Page, is_update, pages, root};
use crate::transcript::{Step, matches, steps};

/// No page takes longer.
const TIME_LIMIT: &str = "120";
/// Stands in the output behind what a command has answered, before its exit status.
const MARK: char = '\u{1e}';

#[test]
fn every_command_answers_as_the_pages_say() {
    // Pages do not share anything, and some wait more than they work.
    let failures: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = pages().into_iter().map(|page| scope.spawn(move || run(&page))).collect();
        running.into_iter().flat_map(|page| page.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "run with UPDATE_GOLDEN=1 to rewrite what is wrong:\n\n{}", failures.join("\n\n"));
}

/// Runs a page; returns what is wrong with it.
fn run(page: &Page) -> Vec<String> {
    let steps = steps(&page.name, &page.text);
    if steps.is_empty() {
        return Vec::new();
    }
    let backends = backends::start(&page.text);
    let folder = tempfile::tempdir().unwrap();
    let output = run_shell(&script(&steps, &backends), folder.path());
    let mut answers = output.split_inclusive(MARK).map(|answer| answer.trim_end_matches(MARK));
    let commands: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Command { command, expected, lines } => Some((command, expected, lines)),
            Step::File { .. } => None,
        })
        .collect();
    let mut lines: Vec<String> = page.text.lines().map(str::to_owned).collect();
    let mut failures = Vec::new();
    let mut moved = 0;
    for (index, (command, expected, place)) in commands.iter().enumerate() {
        let Some(actual) = answers.next() else {
            failures.push(format!("{}: `{command}` never ended", page.name));
            break;
        };
        let (actual, status) = actual.rsplit_once('\n').unwrap_or(("", actual));
        let may_fail = commands.get(index + 1).is_some_and(|(next, ..)| *next == "echo $?");
        if status != "0" && !may_fail {
            failures.push(format!("{}: `{command}` ended with {status}:\n{actual}", page.name));
        }
        let actual = as_written(actual, &backends);
        if matches(expected, &actual) {
            continue;
        }
        failures.push(format!(
            "{}: `{command}` answered\n{}\nnot\n{}",
            page.name,
            actual.join("\n"),
            expected.join("\n")
        ));
        let place = place.start.strict_add_signed(moved)..place.end.strict_add_signed(moved);
        moved += actual.len() as isize - place.len() as isize;
        lines.splice(place, actual);
    }
    if is_update() {
        fs::write(root().join(&page.name), lines.join("\n") + "\n").unwrap();
        return Vec::new();
    }
    failures
}

/// One script for a page: what a command sets, the next one sees.
fn script(steps: &[Step], backends: &[Backend]) -> String {
    let mut script = String::from("exec 2>&1\n");
    for step in steps {
        match step {
            Step::File { name, content } => {
                script += &format!("cat > '{name}' <<'END_OF_FILE'\n{content}END_OF_FILE\n");
            }
            Step::Command { command, .. } => {
                let command = backends
                    .iter()
                    .fold(command.clone(), |text, backend| text.replace(&backend.written, &backend.real));
                // The next command may ask for the status.
                script += &format!("{command}\nstatus=$?; printf '\\n%s{MARK}' $status; (exit $status)\n");
            }
        }
    }
    script
}

fn run_shell(script: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_dataflow")).parent().unwrap();
    // Not by standard input: that is the commands'.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), script).unwrap();
    let output = Command::new("timeout")
        .args([TIME_LIMIT, "sh"])
        .arg(file.path())
        .current_dir(folder)
        .env_clear()
        .env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()))
        .env("HOME", folder)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of an output, with the addresses that the page has.
fn as_written(output: &str, backends: &[Backend]) -> Vec<String> {
    let text = backends.iter().fold(output.to_owned(), |text, backend| text.replace(&backend.real, &backend.written));
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    // The mark stands on a line of its own.
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}
