//! The manual that the program carries. What it says, word for word, stands in `docs/reference/cli.md`, and is compared
//! there.

use crate::harness::Place;

const COMMANDS: [&str; 5] = ["", "run", "replay", "generate", "demo"];

fn help_of(command: &str) -> String {
    let args = [command, "--help"].into_iter().filter(|arg| !arg.is_empty());
    Place::new().dataflow(args).run().succeeds().stdout().to_owned()
}

#[test]
fn help_fits_a_terminal_of_100_columns() {
    for command in COMMANDS {
        let help = help_of(command);
        let wide = help.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{command}");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let place = Place::new();
    for flag in ["-h", "--help", "-V", "--version"] {
        let ended = place.dataflow([flag]).run().succeeds();
        assert!(!ended.stdout.is_empty() && ended.stderr.is_empty(), "{flag}");
    }
    let version = place.dataflow(["--version"]).run().succeeds();
    assert_eq!(version.stdout(), concat!("dataflow ", env!("CARGO_PKG_VERSION"), "\n"));
}
