#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;

use clap::Parser;

use super::*;
use crate::{Property, SecurityProtocol};

#[derive(Parser, Debug)]
struct Cli {
    #[command(flatten)]
    kafka: KafkaArgs,
}

fn plain() -> KafkaArgs {
    KafkaArgs { bootstrap_servers: Some("broker:9092".to_owned()), ..KafkaArgs::default() }
}

fn scram() -> KafkaArgs {
    KafkaArgs {
        security_protocol: SecurityProtocol::SaslSsl,
        sasl_mechanism: Some(SaslMechanism::ScramSha512),
        sasl_username: Some("footfall".to_owned()),
        sasl_password: Some(Secret::new("hunter2")),
        ..plain()
    }
}

fn with_property(name: &str, value: &str) -> KafkaArgs {
    KafkaArgs { properties: vec![Property { name: name.to_owned(), value: value.to_owned() }], ..plain() }
}

/// The sentence with which the flags are refused, by consumers and producers alike.
#[track_caller]
fn refusal(args: &KafkaArgs) -> String {
    let Err(Error::Setting(text)) = args.consumer_config("dataflow", 1 << 20) else { panic!("accepted: {args:?}") };
    assert_eq!(args.producer_config("dataflow").map(|_| ()), Err(Error::Setting(text.clone())));
    assert!(text.contains(';') && !text.ends_with('.'), "no remedy, or a full stop: {text}");
    text
}

#[test]
fn a_consumer_reads_committed_records_and_commits_nothing_by_itself() {
    let config = plain().consumer_config("dataflow", 8 << 20).unwrap();
    for (name, value) in [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "error"),
        ("allow.auto.create.topics", "false"),
        ("fetch.wait.max.ms", "100"),
        ("client.id", "footfall-dataflow"),
        ("queued.max.messages.kbytes", "8192"),
        ("max.partition.fetch.bytes", "4194304"),
    ] {
        assert_eq!(config.get(name), Some(value), "{name}");
    }
    assert!(config.get("group.id").is_some());
}

#[test]
fn queue_bounds_of_any_size_are_brought_into_the_clients_range() {
    for bytes in [0, 1, 1 << 10, 1 << 20, usize::MAX] {
        assert!(plain().consumer_config("dataflow", bytes).is_ok(), "{bytes}");
    }
}

#[test]
fn a_producer_is_idempotent_and_waits_for_all_replicas() {
    let config = plain().producer_config("dataflow").unwrap();
    for (name, value) in [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("compression.type", "zstd"),
        ("linger.ms", "5"),
        ("delivery.timeout.ms", "120000"),
        ("allow.auto.create.topics", "false"),
    ] {
        assert_eq!(config.get(name), Some(value), "{name}");
    }
}

#[test]
fn brokers_are_required_and_are_no_urls() {
    for servers in [None, Some(""), Some("  ")] {
        let args = KafkaArgs { bootstrap_servers: servers.map(str::to_owned), ..KafkaArgs::default() };
        assert!(refusal(&args).contains("KAFKA_BOOTSTRAP_SERVERS is not set"));
    }
    for servers in ["kafka://broker:9092", "a:9092,,b:9092", "a:9092 b:9092"] {
        let args = KafkaArgs { bootstrap_servers: Some(servers.to_owned()), ..KafkaArgs::default() };
        assert!(refusal(&args).contains(servers));
    }
    let args = KafkaArgs { bootstrap_servers: Some("a:9092, b:9092".to_owned()), ..KafkaArgs::default() };
    assert!(args.producer_config("dataflow").is_ok());
}

#[test]
fn a_login_needs_protocol_mechanism_user_and_password_together() {
    let config = scram().producer_config("dataflow").unwrap();
    assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
    assert_eq!(config.get("sasl.password"), Some("hunter2"));

    let cases: [(KafkaArgs, &str); 6] = [
        (KafkaArgs { sasl_username: None, ..scram() }, "KAFKA_SASL_USERNAME"),
        (KafkaArgs { sasl_username: Some(String::new()), ..scram() }, "KAFKA_SASL_USERNAME"),
        (KafkaArgs { sasl_password: None, ..scram() }, "KAFKA_SASL_PASSWORD"),
        (KafkaArgs { sasl_mechanism: None, ..scram() }, "KAFKA_SASL_MECHANISM is not set"),
        (KafkaArgs { security_protocol: SecurityProtocol::Ssl, ..scram() }, "KAFKA_SECURITY_PROTOCOL is SSL"),
        (KafkaArgs { sasl_username: Some("footfall".to_owned()), ..plain() }, "KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
    ];
    for (args, part) in cases {
        let text = refusal(&args);
        assert!(text.contains(part), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn msk_iam_needs_a_region_and_encryption_and_no_password() {
    let msk = KafkaArgs {
        security_protocol: SecurityProtocol::SaslSsl,
        sasl_mechanism: Some(SaslMechanism::OAuthBearer),
        aws_region: Some("eu-central-1".to_owned()),
        ..plain()
    };
    assert_eq!(msk.consumer_config("dataflow", 1 << 20).unwrap().get("sasl.mechanism"), Some("OAUTHBEARER"));
    assert!(refusal(&KafkaArgs { aws_region: None, ..msk.clone() }).contains("AWS_REGION"));
    let bare = KafkaArgs { security_protocol: SecurityProtocol::SaslPlaintext, ..msk.clone() };
    assert!(refusal(&bare).contains("SASL_SSL"));
    assert!(refusal(&KafkaArgs { sasl_password: Some(Secret::new("hunter2")), ..msk }).contains("AWS default chain"));
}

#[test]
fn the_password_file_is_read_without_its_line_end_and_excludes_the_variable() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"pass word \r\n").unwrap();
    let path = Some(file.path().to_owned());
    let args = KafkaArgs { sasl_password: None, sasl_password_file: path.clone(), ..scram() };
    assert_eq!(args.producer_config("dataflow").unwrap().get("sasl.password"), Some("pass word "));
    assert!(refusal(&KafkaArgs { sasl_password_file: path, ..scram() }).contains("keep one"));

    let absent = KafkaArgs { sasl_password: None, sasl_password_file: Some("/no/such/file".into()), ..scram() };
    assert!(refusal(&absent).contains("KAFKA_SASL_PASSWORD_FILE /no/such/file cannot be read"));
    let empty = tempfile::NamedTempFile::new().unwrap();
    let args = KafkaArgs { sasl_password: None, sasl_password_file: Some(empty.path().to_owned()), ..scram() };
    assert!(refusal(&args).contains("is empty"));
}

#[test]
fn certificates_need_encryption_and_come_with_their_key() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = Some(file.path().to_owned());
    let ssl = KafkaArgs { security_protocol: SecurityProtocol::Ssl, ..plain() };
    assert_eq!(ssl.consumer_config("dataflow", 1).unwrap().get("ssl.ca.location"), Some("probe"));
    assert!(refusal(&KafkaArgs { ssl_ca_file: path.clone(), ..plain() }).contains("does not encrypt"));
    assert!(refusal(&KafkaArgs { ssl_certificate_file: path.clone(), ..ssl.clone() }).contains("KAFKA_SSL_KEY_FILE"));
    assert!(refusal(&KafkaArgs { ssl_key_file: path, ..ssl.clone() }).contains("KAFKA_SSL_CERTIFICATE_FILE"));
    assert!(refusal(&KafkaArgs { ssl_ca_file: Some("/no/ca".into()), ..ssl }).contains("KAFKA_SSL_CA_FILE /no/ca"));
}

#[test]
fn properties_that_results_depend_on_are_refused_by_name() {
    for name in [
        "enable.auto.commit",
        "isolation.level",
        "enable.idempotence",
        "acks",
        "request.required.acks",
        "enable.auto.offset.store",
        "group.instance.id",
        "auto.offset.reset",
        "transactional.id",
        "bootstrap.servers",
        "metadata.broker.list",
        "sasl.mechanisms",
    ] {
        assert!(refusal(&with_property(name, "x")).contains(name), "{name}");
    }
}

#[test]
fn secrets_are_refused_in_properties_without_being_repeated() {
    for name in ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret"] {
        let text = refusal(&with_property(name, "hunter2"));
        assert!(text.contains(name) && text.contains("secret") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn other_properties_pass_and_replace_ours_under_either_name() {
    let config = with_property("socket.timeout.ms", "30000").consumer_config("dataflow", 1 << 20).unwrap();
    assert_eq!(config.get("socket.timeout.ms"), Some("30000"));
    let config = with_property("message.timeout.ms", "5000").producer_config("dataflow").unwrap();
    assert_eq!((config.get("message.timeout.ms"), config.get("delivery.timeout.ms")), (Some("5000"), None));
    assert!(refusal(&with_property("socket.timeout.mss", "1")).contains("socket.timeout.mss"));
    assert!(refusal(&with_property("socket.timeout.ms", "soon")).contains("socket.timeout.ms"));
}

#[test]
fn nothing_that_may_be_secret_is_printed() {
    let text = format!("{:?}", KafkaArgs { properties: with_property("ssl.key.pem", "hunter2").properties, ..scram() });
    assert!(text.contains("ssl.key.pem") && !text.contains("hunter2"), "{text}");
    assert!(!format!("{:?}", scram().producer_config("dataflow").unwrap()).contains("hunter2"));
}

#[test]
fn flags_are_parsed_and_no_flag_takes_a_password() {
    let cli = Cli::try_parse_from([
        "x",
        "--kafka-bootstrap-servers=a:1,b:2",
        "--kafka-security-protocol=sasl_ssl",
        "--kafka-sasl-mechanism=scram-sha-256",
        "--kafka-config=socket.timeout.ms=1000;client.rack=a=b",
        "--kafka-config=debug=broker",
    ])
    .unwrap();
    assert_eq!(cli.kafka.security_protocol, SecurityProtocol::SaslSsl);
    assert_eq!(cli.kafka.sasl_mechanism, Some(SaslMechanism::ScramSha256));
    let names: Vec<_> = cli.kafka.properties.iter().map(|property| property.name.as_str()).collect();
    assert_eq!(names, ["socket.timeout.ms", "client.rack", "debug"]);
    assert_eq!(cli.kafka.properties[1].value, "a=b");

    assert!(Cli::try_parse_from(["x", "--kafka-sasl-password=hunter2"]).is_err());
    assert!(Cli::try_parse_from(["x", "--kafka-security-protocol=TLS"]).is_err());
    assert!(Cli::try_parse_from(["x", "--kafka-config=nothing"]).is_err());
}
