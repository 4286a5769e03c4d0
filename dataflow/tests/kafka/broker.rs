//! A real Kafka broker for integration tests: one for each test process, started by the first test that asks for it.
//!
//! A test begins with `let Some(broker) = broker::broker() else { return };`. Three environment variables decide:
//!
//! * `KAFKA_TEST_BOOTSTRAP`: use the broker at this `host:port`, start none;
//! * `FOOTFALL_REQUIRE_KAFKA=1`: a machine that cannot run Kafka fails these tests instead of leaving them out;
//! * `XDG_CACHE_HOME`: where `loadtest/kafka/kafka` keeps Kafka's jars.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use std::env;
use std::io::{self, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../loadtest/kafka/kafka");

/// The script's exit code for a missing program (`EX_UNAVAILABLE` of sysexits.h).
const UNAVAILABLE: i32 = 69;

const ADMIN_TIMEOUT: Duration = Duration::from_secs(15);

/// A running broker. It ends with the test process, also after a panic or a kill: the script watches the process.
pub(crate) struct Broker {
    bootstrap: String,
    secure: Option<Secure>,
}

/// A broker of one test's own, which may stop it.
pub(crate) struct OwnBroker {
    broker: Broker,
    folder: tempfile::TempDir,
}

impl OwnBroker {
    /// Starts one, or says why there is none, as [`broker`] does; none beside that of `KAFKA_TEST_BOOTSTRAP`.
    ///
    /// # Panics
    /// As [`broker`].
    pub(crate) fn start() -> Option<Self> {
        // Decides whether this machine can run Kafka at all, and by the same variables.
        broker()?;
        if env::var("KAFKA_TEST_BOOTSTRAP").is_ok() {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("footfall-kafka.").tempdir().expect("a folder");
        let watched = process::id().to_string();
        let bootstrap = script("start", folder.path(), &["--watch-pid", &watched]);
        Some(OwnBroker { broker: Broker { bootstrap, secure: None }, folder })
    }

    /// The broker.
    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Stops the broker in order.
    pub(crate) fn stop(&self) {
        script("stop", self.folder.path(), &[]);
    }

    /// Ends the broker without a word, as a lost machine does.
    pub(crate) fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).expect("the broker's process id");
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status().expect("kill");
        assert!(killed.success());
        // Only then is its port free for the next.
        while TcpStream::connect(&self.broker.bootstrap).is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again, at the same address and with its data.
    pub(crate) fn start_again(&self) {
        let (_, port) = self.broker.bootstrap.rsplit_once(':').expect("host:port");
        assert_eq!(script("start", self.folder.path(), &["--port", port]), self.broker.bootstrap);
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a subcommand of the script that has to work; returns what it printed.
fn script(subcommand: &str, folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(SCRIPT);
    command.arg(subcommand).arg("--dir").arg(folder).args(arguments).stdin(Stdio::null());
    let output = command.output().expect("the script");
    assert!(output.status.success(), "kafka {subcommand}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The broker's second listener, which encrypts and wants a login.
pub(crate) struct Secure {
    variables: Vec<(String, String)>,
}

impl Secure {
    /// All variables that the program needs to reach it: address, login by SCRAM-SHA-512, authority.
    pub(crate) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none of this name.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(variable, _)| variable == name);
        &found.unwrap_or_else(|| panic!("secure.env has no {name}")).1
    }
}

/// The broker of this test process, or `None` where Kafka cannot run; why is then said once on standard error.
///
/// # Panics
/// When the broker cannot be started although the machine has what it takes, or must have it
/// (`FOOTFALL_REQUIRE_KAFKA=1`).
pub(crate) fn broker() -> Option<&'static Broker> {
    static BROKER: OnceLock<Result<Option<Broker>, String>> = OnceLock::new();
    match BROKER.get_or_init(start) {
        Ok(broker) => broker.as_ref(),
        Err(reason) => panic!("no broker for the tests on real Kafka: {reason}"),
    }
}

impl Broker {
    /// The address for `bootstrap.servers`.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The listener that encrypts; none when the broker is one of `KAFKA_TEST_BOOTSTRAP`.
    pub(crate) fn secure(&self) -> Option<&Secure> {
        self.secure.as_ref()
    }

    /// A client configuration that knows the broker and nothing else.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// Creates the topic `name`. Tests share the broker: a name must be the test's own.
    ///
    /// # Panics
    /// When the broker refuses, for one because the topic exists.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(ADMIN_TIMEOUT)).request_timeout(Some(ADMIN_TIMEOUT));
        // The client has its own thread; the runtime only waits for it.
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a tokio runtime");
        let results = runtime.block_on(admin.create_topics([&topic], &options)).expect("an answer of the broker");
        for result in results {
            if let Err((topic, code)) = result {
                panic!("the broker does not create the topic {topic}: {code}");
            }
        }
    }
}

fn start() -> Result<Option<Broker>, String> {
    if let Ok(bootstrap) = env::var("KAFKA_TEST_BOOTSTRAP") {
        return Ok(Some(Broker { bootstrap, secure: None }));
    }
    // Not deleted here once the broker runs: a static is never dropped. The script's watcher does it when this process
    // is gone.
    let folder = tempfile::Builder::new().prefix("footfall-kafka.").tempdir().map_err(|error| error.to_string())?;
    let output = Command::new(SCRIPT)
        .args(["start", "--secure"])
        .arg("--dir")
        .arg(folder.path())
        .arg("--watch-pid")
        .arg(process::id().to_string())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {SCRIPT}: {error}"))?;
    if output.status.success() {
        let folder = folder.keep();
        let bootstrap = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let text = std::fs::read_to_string(folder.join("secure.env")).map_err(|error| error.to_string())?;
        let variables = text.lines().filter_map(|line| line.split_once('='));
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        return Ok(Some(Broker { bootstrap, secure: Some(Secure { variables }) }));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.trim().trim_start_matches("kafka: ");
    let required = env::var("FOOTFALL_REQUIRE_KAFKA").is_ok_and(|value| !matches!(value.as_str(), "" | "0"));
    if output.status.code() != Some(UNAVAILABLE) || required {
        return Err(reason.to_owned());
    }
    // Past the test harness, which keeps the output of passing tests to itself.
    let _ = writeln!(io::stderr(), "left out: the tests on real Kafka ({reason})");
    Ok(None)
}
