//! JSON Web Tokens of an identity provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::routing::get;
use axum::{Json, Router};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{Platform, problem};

struct Provider {
    url: String,
    asked: Arc<AtomicUsize>,
    key: EncodingKey,
}

impl Provider {
    async fn start() -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("k1".to_owned());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let keys = move || async move {
            counter.fetch_add(1, Ordering::Relaxed);
            Json(JwkSet { keys: vec![jwk] })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let routes = Router::new().route("/jwks.json", get(keys));
        tokio::spawn(axum::serve(listener, routes).into_future());
        Provider { url, asked, key }
    }

    fn token(&self, key_id: &str, changes: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims =
            json!({"sub": "ann", "iss": "https://id.example", "aud": "footfall", "exp": now + 60, "roles": ["admin"]});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let header = Header { kid: Some(key_id.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    async fn platform(&self) -> Platform {
        let flags = ["--jwt-jwks-url", &self.url, "--jwt-issuer", "https://id.example", "--jwt-audience", "footfall"];
        Platform::start(&flags).await
    }
}

async fn caller(platform: &Platform, token: &str) -> Value {
    let response = platform.get("/products").bearer_auth(token).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json::<Value>().await.unwrap()["caller"].clone()
}

#[tokio::test]
async fn a_token_tells_role_and_customer_in_the_ways_that_providers_write_them() {
    let provider = Provider::start().await;
    let platform = provider.platform().await;
    let admin = caller(&platform, &provider.token("k1", &json!({}))).await;
    assert_eq!((admin["role"].as_str(), admin["sub"].as_str()), (Some("admin"), Some("jwt-ann")));
    let groups = json!({"roles": [], "cognito:groups": ["customer"], "customer_id": "7"});
    assert_eq!(caller(&platform, &provider.token("k1", &groups)).await["customer_id"], "7");
    let number = json!({"roles": ["customer"], "customer_id": 7});
    assert_eq!(caller(&platform, &provider.token("k1", &number)).await["customer_id"], "7");
    assert_eq!(provider.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_token_with_any_part_wrong_is_refused() {
    let provider = Provider::start().await;
    let platform = provider.platform().await;
    for changes in [
        json!({"exp": 1}),
        json!({"iss": "https://other.example"}),
        json!({"aud": "another"}),
        json!({"nbf": 99_999_999_999_u64}),
        json!({"roles": []}),
        json!({"roles": ["customer"]}),
        json!({"roles": ["root"]}),
    ] {
        problem(platform.get("/products").bearer_auth(provider.token("k1", &changes)), 401).await;
    }
    let genuine = provider.token("k1", &json!({}));
    let mut parts: Vec<&str> = genuine.split('.').collect();
    parts[2] = "AAAA";
    problem(platform.get("/products").bearer_auth(parts.join(".")), 401).await;
    // Signed with something that is known as if it were a shared secret.
    let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) };
    let secret = EncodingKey::from_secret(b"k1");
    let forged = jsonwebtoken::encode(&header, &json!({"sub": "ann", "roles": ["admin"]}), &secret).unwrap();
    problem(platform.get("/products").bearer_auth(forged), 401).await;
}

#[tokio::test]
async fn keys_that_nobody_knows_do_not_make_the_gateway_ask_again_and_again() {
    let provider = Provider::start().await;
    let platform = provider.platform().await;
    for number in 0..20 {
        let token = provider.token(&format!("unknown-{number}"), &json!({}));
        problem(platform.get("/products").bearer_auth(token), 401).await;
    }
    assert_eq!(provider.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn without_the_provider_tokens_are_neither_good_nor_bad() {
    let provider = Provider::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = Provider { url: format!("http://{closed}/jwks.json"), ..provider };
    let platform = gone.platform().await;
    let told = problem(platform.get("/products").bearer_auth(gone.token("k1", &json!({}))), 503).await;
    assert_eq!(told["type"], "/problems/dependency-unavailable");
}
