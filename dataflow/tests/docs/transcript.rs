//! The transcripts on a page: fenced blocks of shell commands and what they answer.
//!
//! * A `console` block is run. `$ ` begins a command, `> ` continues it; the other lines are its output, standard error
//!   included. All commands of a page run in one shell and one empty folder, in their order, and must succeed, unless
//!   `$ echo $?` follows.
//! * In the output `[..]` stands for any text within a line and a line `...` for any lines. Seconds, rates and the
//!   number of windows open at once are not compared, nor is white space at the ends of lines.
//! * `<!-- file: NAME -->` before a block: its content is that file.
//! * A `console,ignore` block is not run; `<!-- not run: REASON -->` stands before it.

/// A piece of a page that matters to the runner.
#[derive(Debug)]
pub(crate) enum Step {
    /// Write this file.
    File { name: String, content: String },
    /// Run this command; it must answer like this.
    Command { command: String, expected: Vec<String>, lines: std::ops::Range<usize> },
}

/// Reads the steps of a page; `lines` are those of the expected output, counted from 0.
pub(crate) fn steps(page: &str, text: &str) -> Vec<Step> {
    let lines: Vec<&str> = text.lines().collect();
    let mut steps = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(language) = lines[at].strip_prefix("```") else {
            at += 1;
            continue;
        };
        let begin = at + 1;
        let end = begin + lines[begin..].iter().position(|line| *line == "```").expect("blocks end");
        let before = at.checked_sub(1).map_or("", |before| lines[before]);
        if let Some(name) = before.strip_prefix("<!-- file: ").and_then(|name| name.strip_suffix(" -->")) {
            let content = lines[begin..end].join("\n") + "\n";
            steps.push(Step::File { name: name.to_owned(), content });
        }
        match language {
            "console" => steps.extend(commands(&lines, begin, end)),
            "console,ignore" => {
                assert!(
                    before.starts_with("<!-- not run: "),
                    "{page}:{begin}: the reason why it is not run is missing"
                );
            }
            _ => {}
        }
        at = end + 1;
    }
    steps
}

fn commands(lines: &[&str], begin: usize, end: usize) -> Vec<Step> {
    let mut commands = Vec::new();
    let mut at = begin;
    while at < end {
        let mut command = lines[at].strip_prefix("$ ").expect("a console block begins with a command").to_owned();
        at += 1;
        while let Some(more) = lines[..end].get(at).and_then(|line| line.strip_prefix("> ")) {
            command = command + "\n" + more;
            at += 1;
        }
        let answer = at;
        while at < end && !lines[at].starts_with("$ ") {
            at += 1;
        }
        let expected = lines[answer..at].iter().map(|line| (*line).to_owned()).collect();
        commands.push(Step::Command { command, expected, lines: answer..at });
    }
    commands
}

/// Whether the output is what the page says.
pub(crate) fn matches(expected: &[String], actual: &[String]) -> bool {
    match expected {
        [] => actual.is_empty(),
        [first, rest @ ..] if first == "..." => (0..=actual.len()).any(|skipped| matches(rest, &actual[skipped..])),
        [first, rest @ ..] => match actual {
            [line, behind @ ..] => line_matches(&timeless(first), &timeless(line)) && matches(rest, behind),
            [] => false,
        },
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let mut pieces = expected.trim_end().split("[..]");
    let Some(mut rest) = actual.trim_end().strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(between) = last.replace(piece) {
            let Some(at) = rest.find(between) else { return false };
            rest = &rest[at + between.len()..];
        }
    }
    last.map_or(rest.is_empty(), |piece| rest.ends_with(piece))
}

/// A line without what depends on the machine: the seconds that something took, the rate that follows from them, and
/// how many windows were open at once while partitions were read side by side.
fn timeless(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let masked = words.iter().enumerate().map(|(at, word)| match words.get(at + 1) {
        Some(&("s" | "s:" | "events/s" | "open")) if is_number(word) => "N",
        _ => *word,
    });
    masked.collect::<Vec<_>>().join(" ")
}

#[test]
fn outputs_match_by_line_with_wildcards() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let does_match = |expected, actual| matches(&lines(expected), &lines(actual));
    assert!(does_match("a\nb", "a\nb  "));
    assert!(!does_match("a", "a\nb"));
    assert!(!does_match("a\nb", "a"));
    assert!(does_match("a\n...\nd", "a\nb\nc\nd"));
    assert!(!does_match("...\nd", "a\nb"));
    assert!(does_match("x[..]z", "x y z"));
    assert!(does_match("[..] INFO [..] end", "12:00 INFO port 1 end"));
    assert!(!does_match("x[..]z", "x y"));
    assert!(does_match("in 0.01 s: 1,456 events/s", "in 12.30 s: 7 events/s"));
    assert!(does_match("windows closed 3  at most 8 open at once", "windows closed 3  at most 2 open at once"));
    assert!(!does_match("windows closed 3  at most 8 open at once", "windows closed 2  at most 8 open at once"));
}
