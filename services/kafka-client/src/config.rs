//! From flags to client configurations: the relations between flags, and the properties that are ours.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::{Context, Error, KafkaArgs, SaslMechanism, Secret};

#[cfg(test)]
mod tests;

/// How long a record may wait for its acknowledgement, retries included, unless told.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

/// Properties that results depend on, each with the reason why it is not to be set.
const GUARDED: &[(&str, &str)] = &[
    ("enable.auto.commit", "the job decides itself where it reads on, and commits nothing on a timer"),
    ("auto.commit.enable", "the job decides itself where it reads on, and commits nothing on a timer"),
    ("enable.auto.offset.store", "the job decides itself where it reads on, and commits nothing on a timer"),
    ("isolation.level", "the job reads committed records only, else aborted ones would be counted"),
    ("enable.idempotence", "without it a retried record may be written twice or out of order"),
    ("acks", "a record counts as written when all in-sync replicas have it"),
    ("request.required.acks", "a record counts as written when all in-sync replicas have it"),
    ("delivery.report.only.error", "every acknowledgement is counted"),
    ("group.instance.id", "partitions are assigned by the job, not by a group"),
    ("group.id", "the job names its group itself"),
    ("transactional.id", "it follows from --environment and --group, so that a restarted job fences its predecessor"),
    ("enable.partition.eof", "a replay has to see the end of a partition"),
    ("auto.offset.reset", "a lost offset must stop the job, not move it silently"),
    ("allow.auto.create.topics", "a mistyped topic must be an error, not a new topic"),
    ("log.queue", "log lines are read by the job"),
];

/// Properties with a flag of their own, and the flag.
const FLAGGED: &[(&str, &str)] = &[
    ("bootstrap.servers", "--kafka-bootstrap-servers"),
    ("metadata.broker.list", "--kafka-bootstrap-servers"),
    ("security.protocol", "--kafka-security-protocol"),
    ("sasl.mechanism", "--kafka-sasl-mechanism"),
    ("sasl.mechanisms", "--kafka-sasl-mechanism"),
    ("sasl.username", "--kafka-sasl-username"),
    ("ssl.ca.location", "--kafka-ssl-ca-file"),
    ("ssl.certificate.location", "--kafka-ssl-certificate-file"),
    ("ssl.key.location", "--kafka-ssl-key-file"),
];

/// Properties that are secrets, and where the secret belongs.
const SECRET: &[(&str, &str)] = &[
    ("sasl.password", "the variable KAFKA_SASL_PASSWORD or --kafka-sasl-password-file"),
    ("ssl.key.password", "the variable KAFKA_SSL_KEY_PASSWORD"),
    ("ssl.key.pem", "a file named by --kafka-ssl-key-file"),
    ("ssl.keystore.password", "an unencrypted PEM file named by --kafka-ssl-key-file"),
    ("ssl.truststore.password", "a PEM file named by --kafka-ssl-ca-file"),
];

/// Properties that we set and that have a second name: the given one replaces ours whatever it is called.
const ALIASES: &[(&str, &str)] = &[
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("compression.codec", "compression.type"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
];

impl KafkaArgs {
    /// The configuration of a consumer of the program `name` that reads committed records, is told of the end of a partition, commits nothing
    /// by itself and fails, rather than jumps, where an offset is lost. `queued_bytes` bounds what is fetched ahead (of
    /// each partition, where their queues are split).
    ///
    /// # Errors
    /// [`Error::Setting`] where flags are missing, contradict each other or are refused by the client.
    pub fn consumer_config(&self, name: &str, queued_bytes: usize) -> Result<ClientConfig, Error> {
        let mut config = self.connection_config(name)?;
        // What one fetch may overshoot the bound by; large enough that throughput does not hang on round trips.
        let fetch_bytes = (queued_bytes / 2).clamp(64 << 10, 4 << 20);
        config
            // librdkafka wants a group before it assigns partitions. Whoever commits sets its own.
            .set("group.id", client_id(name))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("fetch.wait.max.ms", "100")
            .set("max.partition.fetch.bytes", fetch_bytes.to_string())
            .set("queued.max.messages.kbytes", (queued_bytes >> 10).clamp(1, 2_097_151).to_string())
            // librdkafka looks once a second by default whether a full queue has room again: too seldom for a replay.
            .set("fetch.queue.backoff.ms", "20");
        self.finish(config)
    }

    /// The configuration of a producer of the program `name` whose records are written once and in order, and acknowledged by all in-sync
    /// replicas.
    ///
    /// # Errors
    /// [`Error::Setting`] where flags are missing, contradict each other or are refused by the client.
    pub fn producer_config(&self, name: &str) -> Result<ClientConfig, Error> {
        let mut config = self.connection_config(name)?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("allow.auto.create.topics", "false")
            .set("compression.type", "zstd")
            .set("linger.ms", "5")
            .set("delivery.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
            .set("queue.buffering.max.messages", "100000")
            .set("queue.buffering.max.kbytes", "65536")
            // The topic's own limit decides: a quarantined record is its original, with headers of ours on top.
            .set("message.max.bytes", "16777216")
            // The partitioner of Kafka's Java clients: whoever writes a key finds it in the same partition.
            .set("partitioner", "murmur2_random");
        self.finish(config)
    }

    /// The context that every client is created with.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::new(self.aws_region.clone())
    }

    /// The brokers to begin with, for clients and messages.
    ///
    /// # Errors
    /// [`Error::Setting`] where they are missing or are URLs.
    pub fn servers(&self) -> Result<&str, Error> {
        let Some(servers) = given(self.bootstrap_servers.as_deref()) else {
            return Err(setting(
                "KAFKA_BOOTSTRAP_SERVERS is not set; set it, or --kafka-bootstrap-servers, to HOST:PORT of a broker",
            ));
        };
        let malformed =
            |server: &str| server.is_empty() || server.contains("://") || server.contains(char::is_whitespace);
        if servers.split(',').any(|server| malformed(server.trim())) {
            return Err(Error::Setting(format!(
                "KAFKA_BOOTSTRAP_SERVERS is {servers:?}; write HOST:PORT, several separated by commas"
            )));
        }
        Ok(servers)
    }

    /// What consumers, producers and the admin client of the program `name` have in common.
    ///
    /// # Errors
    /// [`Error::Setting`] where flags are missing or contradict each other.
    pub fn connection_config(&self, name: &str) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.servers()?)
            .set("client.id", client_id(name))
            .set("socket.keepalive.enable", "true")
            .set("security.protocol", self.security_protocol.name())
            // Which lines are kept is decided where logs are written.
            .set_log_level(RDKafkaLogLevel::Debug);
        self.set_login(&mut config)?;
        self.set_encryption(&mut config)?;
        Ok(config)
    }

    fn set_login(&self, config: &mut ClientConfig) -> Result<(), Error> {
        let protocol = self.security_protocol;
        let username = given(self.sasl_username.as_deref());
        let password = self.password()?;
        let Some(mechanism) = self.sasl_mechanism else {
            if protocol.is_authenticated() {
                return Err(Error::Setting(format!(
                    "KAFKA_SECURITY_PROTOCOL is {} but KAFKA_SASL_MECHANISM is not set; set it to SCRAM-SHA-512, \
                     SCRAM-SHA-256, PLAIN or OAUTHBEARER",
                    protocol.name()
                )));
            }
            if username.is_some() || password.is_some() {
                return Err(Error::Setting(format!(
                    "there is a user name or password for Kafka but KAFKA_SECURITY_PROTOCOL is {}, which does not log in; \
                     set it to SASL_SSL and set KAFKA_SASL_MECHANISM",
                    protocol.name()
                )));
            }
            return Ok(());
        };
        if !protocol.is_authenticated() {
            return Err(Error::Setting(format!(
                "KAFKA_SASL_MECHANISM is {} but KAFKA_SECURITY_PROTOCOL is {}, which does not log in; set the latter to \
                 SASL_SSL",
                mechanism.name(),
                protocol.name()
            )));
        }
        config.set("sasl.mechanism", mechanism.name());
        if mechanism == SaslMechanism::OAuthBearer {
            return self.check_msk_iam(username.is_some() || password.is_some());
        }
        let Some(username) = username else {
            return Err(Error::Setting(format!(
                "KAFKA_SASL_MECHANISM is {} but KAFKA_SASL_USERNAME is not set; set it, or --kafka-sasl-username",
                mechanism.name()
            )));
        };
        let Some(password) = password else {
            return Err(Error::Setting(format!(
                "KAFKA_SASL_MECHANISM is {} but there is no password; set KAFKA_SASL_PASSWORD or \
                 --kafka-sasl-password-file",
                mechanism.name()
            )));
        };
        config.set("sasl.username", username).set("sasl.password", password.expose());
        Ok(())
    }

    fn check_msk_iam(&self, has_login: bool) -> Result<(), Error> {
        if has_login {
            return Err(setting(
                "KAFKA_SASL_MECHANISM is OAUTHBEARER, which takes its credentials from the AWS default chain; remove the \
                 user name and password or choose SCRAM-SHA-512",
            ));
        }
        if !self.security_protocol.is_encrypted() {
            return Err(setting(
                "KAFKA_SASL_MECHANISM is OAUTHBEARER but KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT, which shows the token \
                 to the network; set it to SASL_SSL",
            ));
        }
        if given(self.aws_region.as_deref()).is_none() {
            return Err(setting(
                "KAFKA_SASL_MECHANISM is OAUTHBEARER but AWS_REGION is not set; set it to the region of the MSK cluster",
            ));
        }
        Ok(())
    }

    fn set_encryption(&self, config: &mut ClientConfig) -> Result<(), Error> {
        let files = [
            ("KAFKA_SSL_CA_FILE", "ssl.ca.location", self.ssl_ca_file.as_deref()),
            ("KAFKA_SSL_CERTIFICATE_FILE", "ssl.certificate.location", self.ssl_certificate_file.as_deref()),
            ("KAFKA_SSL_KEY_FILE", "ssl.key.location", self.ssl_key_file.as_deref()),
        ];
        if self.security_protocol.is_encrypted() {
            // OpenSSL is linked into the program and knows no system's store: look in the usual places.
            config.set("ssl.ca.location", "probe");
        }
        for (variable, property, file) in files {
            let Some(path) = file.filter(|path| !path.as_os_str().is_empty()) else { continue };
            if !self.security_protocol.is_encrypted() {
                return Err(Error::Setting(format!(
                    "{variable} is {} but KAFKA_SECURITY_PROTOCOL is {}, which does not encrypt; set the latter to SSL or \
                     SASL_SSL",
                    path.display(),
                    self.security_protocol.name()
                )));
            }
            File::open(path).map_err(|error| unreadable(variable, path, &error))?;
            config.set(property, path.to_string_lossy());
        }
        match (self.ssl_certificate_file.is_some(), self.ssl_key_file.is_some()) {
            (true, false) => {
                return Err(setting(
                    "KAFKA_SSL_CERTIFICATE_FILE is set but KAFKA_SSL_KEY_FILE is not; a certificate needs its key",
                ));
            }
            (false, true) => {
                return Err(setting(
                    "KAFKA_SSL_KEY_FILE is set but KAFKA_SSL_CERTIFICATE_FILE is not; a key needs its certificate",
                ));
            }
            _ => {}
        }
        if let (Some(_), Some(password)) = (&self.ssl_key_file, &self.ssl_key_password) {
            config.set("ssl.key.password", password.expose());
        }
        Ok(())
    }

    fn password(&self) -> Result<Option<Secret>, Error> {
        let Some(path) = self.sasl_password_file.as_deref().filter(|path| !path.as_os_str().is_empty()) else {
            return Ok(self.sasl_password.clone());
        };
        if self.sasl_password.is_some() {
            return Err(Error::Setting(format!(
                "both KAFKA_SASL_PASSWORD and the password file {} are given; keep one",
                path.display()
            )));
        }
        let variable = "KAFKA_SASL_PASSWORD_FILE";
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(variable, path, &error))?;
        let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if line.is_empty() {
            return Err(Error::Setting(format!("{variable} {} is empty; write the password into it", path.display())));
        }
        Ok(Some(Secret::new(line)))
    }

    /// Adds the given properties and lets the client judge names and values, before anything connects.
    fn finish(&self, mut config: ClientConfig) -> Result<ClientConfig, Error> {
        for property in &self.properties {
            let name = property.name.as_str();
            refuse_reserved(name)?;
            if let Some((_, ours)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
                config.remove(ours);
            }
            config.set(name, property.value.as_str());
        }
        match config.create_native_config() {
            Ok(_) => Ok(config),
            // Neither the value nor the client's text is repeated, because it quotes the value.
            Err(KafkaError::ClientConfig(_, _, name, _)) => Err(Error::Setting(format!(
                "the Kafka client does not know the property {name}, or not its value; correct --kafka-config"
            ))),
            Err(_) => Err(setting("a setting for Kafka contains a NUL character; remove it")),
        }
    }
}

/// As whom a program is known to brokers.
fn client_id(name: &str) -> String {
    format!("footfall-{name}")
}

fn refuse_reserved(name: &str) -> Result<(), Error> {
    let find = |list: &[(&str, &'static str)]| list.iter().find(|(key, _)| *key == name).map(|(_, text)| *text);
    if let Some(place) = find(SECRET) {
        return Err(Error::Setting(format!("--kafka-config must not carry {name}, a secret; give it by {place}")));
    }
    if ["password", "secret", "passphrase"].iter().any(|word| name.contains(word)) {
        return Err(Error::Setting(format!(
            "--kafka-config must not carry {name}, a secret; log in with KAFKA_SASL_PASSWORD or with OAUTHBEARER"
        )));
    }
    if let Some(flag) = find(FLAGGED) {
        return Err(Error::Setting(format!("--kafka-config must not carry {name}; use {flag}")));
    }
    if let Some(reason) = find(GUARDED) {
        return Err(Error::Setting(format!("--kafka-config must not carry {name}: {reason}; remove it")));
    }
    Ok(())
}

/// An empty variable is an absent one: manifests and compose files cannot leave a variable out.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

fn setting(text: &str) -> Error {
    Error::Setting(text.to_owned())
}

fn unreadable(variable: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::Setting(format!("{variable} {} cannot be read: {error}; correct the path or its rights", path.display()))
}
