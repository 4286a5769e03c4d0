//! Files and outputs in S3.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use aws_client::S3EndpointArgs;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;

use crate::error::causes;
use crate::file::Chunks;
use crate::outputs::Outputs;
use crate::report::{ERRORS_SUFFIX, REPORT_SUFFIX};
use crate::row::Origin;
use crate::{Error, Report};

/// S3 metadata of everything that an import writes: it is not imported, whatever its name is.
pub const OUTPUT_MARK: &str = "footfall-output";
/// Its value.
const MARKED: &str = "1";
/// How often an object is asked for again, without a byte in between, whose body broke off.
const ATTEMPTS: u32 = 5;
/// The pause before the first of them; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// S3, as the role of the process may use it.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
}

/// An object, in one version.
#[derive(Clone, Debug)]
pub(crate) struct ObjectId {
    pub(crate) origin: Origin,
    pub(crate) version: Option<String>,
    /// What it must be, where the bucket keeps no versions.
    pub(crate) etag: Option<String>,
}

/// What there is in an object's place.
pub(crate) enum Found {
    Object(Box<ObjectBody>),
    /// Something that an import has written.
    Output,
    /// Nothing, or another object than the one asked for.
    Gone,
}

impl Store {
    /// S3 where the settings say it is.
    pub async fn new(endpoint: &S3EndpointArgs) -> Self {
        let settings = endpoint.loader().load().await;
        let settings = aws_sdk_s3::config::Builder::from(&settings).force_path_style(endpoint.uses_paths());
        Store { client: Client::from_conf(settings.build()) }
    }

    /// Begins to read an object.
    pub(crate) async fn open(&self, id: ObjectId) -> Result<Found, Error> {
        let mut body = ObjectBody { store: self.clone(), id, stream: None, read: 0, length: None, failures: 0 };
        match body.request().await? {
            Some(metadata) if metadata.get(OUTPUT_MARK).is_some_and(|value| value == MARKED) => Ok(Found::Output),
            Some(_) => Ok(Found::Object(Box::new(body))),
            None => Ok(Found::Gone),
        }
    }

    /// Puts something of ours into an object's place.
    async fn put(&self, origin: &Origin, body: ByteStream, media_type: &str) -> Result<(), Error> {
        let request = self.client.put_object().bucket(&origin.bucket).key(&origin.key).body(body);
        let request = request.content_type(media_type).metadata(OUTPUT_MARK, MARKED);
        let answer = request.send().await;
        answer.map(drop).map_err(|error| failed(origin, "s3:PutObject", &error))
    }
}

/// An object's bytes. Where the connection is lost, the rest is asked for again.
pub(crate) struct ObjectBody {
    store: Store,
    id: ObjectId,
    stream: Option<ByteStream>,
    read: u64,
    length: Option<u64>,
    /// Attempts since the last byte.
    failures: u32,
}

impl ObjectBody {
    pub(crate) fn version(&self) -> Option<String> {
        self.id.version.clone()
    }

    pub(crate) fn etag(&self) -> Option<String> {
        self.id.etag.clone()
    }

    /// Asks for what is not read yet; returns the object's metadata, or `None` where it is no longer there.
    async fn request(&mut self) -> Result<Option<HashMap<String, String>>, Error> {
        let ObjectId { origin, version, etag } = &self.id;
        let request = self.store.client.get_object().bucket(&origin.bucket).key(&origin.key);
        let request = request.set_version_id(version.clone()).set_if_match(etag.clone());
        let range = (self.read > 0).then(|| format!("bytes={}-", self.read));
        let answer = match request.set_range(range).send().await {
            Ok(answer) => answer,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(failed(origin, "s3:GetObject, and s3:ListBucket for its bucket", &error)),
        };
        // Not every server of this protocol heeds the condition.
        if etag.is_some() && answer.e_tag() != etag.as_deref() {
            return Ok(None);
        }
        let rest = answer.content_length().and_then(|length| u64::try_from(length).ok());
        self.length = rest.map(|rest| self.read + rest);
        // From now on it must be this one.
        self.id.etag = answer.e_tag().map(str::to_owned);
        self.id.version = answer.version_id().map(str::to_owned).or_else(|| self.id.version.take());
        self.stream = Some(answer.body);
        Ok(Some(answer.metadata.unwrap_or_default()))
    }

    /// What comes next on the present connection.
    async fn read(&mut self) -> Result<Option<Bytes>, String> {
        let Some(stream) = &mut self.stream else { return Err("the connection was lost".to_owned()) };
        match stream.next().await {
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(error)) => Err(causes(&error)),
            None if self.length.is_none_or(|length| length == self.read) => Ok(None),
            None => Err(format!("it ended after {} bytes", self.read)),
        }
    }
}

impl Chunks for ObjectBody {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let cause = match self.read().await {
                Ok(Some(bytes)) => {
                    self.read += bytes.len() as u64;
                    self.failures = 0;
                    return Ok(Some(bytes));
                }
                Ok(None) => return Ok(None),
                Err(cause) => cause,
            };
            // What broke off may look like an end when it is asked again.
            self.stream = None;
            let Origin { bucket, key } = self.id.origin.clone();
            if self.failures == ATTEMPTS {
                return Err(Error::Store { bucket, key, cause });
            }
            tracing::info!(bucket, key, cause, read = self.read, "reading on with another request");
            let pause = FIRST_PAUSE * 2_u32.pow(self.failures);
            self.failures += 1;
            tokio::time::sleep(pause).await;
            if self.request().await?.is_none() {
                return Err(Error::Gone { bucket, key });
            }
        }
    }
}

/// The place of the outputs of a file in S3: beside it.
pub(crate) struct StoreOutputs {
    store: Store,
    errors: Origin,
    report: Origin,
}

impl StoreOutputs {
    pub(crate) fn new(store: Store, file: &Origin) -> Self {
        let beside = |suffix| Origin { bucket: file.bucket.clone(), key: format!("{}{suffix}", file.key) };
        StoreOutputs { store, errors: beside(ERRORS_SUFFIX), report: beside(REPORT_SUFFIX) }
    }
}

impl Outputs for StoreOutputs {
    fn errors_key(&self) -> String {
        self.errors.key.clone()
    }

    async fn keep_errors(&mut self, file: &Path) -> Result<(), Error> {
        let body = ByteStream::from_path(file).await;
        let body = body.map_err(|error| Error::file(file, std::io::Error::other(error)))?;
        self.store.put(&self.errors, body, "text/csv; charset=utf-8").await
    }

    async fn fetch_errors(&mut self, to: &Path) -> Result<bool, Error> {
        let id = ObjectId { origin: self.errors.clone(), version: None, etag: None };
        let mut body = ObjectBody { store: self.store.clone(), id, stream: None, read: 0, length: None, failures: 0 };
        if body.request().await?.is_none() {
            return Ok(false);
        }
        let mut file = tokio::fs::File::create(to).await.map_err(|cause| Error::file(to, cause))?;
        while let Some(bytes) = body.next().await? {
            file.write_all(&bytes).await.map_err(|cause| Error::file(to, cause))?;
        }
        file.flush().await.map_err(|cause| Error::file(to, cause))?;
        Ok(true)
    }

    async fn forget_errors(&mut self) -> Result<(), Error> {
        let Origin { bucket, key } = &self.errors;
        let head = match self.store.client.head_object().bucket(bucket).key(key).send().await {
            Ok(head) => head,
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => {
                return Err(failed(&self.errors, "s3:GetObject, and s3:ListBucket for its bucket", &error));
            }
        };
        // Somebody may have mended it and put it there to be imported.
        if head.metadata().and_then(|metadata| metadata.get(OUTPUT_MARK)).is_none_or(|value| value != MARKED) {
            return Ok(());
        }
        let answer = self.store.client.delete_object().bucket(bucket).key(key).send().await;
        answer.map(drop).map_err(|error| failed(&self.errors, "s3:DeleteObject", &error))
    }

    async fn keep_report(&mut self, report: &Report) -> Result<(), Error> {
        self.store.put(&self.report, ByteStream::from(report.to_json()?), "application/json").await
    }
}

/// Whether there is no such object, or not in the state that was asked for.
fn is_gone<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    // The bucket itself should be there.
    if error.code() == Some("NoSuchBucket") {
        return false;
    }
    // 405: the version is the mark of a deletion. 416: what replaced it is shorter.
    error.raw_response().is_some_and(|response| matches!(response.status().as_u16(), 404 | 405 | 412 | 416))
}

fn failed<E>(origin: &Origin, permission: &'static str, error: &SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let Origin { bucket, key } = origin.clone();
    if error.raw_response().is_some_and(|response| response.status().as_u16() == 403) {
        return Error::AccessDenied { bucket, key, permission };
    }
    Error::Store { bucket, key, cause: causes(error) }
}
