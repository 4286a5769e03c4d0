//! Calls to other services.

use std::time::Duration;

use reqwest::Client;

use crate::Error;

/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the other side may say nothing while it answers.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// A client with time limits that follows no redirects. It keeps connections open, so one is enough for a service.
///
/// # Errors
/// Where the system has no root certificates.
pub fn new() -> Result<Client, Error> {
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    client.map_err(|error| Error::Failed(format!("cannot make an HTTP client: {error}")))
}
