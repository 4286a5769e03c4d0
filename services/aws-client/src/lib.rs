//! How every program of Footfall reaches services of AWS: region and credentials come from the AWS default chain, the address
//! from a flag or a variable. An address on this machine is an emulator, and needs neither region nor credentials.

use std::net::IpAddr;

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_credential_types::Credentials;
use clap::Args;

/// Where DynamoDB is, if not at AWS.
#[derive(Args, Clone, Debug, Default)]
pub struct DynamoDbEndpointArgs {
    /// Where DynamoDB is, if not at AWS. One on this machine is an emulator, which takes any region and credentials.
    #[arg(
        id = "dynamodb_endpoint_url",
        long = "dynamodb-endpoint-url",
        env = "AWS_ENDPOINT_URL_DYNAMODB",
        value_name = "URL",
        help_heading = "DynamoDB"
    )]
    pub url: Option<String>,
}

/// Where SQS is, if not at AWS.
#[derive(Args, Clone, Debug, Default)]
pub struct SqsEndpointArgs {
    /// Where SQS is, if not at AWS. One on this machine is an emulator, which takes any region and credentials.
    #[arg(
        id = "sqs_endpoint_url",
        long = "sqs-endpoint-url",
        env = "AWS_ENDPOINT_URL_SQS",
        value_name = "URL",
        help_heading = "SQS"
    )]
    pub url: Option<String>,
}

impl DynamoDbEndpointArgs {
    /// Settings by the AWS default chain, to be completed and loaded.
    #[must_use]
    pub fn loader(&self) -> ConfigLoader {
        loader(self.url.as_deref())
    }
}

impl SqsEndpointArgs {
    /// Settings by the AWS default chain, to be completed and loaded.
    #[must_use]
    pub fn loader(&self) -> ConfigLoader {
        loader(self.url.as_deref())
    }
}

fn loader(url: Option<&str>) -> ConfigLoader {
    let settings = aws_config::defaults(BehaviorVersion::latest());
    // An empty variable is an absent one.
    match url.filter(|url| !url.is_empty()) {
        Some(url) if is_on_this_machine(url) => settings
            .endpoint_url(url)
            .region(region_of_environment().unwrap_or(Region::new("local")))
            .credentials_provider(Credentials::new("footfall", "footfall", None, None, "emulator")),
        Some(url) => settings.endpoint_url(url),
        None => settings,
    }
}

fn region_of_environment() -> Option<Region> {
    std::env::var("AWS_REGION").ok().filter(|region| !region.is_empty()).map(Region::new)
}

/// Whether a URL leads to the loopback interface.
fn is_on_this_machine(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    // Who would log in by the URL does not change where it leads.
    let address = authority.rsplit('@').next().unwrap_or("");
    let host = match address.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(""),
        None => address.split(':').next().unwrap_or(""),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_emulators() {
        for url in [
            "http://localhost:8000",
            "http://127.0.0.1:8000/",
            "http://127.9.9.9",
            "http://[::1]:8000",
            "http://LOCALHOST",
        ] {
            assert!(is_on_this_machine(url), "{url}");
        }
        for url in [
            "https://dynamodb.eu-central-1.amazonaws.com",
            "http://localhost.example",
            "http://127.0.0.1.example:8000",
            "http://localhost@example.com",
            "http://10.0.0.1:8000",
            "",
        ] {
            assert!(!is_on_this_machine(url), "{url}");
        }
    }
}
