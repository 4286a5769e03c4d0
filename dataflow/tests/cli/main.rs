//! The program as its users meet it: flags, files, pipes and signals in; rows, sentences and exit codes out.
//!
//! Every test runs the real binary, in a folder of its own, without any variable of the environment and with a time
//! limit. Whatever a test is about, a run must not panic and must write no control codes where nobody looks at a
//! terminal: [`harness`] checks that of each.

#[path = "../common/captured.rs"]
mod captured;
mod damaged;
mod fixtures;
mod flags;
mod harness;
mod help;
mod huge_line;
mod inputs;
mod lines;
mod live;
mod logs;
mod outputs;
mod quarantine;
mod signals;
mod special_files;
mod summary;
mod supervise;
