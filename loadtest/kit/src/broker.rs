//! A real Kafka in a folder of its own, which can be stopped, killed and started again.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tokio::runtime::Handle;

use crate::{Trouble, processes};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kafka/kafka");
const PATIENCE: Duration = Duration::from_secs(20);
/// The script's exit code for a missing program.
const UNAVAILABLE: i32 = 69;

/// The broker. It ends with this process, however that ends: its script watches the process.
pub struct Broker {
    folder: PathBuf,
    /// Flags of each start.
    flags: Vec<String>,
    /// Where it is reached.
    pub bootstrap: String,
    runtime: Handle,
}

impl Broker {
    /// Starts a broker on the folder, with further flags of the script's `start`.
    pub fn start(folder: PathBuf, flags: &[&str], runtime: Handle) -> Result<Self, Trouble> {
        let flags: Vec<String> = flags.iter().copied().map(str::to_owned).collect();
        let watcher = ["--watch-pid".to_owned(), std::process::id().to_string()];
        let bootstrap = script(&["start"], &folder, &[&flags[..], &watcher].concat())?;
        Ok(Broker { folder, flags, bootstrap, runtime })
    }

    /// The listener behind a proxy; there is one where the broker was started with `--advertise`.
    pub fn proxied(&self) -> Result<SocketAddr, Trouble> {
        Ok(fs::read_to_string(self.folder.join("proxied"))?.trim().parse()?)
    }

    /// Ends the broker in order.
    pub fn stop(&self) -> Result<(), Trouble> {
        script(&["stop"], &self.folder, &[]).map(drop)
    }

    /// The broker's process.
    pub fn pid(&self) -> Result<u32, Trouble> {
        Ok(fs::read_to_string(self.folder.join("pid"))?.trim().parse()?)
    }

    /// Ends the broker at once.
    pub fn kill(&self) -> Result<(), Trouble> {
        processes::signal(self.pid()?, "KILL");
        // The script removes the folder's note of the process once it is gone.
        self.stop()
    }

    /// Starts the broker again, on what it left behind.
    pub fn start_again(&self) -> Result<(), Trouble> {
        let proxied = self.proxied().ok();
        let bootstrap = script(&["start"], &self.folder, &self.flags)?;
        if bootstrap != self.bootstrap || proxied != self.proxied().ok() {
            return Err(format!("the broker came back at {bootstrap}, not at {}; run again", self.bootstrap).into());
        }
        Ok(())
    }

    /// Copies the broker's log into a folder that is kept.
    pub fn keep_log(&self, folder: &Path) {
        for name in ["server.log", "server.log.1"] {
            let _ = fs::copy(self.folder.join(name), folder.join(format!("kafka-{name}")));
        }
    }

    /// A client configuration that knows the broker and nothing else.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap).set("reconnect.backoff.max.ms", "500");
        config
    }

    /// Creates topics: name and number of partitions.
    pub fn create_topics(&self, names: &[(&str, u32)]) -> Result<(), Trouble> {
        names.iter().try_for_each(|(name, partitions)| self.create_topic(name, *partitions, &[]))
    }

    /// Creates a topic with properties.
    pub fn create_topic(&self, name: &str, partitions: u32, properties: &[(&str, &str)]) -> Result<(), Trouble> {
        let topic = NewTopic::new(name, partitions.cast_signed(), TopicReplication::Fixed(1));
        let topic = properties.iter().fold(topic, |topic, (property, value)| topic.set(property, value));
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        for result in self.runtime.block_on(admin.create_topics([&topic], &options()))? {
            result.map_err(|(topic, code)| format!("the broker does not create topic {topic}: {code}"))?;
        }
        self.wait_for(name, partitions)
    }

    /// Deletes topics; their files go a minute later.
    pub fn delete_topics(&self, names: &[&str]) -> Result<(), Trouble> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        for result in self.runtime.block_on(admin.delete_topics(names, &options()))? {
            result.map_err(|(topic, code)| format!("the broker does not delete topic {topic}: {code}"))?;
        }
        Ok(())
    }

    /// Gives a topic more partitions.
    pub fn add_partitions(&self, topic: &str, partitions: u32) -> Result<(), Trouble> {
        let admin: AdminClient<DefaultClientContext> = self.client().create()?;
        let more = [NewPartitions::new(topic, partitions as usize)];
        for result in self.runtime.block_on(admin.create_partitions(&more, &options()))? {
            result.map_err(|(topic, code)| format!("the broker does not extend topic {topic}: {code}"))?;
        }
        self.wait_for(topic, partitions)
    }

    /// Waits until the broker tells its clients of a topic: a moment after it said that it has created it.
    fn wait_for(&self, topic: &str, partitions: u32) -> Result<(), Trouble> {
        let client: BaseConsumer = self.client().create()?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let metadata = client.fetch_metadata(Some(topic), PATIENCE)?;
            let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
            let has_leaders =
                |found: &MetadataTopic| found.partitions().iter().all(|partition| partition.leader() >= 0);
            if found.is_some_and(|found| found.partitions().len() == partitions as usize && has_leaders(found)) {
                return Ok(());
            }
            // Nothing to be told of: the client's events are waited for instead of the clock.
            let _ = client.poll(Duration::from_millis(20));
        }
        Err(format!("topic {topic} does not appear with {partitions} partitions").into())
    }

    /// Writes records: partition, key and value. Returns when all of them are acknowledged.
    pub fn send(&self, topic: &str, records: &[(u32, String, String)]) -> Result<(), Trouble> {
        let producer: BaseProducer = self.client().set("enable.idempotence", "true").create()?;
        for (partition, key, value) in records {
            let record = BaseRecord::to(topic).partition(partition.cast_signed()).key(key).payload(value);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        Ok(producer.flush(PATIENCE)?)
    }
}

/// Whether tests have a Kafka: the jars are there, or have been fetched. Where Java or Maven is missing, that is said once and the
/// tests are to be left out.
///
/// # Errors
/// Where the jars cannot be fetched, or are missing although `FOOTFALL_REQUIRE_KAFKA` says that they may not be.
pub fn is_available() -> Result<bool, Trouble> {
    static ASKED: OnceLock<Result<bool, String>> = OnceLock::new();
    let ask = || {
        let fetched = Command::new(SCRIPT).arg("fetch").stdin(Stdio::null()).output();
        let fetched = fetched.map_err(|error| format!("cannot run {SCRIPT}: {error}"))?;
        let said = String::from_utf8_lossy(&fetched.stderr).trim().to_owned();
        let required = std::env::var("FOOTFALL_REQUIRE_KAFKA").is_ok_and(|value| !matches!(value.as_str(), "" | "0"));
        match fetched.status.code() {
            Some(0) => Ok(true),
            Some(UNAVAILABLE) if !required => {
                // Past the test harness, which keeps the output of passing tests to itself.
                drop(writeln!(io::stderr(), "left out: the tests on real Kafka ({said})"));
                Ok(false)
            }
            _ => Err(format!("no Kafka for the tests: {said}")),
        }
    };
    Ok(ASKED.get_or_init(ask).clone()?)
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

fn script(arguments: &[&str], folder: &Path, more: &[String]) -> Result<String, Trouble> {
    let output = Command::new(SCRIPT)
        .args(arguments)
        .arg("--dir")
        .arg(folder)
        .args(more)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {SCRIPT}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
