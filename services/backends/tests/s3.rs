//! The emulator of S3, by way of the SDK that the import uses and of requests without a signature.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Credentials};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use backends::s3::{CREDENTIALS, Created};
use backends::{Error, S3};
use tokio::sync::mpsc::{self, UnboundedReceiver};

const BUCKET: &str = "imports";
/// The least bytes of a part that is not the last.
const PART: usize = 5 << 20;

async fn client(s3: &S3, secret: &str) -> Client {
    let settings = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(s3.endpoint())
        .region(Region::new("local"))
        .credentials_provider(Credentials::new(CREDENTIALS.0, secret, None, None, "test"));
    let settings = settings.load().await;
    Client::from_conf(Builder::from(&settings).force_path_style(true).build())
}

async fn start(folder: &Path) -> (S3, Client, UnboundedReceiver<Created>) {
    let (told, created) = mpsc::unbounded_channel();
    let s3 = S3::start_and_tell(folder, 0, told).await.unwrap();
    s3.create_bucket(BUCKET).await.unwrap();
    let client = client(&s3, CREDENTIALS.1).await;
    (s3, client, created)
}

fn told(created: &mut UnboundedReceiver<Created>) -> Vec<String> {
    let mut keys = Vec::new();
    while let Ok(object) = created.try_recv() {
        assert_eq!(object.bucket, BUCKET);
        keys.push(object.key);
    }
    keys
}

#[tokio::test]
async fn objects_are_there_with_their_metadata_after_a_restart_and_each_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (s3, client, mut created) = start(folder.path()).await;
    let put = client.put_object().bucket(BUCKET).key("a b/ä+.csv").metadata("footfall-output", "1");
    put.body(ByteStream::from_static(b"name,price\n")).send().await.unwrap();
    assert_eq!(told(&mut created), ["a b/ä+.csv"]);
    // Reading, describing and deleting make nothing.
    client.head_object().bucket(BUCKET).key("a b/ä+.csv").send().await.unwrap();
    client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    client.delete_object().bucket(BUCKET).key("gone").send().await.unwrap();
    s3.stop().await.unwrap();

    let (_s3, client, mut created) = start(folder.path()).await;
    let object = client.get_object().bucket(BUCKET).key("a b/ä+.csv").send().await.unwrap();
    assert_eq!(object.metadata().unwrap()["footfall-output"], "1");
    assert_eq!(object.body.collect().await.unwrap().into_bytes().as_ref(), b"name,price\n");
    assert_eq!(told(&mut created), [""; 0]);
}

#[tokio::test]
async fn an_object_of_several_parts_is_told_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let (_s3, client, mut created) = start(folder.path()).await;
    let upload = client.create_multipart_upload().bucket(BUCKET).key("big.csv").send().await.unwrap();
    let upload = upload.upload_id().unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    for (number, bytes) in [(1, vec![b'a'; PART]), (2, b"end".to_vec())] {
        let part = client.upload_part().bucket(BUCKET).key("big.csv").upload_id(upload).part_number(number);
        let part = part.body(ByteStream::from(bytes)).send().await.unwrap();
        parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(part.e_tag().unwrap()).build());
    }
    assert_eq!(told(&mut created), [""; 0]);
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("big.csv").upload_id(upload);
    complete.multipart_upload(parts.build()).send().await.unwrap();
    assert_eq!(told(&mut created), ["big.csv"]);
}

#[tokio::test]
async fn requests_without_a_signature_are_taken_and_a_wrong_signature_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (s3, _, mut created) = start(folder.path()).await;
    let url = format!("{}/{BUCKET}/prices%20of%20May.csv", s3.endpoint());
    let answer = reqwest::Client::new().put(url).body("name,price\nLamp,1\n").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(told(&mut created), ["prices of May.csv"]);
    let elsewhere =
        reqwest::Client::new().put(format!("{}/nowhere/x.csv", s3.endpoint())).body("x").send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
    let stranger = client(&s3, "wrong").await;
    let refused = stranger.put_object().bucket(BUCKET).key("x.csv").body(ByteStream::from_static(b"x")).send().await;
    assert_eq!(refused.unwrap_err().raw_response().unwrap().status().as_u16(), 403);
    assert_eq!(told(&mut created), [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_started_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (s3, _, _) = start(folder.path()).await;
    let refused = S3::start(folder.path(), 0).await.unwrap_err();
    assert!(matches!(refused, Error::InUse { .. }), "{refused}");
    let other = tempfile::tempdir().unwrap();
    let refused = S3::start(other.path(), s3.address().port()).await.unwrap_err();
    assert!(matches!(refused, Error::PortInUse { backend: "S3", .. }), "{refused}");
    let refused = s3.create_bucket("No Bucket").await.unwrap_err();
    assert!(matches!(refused, Error::S3 { .. }), "{refused}");
}
