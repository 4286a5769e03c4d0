//! Files that were put into the bucket, and whose import has not ended.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectError;
use product_import::{OUTPUT_MARK, REPORT_SUFFIX, Status};
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
            if is_unfinished(s3, bucket, key).await? {
                keys.push(key.to_owned());
            }
        }
    }
    Ok(keys)
}

async fn is_unfinished(s3: &Client, bucket: &str, key: &str) -> Result<bool, Error> {
    let head = s3.head_object().bucket(bucket).key(key).send().await.map_err(|error| failed(bucket, &error))?;
    if head.metadata().is_some_and(|metadata| metadata.contains_key(OUTPUT_MARK)) {
        return Ok(false);
    }
    let report = s3.get_object().bucket(bucket).key(format!("{key}{REPORT_SUFFIX}")).send().await;
    let report = match report {
        Ok(report) => report.body.collect().await.map_err(|error| failed(bucket, &error))?,
        Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(true),
        Err(error) => return Err(failed(bucket, &error)),
    };
    // Somebody else's file of that name is no report.
    let said = serde_json::from_slice::<Said>(&report.into_bytes()).ok();
    let is_done = |said: Said| said.status != Status::Running && said.etag.as_deref() == head.e_tag();
    Ok(!said.is_some_and(is_done))
}

fn failed(bucket: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Failed(format!("the bucket {bucket} cannot be looked through: {}", causes(error)))
}
