//! The platform as somebody starts, stops, kills and starts it again.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use backends::Postgres;
use clap::Parser as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::{COUNT_LIMIT, Footfall, PAUSE, START_LIMIT, STOP_LIMIT, folder, runs};

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
    let parts = [
        "PostgreSQL",
        "DynamoDB",
        "SQS",
        "Kafka",
        "product-catalog",
        "order-service",
        "customer-service",
        "activity-service",
        "dataflow",
        "api-gateway",
    ];
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
    let mut footfall = Footfall::spawn(folder.path(), &["--no-demo", "--port", &port], &variables);
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
    let args = local::Args::try_parse_from(["footfall", "--no-demo", "--port", "0", "--data", data.to_str().unwrap()])
        .unwrap();
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
