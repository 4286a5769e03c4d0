//! Tokens for the IAM authentication of Amazon MSK.

use std::time::Duration;

use aws_config::Region;
use rdkafka::client::OAuthToken;

/// How long signing may take: the credentials may come from a service on the network.
const SIGNING_TIMEOUT: Duration = Duration::from_secs(10);

/// A token, valid for 15 minutes, signed with the credentials of the AWS default chain. Blocks while they are fetched.
///
/// It has a thread and a runtime of its own, for it runs once in some minutes and is called from wherever a client is
/// polled, be that inside of another runtime or not.
pub(crate) fn token(region: String) -> Result<OAuthToken, Box<dyn std::error::Error>> {
    let signing = std::thread::Builder::new().name("kafka-token".to_owned()).spawn(move || sign(region))?;
    let (token, lifetime_ms) = signing.join().map_err(|_| "signing a token for Kafka panicked")??;
    Ok(OAuthToken { token, principal_name: "footfall".to_owned(), lifetime_ms })
}

/// The token and the time of its end in milliseconds since the Unix epoch.
fn sign(region: String) -> Result<(String, i64), String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let signing = aws_msk_iam_sasl_signer::generate_auth_token(Region::new(region));
    match runtime.block_on(async { tokio::time::timeout(SIGNING_TIMEOUT, signing).await }) {
        Ok(Ok(signed)) => Ok(signed),
        Ok(Err(error)) => Err(format!("cannot sign a token for Kafka: {error}")),
        Err(_) => {
            Err(format!("cannot sign a token for Kafka: no AWS credentials within {} s", SIGNING_TIMEOUT.as_secs()))
        }
    }
}
