//! The platform as somebody starts, stops, kills and starts it again: a process, real backends, HTTP.

#![cfg(feature = "kafka")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use backends::Postgres;
use clap::Parser as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How long the platform may take to start on a machine that does other things as well.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How long a count may take to arrive.
const COUNT_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// A folder that PostgreSQL gets into, which root runs as somebody else.
fn folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap()
}

/// A `footfall` that runs, or has run.
struct Footfall {
    process: Child,
    data: std::path::PathBuf,
    log: std::path::PathBuf,
}

impl Footfall {
    /// Starts it with its data in `data` of the folder, and these flags and variables.
    fn spawn(folder: &Path, flags: &[&str], variables: &[(&str, String)]) -> Self {
        let (data, log) = (folder.join("data"), folder.join("log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_footfall"));
        for variable in ["DB_HOST", "KAFKA_BOOTSTRAP_SERVERS", "AWS_ENDPOINT_URL_DYNAMODB", "FOOTFALL_ADMIN_TOKEN"] {
            command.env_remove(variable);
        }
        let process = command
            .args(flags)
            .arg("--data")
            .arg(&data)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            // As a shell starts it: with a group of its own.
            .process_group(0)
            .spawn()
            .unwrap();
        Footfall { process, data, log }
    }

    /// The same on free ports, ready.
    fn start(folder: &Path, variables: &[(&str, String)]) -> Self {
        // What a process that was killed has left behind says nothing about this one.
        let _ = fs::remove_file(folder.join("data/footfall.env"));
        let mut footfall = Footfall::spawn(folder, &["--port", "0"], variables);
        let began = Instant::now();
        while !footfall.data.join("footfall.env").is_file() {
            let ended = footfall.process.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < START_LIMIT, "it does not start:\n{}", footfall.said());
            std::thread::park_timeout(PAUSE);
        }
        footfall
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn wait_until_said(&mut self, what: &str) {
        let began = Instant::now();
        while !self.said().contains(what) {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < START_LIMIT, "not said: {what}\n{}", self.said());
            std::thread::park_timeout(PAUSE);
        }
    }

    /// A variable of `footfall.env`.
    fn variable(&self, name: &str) -> String {
        let text = fs::read_to_string(self.data.join("footfall.env")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
        line.trim_matches('\'').to_owned()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.variable("FOOTFALL_URL"))
    }

    fn signal(&self, name: &str) {
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }

    /// What a terminal does at Ctrl-C: every process of its group gets the signal.
    fn interrupt_group(&self) {
        let group = format!("-{}", self.process.id());
        assert!(Command::new("kill").args(["-s", "INT", "--", &group]).status().unwrap().success());
    }

    fn wait(&mut self, limit: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < limit, "it does not end:\n{}", self.said());
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Its child processes: those that it has started and that run.
    fn children(&self) -> Vec<u32> {
        children_of(self.process.id())
    }
}

impl Drop for Footfall {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The processes whose parent this is, by any of its threads.
fn children_of(process: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let children = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    children.flat_map(|text| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>()).collect()
}

fn runs(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}

async fn make_product(footfall: &Footfall, name: &str) -> Value {
    let response = reqwest::Client::new()
        .post(footfall.url("/products"))
        .bearer_auth(footfall.variable("FOOTFALL_ADMIN_TOKEN"))
        .json(&json!({"name": name, "price": "19.99"}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 201, "{}", footfall.said());
    response.json().await.unwrap()
}

/// Sends one event of each user, all at this time, and returns once all are acknowledged.
async fn send_events(footfall: &Footfall, product: &str, users: std::ops::Range<u32>, time: &str) {
    let event = |user| json!({"user_id": format!("u{user}"), "product_id": product, "event_type": "VIEW_PRODUCT", "timestamp": time});
    let response = reqwest::Client::new()
        .post(footfall.url("/events"))
        .header("X-Write-Key", footfall.variable("EVENTS_WRITE_KEYS"))
        .json(&users.clone().map(event).collect::<Vec<_>>())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 202, "{}", footfall.said());
    let receipt: Value = response.json().await.unwrap();
    assert_eq!(receipt["accepted"], users.len());
}

/// Waits until the newest window of the product has this count.
async fn wait_for_count(footfall: &Footfall, product: &str, window_start: &str, users: u32) {
    let began = Instant::now();
    loop {
        let page: Value = reqwest::get(footfall.url(&format!("/analytics/products/{product}/windows")))
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let rows = page["items"].as_array().unwrap();
        if rows.iter().any(|row| row["window_start"] == window_start && row["unique_user_count"] == users) {
            return;
        }
        assert!(began.elapsed() < COUNT_LIMIT, "{page}\n{}", footfall.said());
        tokio::time::sleep(PAUSE).await;
    }
}

/// Now, and the start of its minute, as `date` writes them.
fn now() -> (String, String) {
    let output = Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    let now = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let minute = format!("{}00Z", &now[..17]);
    (now, minute)
}

#[test]
fn ctrl_c_in_a_terminal_ends_it_well_although_every_process_there_gets_it() {
    let folder = folder();
    let mut footfall = Footfall::start(folder.path(), &[]);
    footfall.interrupt_group();
    assert!(footfall.wait(STOP_LIMIT).success(), "{}", footfall.said());
    assert!(!footfall.said().contains("failed"), "{}", footfall.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_parts_are_told_in_order_and_sigterm_ends_them_all() {
    let folder = folder();
    let mut footfall = Footfall::start(folder.path(), &[]);
    let said = footfall.said();
    let parts = ["PostgreSQL", "DynamoDB", "Kafka", "product-catalog", "activity-service", "dataflow", "api-gateway"];
    let places: Vec<_> =
        parts.map(|part| said.find(&format!("✓ {part} ")).unwrap_or_else(|| panic!("{part}\n{said}"))).into();
    assert!(places.is_sorted(), "{said}");
    assert!(said.contains("the embedded broker has no transactions"), "{said}");
    assert!(!said.contains('\u{1b}'), "colours in a file:\n{said}");
    let url = footfall.variable("FOOTFALL_URL");
    assert!(said.contains(&url), "{said}");
    let mode = fs::metadata(footfall.data.join("footfall.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = footfall.variable("FOOTFALL_ADMIN_TOKEN");
    assert!(token.len() >= 32 && !said.contains(&token), "{said}");

    let children = footfall.children();
    assert!(!children.is_empty());
    footfall.signal("TERM");
    assert!(footfall.wait(STOP_LIMIT).success(), "{}", footfall.said());
    assert!(children.iter().all(|child| !runs(*child)), "{children:?}");
    assert!(!footfall.data.join("footfall.env").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_a_kill_and_a_start_on_the_same_folder() {
    let folder = folder();
    let mut footfall = Footfall::start(folder.path(), &[]);
    let lamp = make_product(&footfall, "Lamp").await;
    let id = lamp["id"].as_str().unwrap();
    let (time, minute) = now();
    send_events(&footfall, id, 0..20, &time).await;
    let (token, children) = (footfall.variable("FOOTFALL_ADMIN_TOKEN"), footfall.children());
    footfall.signal("KILL");
    footfall.wait(STOP_LIMIT);

    let footfall = Footfall::start(folder.path(), &[]);
    assert!(children.iter().all(|child| !runs(*child)), "{children:?}");
    assert_eq!(footfall.variable("FOOTFALL_ADMIN_TOKEN"), token);
    let found: Value = reqwest::get(footfall.url(&format!("/products/{id}"))).await.unwrap().json().await.unwrap();
    assert_eq!(found, lamp);
    // Twenty users, whether they were counted before or after.
    wait_for_count(&footfall, id, &minute, 20).await;
    let (time, minute_after) = now();
    let again = if minute_after == minute { 15..45 } else { 0..45 };
    send_events(&footfall, id, again, &time).await;
    wait_for_count(&footfall, id, &minute_after, 45).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let folder = folder();
    let first = Footfall::start(folder.path(), &[]);
    let log = folder.path().join("log of the second");
    let second = Command::new(env!("CARGO_BIN_EXE_footfall"))
        .args(["--port", "0", "--data"])
        .arg(&first.data)
        .stderr(fs::File::create(&log).unwrap())
        .status()
        .unwrap();
    assert_eq!(second.code(), Some(1));
    let said = fs::read_to_string(log).unwrap();
    let (place, process) = (first.data.display(), first.process.id());
    assert_eq!(
        said,
        format!("footfall: {place} is in use by process {process}; end that process, or choose another folder\n")
    );
    make_product(&first, "Lamp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_said_in_one_sentence_and_nothing_is_left_behind() {
    let folder = folder();
    // On free ports those of the backends cannot be taken; the gateway's own can.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let postgres = Postgres::start(&folder.path().join("postgres"), None).await.unwrap();
    let dynamodb = backends::DynamoDb::start(None, 0).await.unwrap();
    let kafka = backends::Kafka::start(&folder.path().join("kafka"), 0).await.unwrap();
    let mut variables = database_variables(&postgres).await;
    variables.push(("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.endpoint()));
    variables.push(("KAFKA_BOOTSTRAP_SERVERS", kafka.address().to_string()));
    variables.push(("ADMIN_ADDR", "127.0.0.1:0".to_owned()));
    variables.push(("FOOTFALL_DELIVERY", "at-least-once".to_owned()));
    variables.push(("FOOTFALL_RESUME", format!("file:{}", folder.path().join("resume").display())));
    let mut footfall = Footfall::spawn(folder.path(), &["--port", &port], &variables);
    let status = footfall.wait(START_LIMIT);
    let said = footfall.said();
    assert_eq!(status.code(), Some(1), "{said}");
    let sentence = format!(
        "footfall: port {port} of 127.0.0.1 is in use; stop the program that listens there, or choose another with --port\n"
    );
    assert!(said.ends_with(&sentence), "{said}");
    // Each backend that was given is said to be, and none was started in its place.
    for (part, variable) in
        [("PostgreSQL", "DB_HOST"), ("DynamoDB", "AWS_ENDPOINT_URL_DYNAMODB"), ("Kafka", "KAFKA_BOOTSTRAP_SERVERS")]
    {
        let line = said.lines().find(|line| line.contains(&format!("✓ {part} "))).unwrap();
        assert!(line.contains(&format!("(by {variable})")), "{line}");
    }
    for name in ["postgres", "dynamodb.sqlite", "kafka"] {
        assert!(!footfall.data.join(name).exists(), "{name}");
    }
    postgres.stop().await.unwrap();
    dynamodb.stop().await.unwrap();
    kafka.stop().await.unwrap();
}

/// How the services reach a server that is not the platform's own.
async fn database_variables(postgres: &Postgres) -> Vec<(&'static str, String)> {
    postgres.create_database("footfall").await.unwrap();
    vec![
        ("DB_HOST", postgres.host().to_owned()),
        ("DB_PORT", postgres.port().to_string()),
        ("DB_NAME", "footfall".to_owned()),
        ("DB_USER", postgres.user().to_owned()),
        ("DB_PASSWORD", postgres.password().to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_while_it_starts_ends_it_and_its_server() {
    let folder = folder();
    let mut footfall = Footfall::spawn(folder.path(), &["--port", "0"], &[]);
    footfall.wait_until_said("✓ PostgreSQL ");
    let children = footfall.children();
    footfall.signal("INT");
    assert!(footfall.wait(STOP_LIMIT).success(), "{}", footfall.said());
    assert!(!children.is_empty() && children.iter().all(|child| !runs(*child)), "{children:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait_for_requests_in_work_and_takes_the_server_along() {
    let folder = folder();
    let mut footfall = Footfall::start(folder.path(), &[]);
    // A request whose body never ends.
    let address = footfall.variable("FOOTFALL_URL").replace("http://", "");
    let mut client = TcpStream::connect(address).unwrap();
    let key = footfall.variable("EVENTS_WRITE_KEYS");
    let head = format!("POST /events HTTP/1.1\r\nHost: x\r\nX-Write-Key: {key}\r\nContent-Type: application/json");
    write!(client, "{head}\r\nContent-Length: 100\r\n\r\n{{").unwrap();
    let children = footfall.children();
    footfall.signal("TERM");
    footfall.wait_until_said("stopping: ");
    footfall.signal("TERM");
    assert_eq!(footfall.wait(Duration::from_secs(5)).code(), Some(143), "{}", footfall.said());
    let began = Instant::now();
    while children.iter().any(|child| runs(*child)) {
        assert!(began.elapsed() < STOP_LIMIT, "{children:?}");
        std::thread::park_timeout(PAUSE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_as_a_part_of_another_program_until_that_stops_it() {
    let folder = folder();
    let data = folder.path().join("data");
    let args = local::Args::try_parse_from(["footfall", "--port", "0", "--data", data.to_str().unwrap()]).unwrap();
    let stop = CancellationToken::new();
    let began = Instant::now();
    let user = async {
        while !data.join("footfall.env").is_file() {
            assert!(began.elapsed() < START_LIMIT, "it does not start");
            tokio::time::sleep(PAUSE).await;
        }
        stop.cancel();
    };
    let (result, ()) = tokio::join!(local::run(&args, &stop), user);
    result.unwrap();
}
