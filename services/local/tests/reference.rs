//! `docs/reference/services.md` is what the services' command lines read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};

/// Writes the page anew where this variable is set.
const UPDATE: &str = "UPDATE_GOLDEN";
const INTRODUCTION: &str = "# Variables of the services

<!-- Written by the test `reference` of local, of the services' command lines. -->

Each variable has a flag of the same name in small letters, which goes before it; `--help` shows both. A bad value ends the program with exit
code 64 and one sentence. In production every service is a process with variables of its own; `footfall` hands those that are not its own
on to all of them. The job's are in [its own table](environment.md).
";

#[test]
fn the_table_of_variables_is_what_the_services_read() {
    let commands = [
        ("footfall", local::Args::command()),
        ("api-gateway", api_gateway::Args::command()),
        ("customer-service", customer_service::Args::command()),
        ("order-service", order_service::Args::command()),
        ("product-catalog", product_catalog::Args::command()),
        ("activity-service", activity_service::Args::command()),
    ];
    let mut page = INTRODUCTION.to_owned();
    for (name, command) in commands {
        write_table(&mut page, name, &command);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/services.md");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "the page differs; run `{UPDATE}=1 cargo test -p local --test reference` and review it");
}

fn write_table(page: &mut String, name: &str, command: &Command) {
    writeln!(page, "\n## {name}\n\n| variable | default | what |\n| --- | --- | --- |").unwrap();
    for argument in command.get_arguments() {
        let Some(variable) = argument.get_env().and_then(|variable| variable.to_str()) else { continue };
        let flag = argument.get_long().unwrap();
        let has_name = flag.replace('-', "_").eq_ignore_ascii_case(variable);
        let defaults: Vec<_> = argument.get_default_values().iter().filter_map(|value| value.to_str()).collect();
        let default = match (defaults.join(","), argument.is_required_set()) {
            (_, true) => "required".to_owned(),
            (default, false) if default.is_empty() => String::new(),
            (default, false) => format!("`{default}`"),
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let also = if has_name { String::new() } else { format!(" (flag `{flag}`)") };
        writeln!(page, "| `{variable}` | {default} | {help}{also} |").unwrap();
    }
}
