//! Files that were put into the bucket, and whose import has not ended.
//!
//! The emulator writes an object first and what it knows of it afterwards: of one that was being written when the process was
//! killed, the checksum may be wrong and the mark of outputs may be missing.

use std::collections::HashSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectError;
use product_import::{ERRORS_SUFFIX, OUTPUT_MARK, REPORT_SUFFIX, Status};
use serde::Deserialize;
use service_kit::{Error, causes};

/// What of a report tells whether its import has ended, and with which content of the file.
#[derive(Deserialize)]
struct Said {
    status: Status,
    etag: Option<String>,
}

/// The keys of a bucket's files with this suffix that are to be imported.
pub(super) async fn keys(s3: &Client, bucket: &str, suffix: &str) -> Result<Vec<String>, Error> {
    let mut keys = Vec::new();
    let mut pages = s3.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.map_err(|error| failed(bucket, &error))?.contents() {
            let Some(key) = object.key().filter(|key| key.ends_with(suffix)) else { continue };
            let is_unfinished = is_unfinished(s3, bucket, key).await.unwrap_or_else(|error| {
                // Its import says what is wrong with it; the others have nothing to do with that.
                tracing::warn!(key, %error, "imported, as nobody can say whether it was");
                true
            });
            if is_unfinished {
                keys.push(key.to_owned());
            }
        }
    }
    Ok(without_outputs(keys))
}

/// Leaves out what an import that has not ended had written, with or without its mark: it is written anew.
fn without_outputs(keys: Vec<String>) -> Vec<String> {
    let files: HashSet<String> = keys.iter().cloned().collect();
    let is_output = |key: &str| key.strip_suffix(ERRORS_SUFFIX).is_some_and(|file| files.contains(file));
    keys.into_iter().filter(|key| !is_output(key)).collect()
}

async fn is_unfinished(s3: &Client, bucket: &str, key: &str) -> Result<bool, Error> {
    let head = s3.head_object().bucket(bucket).key(key).send().await.map_err(|error| failed(bucket, &error))?;
    if head.metadata().is_some_and(|metadata| metadata.contains_key(OUTPUT_MARK)) {
        return Ok(false);
    }
    let report = s3.get_object().bucket(bucket).key(format!("{key}{REPORT_SUFFIX}")).send().await;
    let report = match report {
        Ok(report) => report.body.collect().await,
        Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(true),
        Err(error) => return Err(failed(bucket, &error)),
    };
    // One that was being written is none, and neither is somebody else's file of that name.
    let said = report.ok().and_then(|report| serde_json::from_slice::<Said>(&report.into_bytes()).ok());
    let is_done = |said: Said| said.status != Status::Running && said.etag.as_deref() == head.e_tag();
    Ok(!said.is_some_and(is_done))
}

fn failed(bucket: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Failed(format!("the bucket {bucket} cannot be looked through: {}", causes(error)))
}

#[cfg(test)]
mod tests {
    use aws_client::S3EndpointArgs;
    use aws_sdk_s3::primitives::ByteStream;
    use backends::S3;

    use super::*;

    const BUCKET: &str = "imports";

    async fn put(s3: &Client, key: &str, text: &str) -> String {
        let body = ByteStream::from(text.as_bytes().to_vec());
        let put = s3.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
        put.e_tag().unwrap().to_owned()
    }

    #[tokio::test]
    async fn what_has_no_report_of_its_end_is_unfinished_whatever_a_kill_has_left_of_the_report() {
        let folder = tempfile::tempdir().unwrap();
        let s3 = S3::start(folder.path(), 0).await.unwrap();
        s3.create_bucket(BUCKET).await.unwrap();
        let client = crate::imports::client(&S3EndpointArgs { url: Some(s3.endpoint()) }).await;
        for (key, status) in [("done.csv", "finished"), ("torn.csv", "finished"), ("going.csv", "running")] {
            let etag = put(&client, key, key).await;
            let report = serde_json::json!({"status": status, "etag": etag}).to_string();
            put(&client, &format!("{key}{REPORT_SUFFIX}"), &report).await;
        }
        put(&client, "new.csv", "new").await;
        put(&client, "replaced.csv", "then").await;
        put(&client, &format!("replaced.csv{REPORT_SUFFIX}"), r#"{"status":"finished","etag":"\"another\""}"#).await;
        // Killed between a report and its checksum.
        let torn = folder.path().join(BUCKET).join(format!("torn.csv{REPORT_SUFFIX}"));
        std::fs::write(torn, r#"{"status":"running","etag":null}"#).unwrap();
        // Killed between the rows that failed and their mark.
        put(&client, &format!("going.csv{ERRORS_SUFFIX}"), "line,reason,detail,name,price").await;
        let unfinished = keys(&client, BUCKET, ".csv").await.unwrap();
        assert_eq!(unfinished, ["going.csv", "new.csv", "replaced.csv", "torn.csv"]);
    }

    #[test]
    fn rows_that_failed_are_a_file_of_its_own_once_their_import_has_ended() {
        let mended = format!("done.csv{ERRORS_SUFFIX}");
        assert_eq!(without_outputs(vec![mended.clone()]), [mended]);
    }
}
