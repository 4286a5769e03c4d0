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

/// Where S3 is, if not at AWS.
#[derive(Args, Clone, Debug, Default)]
pub struct S3EndpointArgs {
    /// Where S3 is, if not at AWS. One on this machine is an emulator, which takes any region and credentials.
    #[arg(
        id = "s3_endpoint_url",
        long = "s3-endpoint-url",
        env = "AWS_ENDPOINT_URL_S3",
        value_name = "URL",
        help_heading = "S3"
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

impl S3EndpointArgs {
    /// Settings by the AWS default chain, to be completed and loaded.
    #[must_use]
    pub fn loader(&self) -> ConfigLoader {
        loader(self.url.as_deref())
    }

    /// Whether the bucket's name goes into the path of a URL, as servers that are not AWS want it, and not into its host.
    #[must_use]
    pub fn uses_paths(&self) -> bool {
        given(self.url.as_deref()).is_some()
    }
}

/// An empty variable is an absent one.
fn given(url: Option<&str>) -> Option<&str> {
    url.filter(|url| !url.is_empty())
}

fn loader(url: Option<&str>) -> ConfigLoader {
    let settings = aws_config::defaults(BehaviorVersion::latest());
    match given(url) {
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
    fn buckets_are_in_paths_where_an_address_is_given() {
        let uses_paths = |url: Option<&str>| S3EndpointArgs { url: url.map(str::to_owned) }.uses_paths();
        assert!(uses_paths(Some("http://127.0.0.1:9000")));
        assert!(!uses_paths(Some("")) && !uses_paths(None));
    }

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
