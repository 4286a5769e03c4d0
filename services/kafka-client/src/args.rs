//! The flags and variables that say how to reach Kafka.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How to reach Kafka. The doc comments are the reference manual: `--help` shows them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaArgs {
    /// Brokers to begin with, as HOST:PORT, separated by commas. The others are learnt from these.
    #[arg(long = "kafka-bootstrap-servers", env = "KAFKA_BOOTSTRAP_SERVERS", value_name = "HOST:PORT,...")]
    pub bootstrap_servers: Option<String>,

    /// How connections to the brokers are protected: SSL and SASL_SSL encrypt them, SASL_PLAINTEXT and SASL_SSL log in.
    #[arg(
        long = "kafka-security-protocol",
        env = "KAFKA_SECURITY_PROTOCOL",
        default_value = "PLAINTEXT",
        ignore_case = true,
        value_name = "PROTOCOL"
    )]
    pub security_protocol: SecurityProtocol,

    /// How to log in. SCRAM and PLAIN need a user name and a password. OAUTHBEARER is the IAM authentication of Amazon
    /// MSK: the credentials come from the AWS default chain, the region from AWS_REGION.
    #[arg(long = "kafka-sasl-mechanism", env = "KAFKA_SASL_MECHANISM", ignore_case = true, value_name = "MECHANISM")]
    pub sasl_mechanism: Option<SaslMechanism>,

    /// The user that logs in with SCRAM or PLAIN.
    #[arg(long = "kafka-sasl-username", env = "KAFKA_SASL_USERNAME", value_name = "NAME")]
    pub sasl_username: Option<String>,

    /// A file that holds the password; one line end at its end is ignored. The other way is the environment variable
    /// KAFKA_SASL_PASSWORD. There is no flag for the password itself, because every user of a machine sees the command
    /// lines of its processes.
    #[arg(long = "kafka-sasl-password-file", env = "KAFKA_SASL_PASSWORD_FILE", value_name = "FILE")]
    pub sasl_password_file: Option<PathBuf>,

    /// The password from the environment variable `KAFKA_SASL_PASSWORD`, read when the command line is parsed.
    #[arg(skip = Secret::from_environment("KAFKA_SASL_PASSWORD"))]
    pub sasl_password: Option<Secret>,

    /// The region of the Amazon MSK cluster; needed with OAUTHBEARER only.
    #[arg(long = "kafka-sasl-aws-region", env = "AWS_REGION", value_name = "REGION")]
    pub aws_region: Option<String>,

    /// A PEM file with the authorities that may sign the brokers' certificates; without it, those of the operating
    /// system.
    #[arg(long = "kafka-ssl-ca-file", env = "KAFKA_SSL_CA_FILE", value_name = "FILE")]
    pub ssl_ca_file: Option<PathBuf>,

    /// A PEM file with the certificate that we present to brokers that ask for one (mutual TLS); needs the key too.
    #[arg(long = "kafka-ssl-certificate-file", env = "KAFKA_SSL_CERTIFICATE_FILE", value_name = "FILE")]
    pub ssl_certificate_file: Option<PathBuf>,

    /// A PEM file with the private key of that certificate. The password of an encrypted key comes from the environment
    /// variable KAFKA_SSL_KEY_PASSWORD.
    #[arg(long = "kafka-ssl-key-file", env = "KAFKA_SSL_KEY_FILE", value_name = "FILE")]
    pub ssl_key_file: Option<PathBuf>,

    /// The private key's password from the environment variable `KAFKA_SSL_KEY_PASSWORD`.
    #[arg(skip = Secret::from_environment("KAFKA_SSL_KEY_PASSWORD"))]
    pub ssl_key_password: Option<Secret>,

    /// Any other property of the Kafka client (librdkafka), such as `socket.timeout.ms=30000`; repeatable, in the
    /// variable separated by semicolons. Properties that results depend on, and those with a flag of their own, are
    /// refused.
    #[arg(
        long = "kafka-config",
        env = "KAFKA_CONFIG",
        hide_env_values = true,
        value_delimiter = ';',
        value_name = "KEY=VALUE"
    )]
    pub properties: Vec<Property>,
}

/// How connections to the brokers are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    #[default]
    #[value(name = "PLAINTEXT")]
    Plaintext,
    /// Encrypted.
    #[value(name = "SSL")]
    Ssl,
    /// Authenticated, not encrypted.
    #[value(name = "SASL_PLAINTEXT")]
    SaslPlaintext,
    /// Encrypted and authenticated.
    #[value(name = "SASL_SSL")]
    SaslSsl,
}

impl SecurityProtocol {
    /// The name that Kafka's clients use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SecurityProtocol::Plaintext => "PLAINTEXT",
            SecurityProtocol::Ssl => "SSL",
            SecurityProtocol::SaslPlaintext => "SASL_PLAINTEXT",
            SecurityProtocol::SaslSsl => "SASL_SSL",
        }
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        matches!(self, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }

    /// Whether the client logs in.
    #[must_use]
    pub const fn is_authenticated(self) -> bool {
        matches!(self, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }
}

/// How the client logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SaslMechanism {
    /// User name and password, never sent as they are (RFC 7677).
    #[value(name = "SCRAM-SHA-256")]
    ScramSha256,
    /// The same with SHA-512, as Amazon MSK wants it.
    #[value(name = "SCRAM-SHA-512")]
    ScramSha512,
    /// User name and password as they are (RFC 4616).
    #[value(name = "PLAIN")]
    Plain,
    /// The IAM authentication of Amazon MSK: a signed token (RFC 7628).
    #[value(name = "OAUTHBEARER")]
    OAuthBearer,
}

impl SaslMechanism {
    /// The name that Kafka's clients use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::OAuthBearer => "OAUTHBEARER",
        }
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The secret in an environment variable; an empty variable is an absent one.
    #[must_use]
    pub fn from_environment(variable: &str) -> Option<Self> {
        std::env::var(variable).ok().filter(|text| !text.is_empty()).map(Secret)
    }

    /// The secret, for the client that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A property of the Kafka client that has no flag of its own. Its value is not printed: it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// The name, as librdkafka's list of properties has it.
    pub name: String,
    /// The value.
    pub value: String,
}

impl std::str::FromStr for Property {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("there is no '='; write KEY=VALUE")?;
        if name.trim().is_empty() {
            return Err("there is no key before the '='; write KEY=VALUE");
        }
        Ok(Property { name: name.trim().to_owned(), value: value.to_owned() })
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=..", self.name)
    }
}
