//! PostgreSQL as a child process: real servers, started, stopped and killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use backends::Postgres;
use common::{child_folder, eventually, folder, kill, ready, runs, start_child, taken_port};
use sqlx::{Connection as _, PgConnection, Row as _};

async fn connect(postgres: &Postgres, database: &str) -> PgConnection {
    PgConnection::connect_with(&postgres.connect_options(database)).await.unwrap()
}

async fn write_a_row(postgres: &Postgres) {
    let mut connection = connect(postgres, "postgres").await;
    sqlx::raw_sql("CREATE TABLE kept (n INT); INSERT INTO kept VALUES (42)").execute(&mut connection).await.unwrap();
}

async fn rows(postgres: &Postgres) -> Vec<i32> {
    let mut connection = connect(postgres, "postgres").await;
    let rows = sqlx::query("SELECT n FROM kept").fetch_all(&mut connection).await.unwrap();
    rows.iter().map(|row| row.get("n")).collect()
}

#[tokio::test]
async fn a_server_that_is_stopped_and_started_again_has_its_rows_and_leaves_no_process_behind() {
    let folder = folder();
    let data = folder.path().join("postgres");
    let postgres = Postgres::start(&data, None).await.unwrap();
    write_a_row(&postgres).await;
    let (process, password) = (postgres.process_id(), postgres.password().to_owned());
    assert!(runs(process));

    postgres.stop().await.unwrap();
    assert!(!runs(process));

    let postgres = Postgres::start(&data, None).await.unwrap();
    assert_eq!(rows(&postgres).await, [42]);
    assert_eq!(postgres.password(), password);
    let process = postgres.process_id();
    drop(postgres);
    assert!(!runs(process), "a server that is dropped runs on");
}

#[tokio::test]
async fn a_client_that_stays_connected_does_not_hold_a_stop_up() {
    let folder = folder();
    let postgres = Postgres::start(&folder.path().join("postgres"), None).await.unwrap();
    let client = connect(&postgres, "postgres").await;
    tokio::time::timeout(Duration::from_secs(10), postgres.stop()).await.unwrap().unwrap();
    drop(client);
}

#[tokio::test]
async fn a_process_that_is_killed_takes_its_server_along_and_the_next_has_what_was_committed() {
    let folder = folder();
    let (child, said) = start_child("child_writes_a_row", folder.path());
    let (server, port) = said.split_once(' ').unwrap();
    let (server, port): (i32, u16) = (server.parse().unwrap(), port.parse().unwrap());
    assert!(runs(server));
    kill(child);

    // The one before may still be on its way out, and have the port.
    let postgres = Postgres::start(&folder.path().join("postgres"), Some(port)).await.unwrap();
    assert!(!runs(server));
    assert_eq!(rows(&postgres).await, [42]);
    postgres.stop().await.unwrap();
}

#[tokio::test]
#[ignore = "the process that another test kills"]
async fn child_writes_a_row() {
    let postgres = Postgres::start(&child_folder().join("postgres"), None).await.unwrap();
    write_a_row(&postgres).await;
    ready(format!("{} {}", postgres.process_id(), postgres.port())).await;
}

#[tokio::test]
async fn a_server_that_is_killed_itself_is_known_to_have_ended() {
    let folder = folder();
    let postgres = Postgres::start(&folder.path().join("postgres"), None).await.unwrap();
    let process = rustix::process::Pid::from_raw(postgres.process_id()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    eventually(Duration::from_secs(10), "the server has ended", async || !runs(postgres.process_id())).await;
    let told = postgres.stop().await.unwrap_err().to_string();
    assert!(told.starts_with("postgres failed: it had ended before (signal: 9"), "{told}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_in_one_sentence() {
    let folder = folder();
    let (port, _listener) = taken_port();
    let refusal = Postgres::start(&folder.path().join("postgres"), Some(port)).await.unwrap_err();
    assert_eq!(
        refusal.to_string(),
        format!("port {port} for PostgreSQL is in use; end the program that listens there, or choose another port")
    );
}

#[tokio::test]
async fn a_folder_that_another_server_has_is_refused_and_that_one_goes_on() {
    let folder = folder();
    let data = folder.path().join("postgres");
    let first = Postgres::start(&data, None).await.unwrap();
    let refusal = Postgres::start(&data, None).await.unwrap_err().to_string();
    let process = std::process::id();
    assert_eq!(
        refusal,
        format!("{} is in use by process {process}; end that process, or choose another folder", data.display())
    );
    write_a_row(&first).await;
    first.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_with_other_files_is_left_alone() {
    let folder = folder();
    let file = folder.path().join("postgres/thesis.txt");
    std::fs::create_dir(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "years of work").unwrap();
    let refusal = Postgres::start(file.parent().unwrap(), None).await.unwrap_err().to_string();
    assert!(refusal.contains("holds no PostgreSQL data and is not empty; choose another folder"), "{refusal}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "years of work");
}

#[tokio::test]
async fn what_an_interrupted_start_has_left_behind_is_made_anew() {
    let folder = folder();
    let draft = folder.path().join("postgres.new");
    std::fs::create_dir(&draft).unwrap();
    std::fs::write(draft.join("PG_VERSION"), "half").unwrap();
    let postgres = Postgres::start(&folder.path().join("postgres"), None).await.unwrap();
    assert!(!draft.exists());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_its_user_cannot_enter_is_named_with_the_remedy() {
    if !rustix::process::geteuid().is_root() {
        // Only root runs it as somebody else.
        return;
    }
    let folder = folder();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    let refusal = Postgres::start(&closed.join("postgres"), None).await.unwrap_err().to_string();
    assert!(refusal.contains(&format!("allow it with `chmod o+x {}`", closed.display())), "{refusal}");
}

#[tokio::test]
async fn nobody_gets_in_without_the_password_nor_reads_it() {
    let folder = folder();
    let data = folder.path().join("postgres");
    let postgres = Postgres::start(&data, None).await.unwrap();
    let options = postgres.connect_options("postgres").password("guess");
    let refusal = PgConnection::connect_with(&options).await.unwrap_err().to_string();
    assert!(refusal.contains("password authentication failed"), "{refusal}");
    let kept = files_with(&data, postgres.password());
    assert_eq!(kept, [data.join("footfall.password")]);
    assert_eq!(std::fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!folder.path().join("postgres.password").exists());
    postgres.stop().await.unwrap();
}

/// The small files in which the text is.
fn files_with(folder: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &std::path::PathBuf| {
        path.is_file() && String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(text)
    };
    entries.filter(holds).collect()
}

#[tokio::test]
async fn a_database_is_made_once_however_often_it_is_asked_for() {
    let folder = folder();
    let postgres = Postgres::start(&folder.path().join("postgres"), None).await.unwrap();
    postgres.create_database("footfall").await.unwrap();
    let mut connection = connect(&postgres, "footfall").await;
    sqlx::raw_sql("CREATE TABLE kept (n INT)").execute(&mut connection).await.unwrap();
    postgres.create_database("footfall").await.unwrap();
    sqlx::raw_sql("INSERT INTO kept VALUES (1)").execute(&mut connection).await.unwrap();
    let refusal = postgres.create_database("foot\"fall").await.unwrap_err().to_string();
    assert!(refusal.starts_with("\"foot\\\"fall\" is no name for a database; use"), "{refusal}");
    postgres.stop().await.unwrap();
}
