//! `footfall.env`: what clients of the platform need, as variables that a shell can read.

use std::fmt::Write as _;

use backends::secret;
use service_kit::Error;

use crate::backends::Backends;
use crate::folder::Folder;
use crate::secrets::Secrets;

/// The file's name in the folder. It is there while the platform is ready.
pub(crate) const FILE: &str = "footfall.env";

pub(crate) fn write(
    folder: &Folder,
    secrets: &Secrets,
    backends: &Backends,
    url: &str,
    metrics: &str,
) -> Result<(), Error> {
    let mut variables = vec![
        ("FOOTFALL_URL", url.to_owned()),
        ("FOOTFALL_METRICS_URL", format!("{metrics}/metrics")),
        ("FOOTFALL_ADMIN_TOKEN", secrets.admin_token.clone()),
        ("EVENTS_WRITE_KEYS", secrets.write_key.clone()),
        ("KAFKA_BOOTSTRAP_SERVERS", backends.kafka_servers.clone()),
        ("AWS_ENDPOINT_URL_DYNAMODB", backends.dynamodb_url.clone()),
        // The emulator takes anything, and clients ask for something.
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "footfall".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "footfall".to_owned()),
    ];
    if let Some((endpoint, queue)) = backends.queue() {
        variables.extend([("AWS_ENDPOINT_URL_SQS", endpoint), ("ORDER_EVENTS_QUEUE_URL", queue)]);
    }
    if let Some(endpoint) = backends.s3() {
        variables.push(("AWS_ENDPOINT_URL_S3", endpoint));
    }
    variables.extend(backends.database());
    let mut text = String::from(
        "# What clients of this platform need. `. footfall.env` reads it into a shell; `set -a` before that hands it on to programs.\n",
    );
    for (name, value) in variables {
        // Not exported: a footfall started from the same shell would take its own backends for somebody else's.
        let _ = writeln!(text, "{name}='{}'", value.replace('\'', "'\\''"));
    }
    secret::write_private(&folder.join(FILE), &text).map_err(|error| Error::Failed(error.to_string()))
}

/// Removes the file: nothing answers any more.
pub(crate) fn remove(folder: &Folder) {
    let file = folder.join(FILE);
    if let Err(error) = std::fs::remove_file(&file)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(file = %file.display(), %error, "the file stays behind");
    }
}
