//! S3 over a folder, with requests that are refused or break off as told.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_client::S3EndpointArgs;
use aws_sdk_s3::Client;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::Method;
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response};
use product_import::{OUTPUT_MARK, Store};
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::Value;
use tempfile::TempDir;

use crate::serve::{Server, serve};

pub(crate) const BUCKET: &str = "imports";

/// What is done with a request in place of what it asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trick {
    /// 403.
    Deny,
    /// 404, as there is no such bucket.
    NoBucket,
    /// The answer's body breaks off after so many bytes.
    CutAfter(usize),
    /// What it asks for, under this version.
    Version(&'static str),
}

type Rule = Box<dyn Fn(&Method, &str) -> Option<Trick> + Send + Sync>;

struct State {
    service: S3Service,
    rule: Mutex<Rule>,
    /// Method, path and query of every request.
    requests: Mutex<Vec<(Method, String)>>,
}

#[derive(Clone)]
pub(crate) struct FakeS3 {
    pub(crate) client: Client,
    pub(crate) store: Store,
    state: Arc<State>,
    server: Arc<Server>,
    _folder: Arc<TempDir>,
}

impl FakeS3 {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("footfall", "footfall"));
        let rule: Rule = Box::new(|_, _| None);
        let state = Arc::new(State { service: service.build(), rule: Mutex::new(rule), requests: Mutex::default() });
        let answering = Arc::clone(&state);
        let server = Arc::new(serve(move |request| Arc::clone(&answering).handle(request)).await);
        let endpoint = S3EndpointArgs { url: Some(format!("http://{}", server.address)) };
        let settings = aws_sdk_s3::config::Builder::from(&endpoint.loader().load().await).force_path_style(true);
        let client = Client::from_conf(settings.build());
        client.create_bucket().bucket(BUCKET).send().await.unwrap();
        FakeS3 { client, store: Store::new(&endpoint).await, state, server, _folder: Arc::new(folder) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Plays tricks on requests with this method and path.
    pub(crate) fn trick(&self, rule: impl Fn(&Method, &str) -> Option<Trick> + Send + Sync + 'static) {
        *self.state.rule.lock().unwrap() = Box::new(rule);
    }

    /// The requests so far, each with path and query.
    pub(crate) fn requests(&self, method: &Method) -> Vec<String> {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().filter(|(asked, _)| asked == method).map(|(_, path)| path.clone()).collect()
    }

    pub(crate) async fn put(&self, key: &str, content: impl Into<Vec<u8>>) {
        let content: Vec<u8> = content.into();
        self.client.put_object().bucket(BUCKET).key(key).body(content.into()).send().await.unwrap();
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }

    /// An object, if there is one, and whether it is marked as an output.
    pub(crate) async fn find(&self, key: &str) -> Option<(String, bool)> {
        let object = self.client.get_object().bucket(BUCKET).key(key).send().await.ok()?;
        let is_marked =
            object.metadata().and_then(|metadata| metadata.get(OUTPUT_MARK)).is_some_and(|mark| mark == "1");
        // The folder keeps no versions: what is being replaced cannot be read.
        let content = object.body.collect().await.ok()?.to_vec();
        Some((String::from_utf8(content).unwrap(), is_marked))
    }

    /// The report of a file.
    pub(crate) async fn report(&self, key: &str) -> Value {
        let (report, is_marked) = self.find(&format!("{key}.report.json")).await.expect("there is a report");
        assert!(is_marked);
        serde_json::from_str(&report).unwrap()
    }

    /// The rows of a file that failed: empty where there is no file of them.
    pub(crate) async fn errors(&self, key: &str) -> String {
        match self.find(&format!("{key}.errors.csv")).await {
            Some((errors, is_marked)) => {
                assert!(is_marked);
                errors
            }
            None => String::new(),
        }
    }
}

impl State {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let asked = request.uri().path_and_query().unwrap().to_string();
        self.requests.lock().unwrap().push((method.clone(), asked));
        let trick = (self.rule.lock().unwrap())(&method, &path);
        let refusal = match trick {
            Some(Trick::Deny) => Some((403, "AccessDenied")),
            Some(Trick::NoBucket) => Some((404, "NoSuchBucket")),
            _ => None,
        };
        if let Some((status, code)) = refusal {
            let xml = format!("<Error><Code>{code}</Code><Message>as planned</Message></Error>");
            let answer = Response::builder().status(status).header("content-type", "application/xml");
            return Ok(answer.body(Body::from(xml)).unwrap());
        }
        let mut answer = self.service.call(request.map(Body::from)).await.map_err(io::Error::other)?;
        match trick {
            Some(Trick::CutAfter(length)) => {
                let (parts, body) = answer.into_parts();
                let mut whole = body.collect().await.map_err(io::Error::other)?.to_bytes();
                // The length in the header stays that of the whole.
                let begin = whole.split_to(length.min(whole.len()));
                let frames = stream::unfold(Some(begin), async |begin| match begin {
                    Some(begin) => Some((Ok(Frame::data(begin)), None)),
                    None => {
                        // What was sent before arrives.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None))
                    }
                });
                Ok(Response::from_parts(parts, Body::http_body_unsync(StreamBody::new(Box::pin(frames)))))
            }
            Some(Trick::Version(version)) => {
                answer.headers_mut().insert("x-amz-version-id", version.parse().unwrap());
                Ok(answer)
            }
            _ => Ok(answer),
        }
    }
}
