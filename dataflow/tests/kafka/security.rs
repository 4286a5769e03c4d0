//! Brokers that encrypt and want a login.

use std::io::Write as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use schemas::ResultRow;

use crate::broker::{Broker, Secure, broker};
use crate::program::{dataflow, finish};
use crate::topics::final_rows;

/// An authority that has signed nothing. Its key is gone.
const FOREIGN_AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBbzCCARagAwIBAgIIUH66nbLE4kgwCgYIKoZIzj0EAwIwGzEZMBcGA1UEAxMQ
Rm9vdGZhbGwgdGVzdCBDQTAgFw0yNjExMjEyMTM0MTJaGA8yMTI2MTAyODIxMzQx
MlowGzEZMBcGA1UEAxMQRm9vdGZhbGwgdGVzdCBDQTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABB3+w0EhvsJRfEhHjRKZSzPVpWdkQ5M+tkav/ZqxxZyb/V64cEnU
sQinI+jJaOR/NSMD2uWcEYP3WdvqrLn2b4ajQjBAMB0GA1UdDgQWBBTvER6O/zLP
+1yd5icPdXniQwmckTAOBgNVHQ8BAf8EBAMCAgQwDwYDVR0TAQH/BAUwAwEB/zAK
BggqhkjOPQQDAgNHADBEAiAK3GxvZdbXxF+1cWhq558RpHUqvQltOY0MJP+M90N3
MQIgQ1w4oo3c7sjmlplMyt8gKJmgRuuhoaHvDMkdj37h478=
-----END CERTIFICATE-----
";

/// The broker and its listener that encrypts.
fn secure_broker() -> Option<(&'static Broker, &'static Secure)> {
    let broker = broker()?;
    Some((broker, broker.secure()?))
}

/// The program with all that it must be told of the listener in its environment.
fn secured(broker: &Broker, secure: &Secure, arguments: &[&str]) -> Command {
    let mut command = dataflow(broker, arguments);
    command.envs(secure.variables().iter().cloned());
    command
}

/// Runs a command that must end in time with exit code 69 and one sentence; returns the sentence. Nothing that is said
/// contains any of the `secrets`.
fn unavailable(command: &mut Command, secrets: &[&str]) -> String {
    let started = Instant::now();
    let Output { status, stdout, stderr } = finish(command);
    let took = started.elapsed();
    let (rows, said) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(69), "{said}");
    assert!(took < Duration::from_secs(30), "it took {took:?}: {said}");
    for secret in secrets {
        assert!(!rows.contains(secret) && !said.contains(secret), "{said}");
    }
    let sentences: Vec<_> = said.lines().filter(|line| line.starts_with("dataflow: ")).collect();
    let [sentence] = sentences[..] else { panic!("{said}") };
    sentence.to_owned()
}

#[test]
fn a_stream_is_generated_counted_and_written_over_an_encrypted_connection_with_a_login() {
    let Some((broker, secure)) = secure_broker() else { return };
    assert_eq!(secure.variable("KAFKA_SECURITY_PROTOCOL"), "SASL_SSL");
    assert_eq!(secure.variable("KAFKA_SASL_MECHANISM"), "SCRAM-SHA-512");
    assert_ne!(secure.variable("KAFKA_BOOTSTRAP_SERVERS"), broker.bootstrap());
    let folder = tempfile::tempdir().unwrap();
    let answers = folder.path().join("answers.ndjson").display().to_string();

    let stream = ["--topic", "secure-raw", "--partitions", "4", "--events", "20000", "--duration", "5m"];
    let mut arguments = vec!["generate", "--to", "kafka", "--create-topics", "--answers", &answers];
    arguments.extend(stream);
    let generated = finish(&mut secured(broker, secure, &arguments));
    assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));

    let mut arguments = vec!["replay", "--source", "kafka", "--sink", "kafka", "--create-topics"];
    arguments.extend(["--input-topic", "secure-raw", "--output-topic", "secure-results"]);
    arguments.extend(["--late-topic", "secure-late", "--rejected-topic", "secure-rejected"]);
    let replayed = finish(&mut secured(broker, secure, &arguments));
    let said = String::from_utf8_lossy(&replayed.stderr);
    assert!(replayed.status.success(), "{said}");
    assert!(said.contains("replayed 20,000 records in 4 partitions"), "{said}");

    let answers = std::fs::read_to_string(answers).unwrap();
    let answers: Vec<ResultRow> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!answers.is_empty());
    assert_eq!(final_rows(broker, "secure-results"), answers);
}

#[test]
fn the_password_may_come_from_a_file_and_the_login_by_sha_256() {
    let Some((broker, secure)) = secure_broker() else { return };
    broker.create_topic("secure-file", 2);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{}", secure.variable("KAFKA_SASL_PASSWORD")).unwrap();
    let mut command = secured(broker, secure, &["replay", "--source", "kafka", "--input-topic", "secure-file"]);
    command.env_remove("KAFKA_SASL_PASSWORD").env("KAFKA_SASL_PASSWORD_FILE", file.path());
    let output = finish(command.env("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("replayed 0 records in 2 partitions"), "{said}");
}

#[test]
fn a_wrong_password_ends_the_job_with_a_sentence_about_the_login_and_without_the_password() {
    let Some((broker, secure)) = secure_broker() else { return };
    let secrets = ["swordfish", secure.variable("KAFKA_SASL_PASSWORD")];
    for arguments in [
        &["replay", "--source", "kafka", "--sink", "kafka"][..],
        &["run", "--source", "kafka", "--admin-addr", "off"],
        &["generate", "--to", "kafka", "--events", "10"],
    ] {
        let mut command = secured(broker, secure, arguments);
        // Not even with every line of the client's own.
        command.env("KAFKA_SASL_PASSWORD", secrets[0]).env("RUST_LOG", "debug").env("KAFKA_CONFIG", "debug=all");
        let sentence = unavailable(&mut command, &secrets);
        let start = format!("dataflow: cannot log in to Kafka at {}: ", secure.variable("KAFKA_BOOTSTRAP_SERVERS"));
        assert!(sentence.starts_with(&start), "{sentence}");
        assert!(sentence.contains("invalid credentials with SASL mechanism SCRAM-SHA-512"), "{sentence}");
        assert!(sentence.ends_with("; check KAFKA_SASL_MECHANISM, the user name and the password"), "{sentence}");
    }
}

#[test]
fn a_broker_whose_authority_is_not_ours_is_not_trusted() {
    let Some((broker, secure)) = secure_broker() else { return };
    let mut foreign = tempfile::NamedTempFile::new().unwrap();
    foreign.write_all(FOREIGN_AUTHORITY.as_bytes()).unwrap();
    let mut command = secured(broker, secure, &["replay", "--source", "kafka"]);
    let sentence = unavailable(command.env("KAFKA_SSL_CA_FILE", foreign.path()), &[]);
    assert!(sentence.starts_with("dataflow: cannot encrypt the connection to Kafka at "), "{sentence}");
    assert!(sentence.contains("certificate verify failed"), "{sentence}");
    assert!(sentence.ends_with("; check KAFKA_SECURITY_PROTOCOL and KAFKA_SSL_CA_FILE"), "{sentence}");
}

#[test]
fn a_broker_that_is_spoken_to_in_the_wrong_protocol_is_told_from_one_that_is_not_there() {
    let Some((broker, secure)) = secure_broker() else { return };
    let arguments = ["replay", "--source", "kafka"];
    let address = secure.variable("KAFKA_BOOTSTRAP_SERVERS");

    let mut plain_to_encrypted = dataflow(broker, &arguments);
    plain_to_encrypted.env("KAFKA_BOOTSTRAP_SERVERS", address);
    let mut encrypted_to_plain = secured(broker, secure, &arguments);
    encrypted_to_plain.env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap());
    let mut without_login = dataflow(broker, &arguments);
    without_login.env("KAFKA_BOOTSTRAP_SERVERS", address).env("KAFKA_SECURITY_PROTOCOL", "SSL");
    without_login.env("KAFKA_SSL_CA_FILE", secure.variable("KAFKA_SSL_CA_FILE"));

    // Each waits for its time limit, because the broker might still be starting.
    let cases = [
        (plain_to_encrypted, "(perhaps it wants encryption)"),
        // The client has several sentences for this, as it depends on who hangs up first.
        (encrypted_to_plain, "SSL"),
        (without_login, ""),
    ];
    std::thread::scope(|scope| {
        for (mut command, cause) in cases {
            scope.spawn(move || {
                let sentence = unavailable(&mut command, &[]);
                assert!(sentence.starts_with("dataflow: cannot reach Kafka at "), "{sentence}");
                assert!(sentence.contains(cause), "{sentence}");
                let remedy = "; check KAFKA_BOOTSTRAP_SERVERS and KAFKA_SECURITY_PROTOCOL";
                assert!(sentence.ends_with(remedy), "{sentence}");
            });
        }
    });
}
