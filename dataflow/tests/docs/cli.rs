//! The command line and the environment variables, as the program itself describes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use crate::book::{Page, assert_generated, code, pages, table};

#[test]
fn the_command_line_reference_is_the_help_of_the_program() {
    let mut text = String::new();
    for command in ["", "run", "replay", "generate", "resume", "resume show", "resume plan", "demo"] {
        let title = format!("dataflow {command}");
        writeln!(text, "## `{}`\n\n```text\n{}\n```\n", title.trim(), help(command)).unwrap();
    }
    assert_generated("docs/reference/cli.md", &text);
}

#[test]
fn every_command_is_in_the_reference() {
    let command = dataflow::cli::command();
    let mut names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
    names.retain(|name| *name != "help");
    assert_eq!(names, ["run", "replay", "generate", "resume", "demo"]);
}

#[test]
fn the_table_of_variables_is_what_the_command_line_reads() {
    // Variable, then flag, then the commands that have it.
    let mut variables: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let root = dataflow::cli::command();
    let nested = root.get_subcommands().flat_map(clap::Command::get_subcommands);
    for command in root.get_subcommands().chain(nested).chain([&root]) {
        for argument in command.get_arguments() {
            let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) else { continue };
            let name = if argument.is_global_set() { "all" } else { command.get_name() };
            let flags = variables.entry(variable.to_str().unwrap().to_owned()).or_default();
            flags.entry(format!("--{flag}")).or_default().push(name.to_owned());
        }
    }
    let rows = variables.into_iter().map(|(variable, flags)| {
        let mut commands: Vec<String> = flags.values().map(|commands| commands.join(", ")).collect();
        if commands.len() > 1 {
            commands = flags.iter().map(|(flag, commands)| format!("{} (`{flag}`)", commands.join(", "))).collect();
        }
        let flags: Vec<_> = flags.keys().map(|flag| code(flag)).collect();
        [code(&variable), flags.join(", "), commands.join(", ")]
    });
    assert_generated("docs/reference/environment.md", &table(["variable", "flag", "commands"], rows));
}

#[test]
fn every_flag_has_a_variable() {
    for argument in arguments() {
        let name = argument.get_id().as_str();
        assert!(argument.get_env().is_some() || ["help", "version"].contains(&name), "--{name} has no variable");
    }
}

#[test]
fn every_flag_that_a_page_names_exists() {
    let flags: BTreeSet<_> = arguments().iter().filter_map(|argument| argument.get_long().map(str::to_owned)).collect();
    // Of cargo, of the measuring programs, of the import of products, and of the AWS command line.
    let others = [
        "release",
        "profile",
        "engines",
        "parallelism",
        "rounds",
        "kafka",
        "dimensions",
        "windows",
        "rates",
        "sinks",
        "workspace",
        "test",
        "table-name",
        "key-condition-expression",
        "expression-attribute-values",
        "bootstrap-server",
        "describe",
        "members",
        "time",
        "alter",
        "entity-type",
        "entity-name",
        "add-config",
        "transactional-id",
        "under-replicated-partitions",
        "data",
        "port",
        "no-default-features",
        "features",
        "bin",
        "target",
        "timings",
        "cases",
        "connections",
        "fail-with-body",
        "seconds",
        "warm-up",
        "programs",
        "gateway",
        "users",
        "no-restarts",
        "no-demo",
        "demo-rate",
        "demo-seed",
        "minutes",
        "for",
        "dry-run",
        "patience",
    ];
    for Page { name, text } in pages() {
        for piece in text.split(" --").chain(text.split("`--")).skip(1) {
            let flag: String = piece.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            let is_flag = flag.starts_with(|c: char| c.is_ascii_lowercase());
            let is_known = ["help", "version"].contains(&flag.as_str()) || flags.contains(&flag);
            assert!(!is_flag || is_known || others.contains(&flag.as_str()), "{name} names --{flag}");
        }
    }
}

/// The arguments of all commands, those of the program itself included.
fn arguments() -> Vec<clap::Arg> {
    let mut root = dataflow::cli::command();
    root.build();
    let all = root.get_subcommands().filter(|command| command.get_name() != "help").chain([&root]);
    all.flat_map(clap::Command::get_arguments).cloned().collect()
}

fn help(command: &str) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dataflow"));
    program.args(command.split_whitespace()).arg("--help");
    // Defaults come from the environment too.
    let output = program.env_clear().env("COLUMNS", "100").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
