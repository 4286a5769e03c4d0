//! S3: an emulator in this process, with its objects as files of a folder.
//!
//! It takes requests without a signature, as `curl` sends them, and those that are signed with [`CREDENTIALS`]. It has no
//! versions, tags and notifications: whoever starts it hears of new objects by [`Created`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::sync::mpsc::UnboundedSender;

use crate::server::Server;
use crate::{Error, Lock};

const NAME: &str = "S3";
/// The access key and its secret.
pub const CREDENTIALS: (&str, &str) = ("footfall", "footfall");
/// How long requests in work may take to end.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// An object that was written whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Where it is.
    pub bucket: String,
    /// Its name, as it was given.
    pub key: String,
}

/// An emulator that listens on 127.0.0.1.
#[derive(Debug)]
pub struct S3 {
    folder: PathBuf,
    server: Server,
    // Behind the server: the folder is free once that has ended.
    _lock: Lock,
}

impl S3 {
    /// Starts on a folder that is there or will be; port 0 for any.
    ///
    /// # Errors
    /// Where the port or the folder is in use, or the folder cannot be made.
    pub async fn start(folder: &Path, port: u16) -> Result<Self, Error> {
        Self::begin(folder, port, None).await
    }

    /// Starts, and tells of each object that was put or completed after that.
    ///
    /// # Errors
    /// As [`start`](S3::start).
    pub async fn start_and_tell(folder: &Path, port: u16, created: UnboundedSender<Created>) -> Result<Self, Error> {
        Self::begin(folder, port, Some(created)).await
    }

    async fn begin(folder: &Path, port: u16, created: Option<UnboundedSender<Created>>) -> Result<Self, Error> {
        tokio::fs::create_dir_all(folder).await.map_err(Error::at("make the folder", folder))?;
        let lock = Lock::take(folder, &folder.with_added_extension("lock"))?;
        let files = FileSystem::new(folder).map_err(|error| failed("open its folder", &format_args!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(CREDENTIALS.0, CREDENTIALS.1));
        service.set_access(Everybody { folder: folder.to_owned() });
        let service = service.build();
        let answer = move |request: Request| answer(service.clone(), created.clone(), request);
        let routes = Router::new().fallback(answer);
        let server = Server::start(port, NAME, routes)?;
        Ok(S3 { folder: folder.to_owned(), server, _lock: lock })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What clients are given as `AWS_ENDPOINT_URL_S3`. They have to ask by path (`http://host/bucket/key`).
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// Makes a bucket, unless it is there.
    ///
    /// # Errors
    /// A name that no bucket can have, or a folder that cannot be made.
    pub async fn create_bucket(&self, name: &str) -> Result<(), Error> {
        if !s3s::path::check_bucket_name(name) {
            let reason = "use 3 to 63 lower case letters, digits and hyphens".to_owned();
            return Err(Error::S3 { doing: format!("make a bucket named {name:?}"), reason });
        }
        // A bucket is a folder.
        let bucket = self.folder.join(name);
        tokio::fs::create_dir_all(&bucket).await.map_err(Error::at("make the bucket", &bucket))
    }

    /// Takes no more connections and lets requests in work end.
    ///
    /// # Errors
    /// Where the server had failed, or a request does not end.
    pub async fn stop(self) -> Result<(), Error> {
        let stopped = self.server.stop(DRAIN_LIMIT).await;
        stopped.map_err(|reason| Error::S3 { doing: "stop".to_owned(), reason })
    }
}

/// Whoever reaches 127.0.0.1 may do everything with the buckets that there are; a signature that is there has to be right.
struct Everybody {
    /// Where the buckets are.
    folder: PathBuf,
}

#[async_trait::async_trait]
impl S3Access for Everybody {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> s3s::S3Result<()> {
        // An object would bring its bucket with it.
        match request.s3_path() {
            S3Path::Object { bucket, .. } if !self.folder.join(&**bucket).is_dir() => {
                Err(s3s::s3_error!(NoSuchBucket, "there is no bucket {bucket}"))
            }
            _ => Ok(()),
        }
    }
}

async fn answer(service: S3Service, created: Option<UnboundedSender<Created>>, request: Request) -> Response {
    let object = created.and_then(|created| Some((created, made_by(&request)?)));
    let response = match service.call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::warn!(?error, "S3's emulator failed");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    if let Some((created, object)) = object
        && response.status().is_success()
        // Nobody listens any more: the platform stops.
        && created.send(object).is_err()
    {
        tracing::debug!("nobody is told of a new object");
    }
    response
}

/// The object that a request makes, if it succeeds.
fn made_by(request: &Request) -> Option<Created> {
    let parameters = parameters(request.uri());
    let has = |name: &str| parameters.contains(&name);
    let is_whole = match *request.method() {
        // Parts, tags, access lists and the like are named by parameters.
        Method::PUT => !["partNumber", "uploadId", "tagging", "acl", "retention", "legal-hold"].into_iter().any(has),
        Method::POST => has("uploadId"),
        _ => false,
    };
    let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8().ok()?;
    match s3s::path::parse_path_style(&path).ok()? {
        S3Path::Object { bucket, key } if is_whole => Some(Created { bucket: bucket.into(), key: key.into() }),
        _ => None,
    }
}

/// The names of a request's parameters.
fn parameters(uri: &Uri) -> Vec<&str> {
    let pairs = uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split('=').next().unwrap_or(pair)).collect()
}

fn failed(doing: &str, error: &dyn std::fmt::Display) -> Error {
    Error::S3 { doing: doing.to_owned(), reason: error.to_string() }
}
