//! JSON Web Tokens of an identity provider, verified with the keys that it publishes (RFC 7517, RFC 7519).

use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use service_kit::auth::{Caller, Role};
use service_kit::{Id, Problem};
use tokio::sync::Mutex;

use crate::settings::JwtSettings;

/// How long keys are used until they are asked for again.
const FRESH_FOR: Duration = Duration::from_secs(600);
/// How often at most an unknown key's id leads to a question: anybody can make ids up.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How long the provider may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The provider's keys, as they were last seen.
#[derive(Debug)]
pub(crate) struct Jwks {
    settings: JwtSettings,
    client: reqwest::Client,
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    set: Option<JwkSet>,
    asked: Option<Instant>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default, rename = "cognito:groups")]
    groups: Vec<String>,
    customer_id: Option<CustomerId>,
}

/// Providers write numbers as strings or as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum CustomerId {
    Text(Id),
    Number(i64),
}

impl Jwks {
    pub(crate) fn new(settings: JwtSettings, client: reqwest::Client) -> Self {
        Jwks { settings, client, keys: Mutex::default() }
    }

    /// Whose token it is; `None` where it is not valid.
    pub(crate) async fn verify(&self, token: &str) -> Result<Option<Caller>, Problem> {
        let Ok(header) = jsonwebtoken::decode_header(token) else { return Ok(None) };
        let Some(key_id) = header.kid else { return Ok(None) };
        // Secrets are shared with nobody: a token that is signed with one is forged with a public key.
        if !matches!(
            header.alg,
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::ES256 | Algorithm::ES384
        ) {
            return Ok(None);
        }
        let Some(key) = self.key(&key_id).await? else { return Ok(None) };
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.validate_nbf = true;
        match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
            Ok(token) => Ok(caller(token.claims)),
            Err(error) => {
                tracing::info!(%error, "a JSON Web Token was refused");
                Ok(None)
            }
        }
    }

    async fn key(&self, id: &str) -> Result<Option<DecodingKey>, Problem> {
        let mut keys = self.keys.lock().await;
        let is_known = keys.set.as_ref().is_some_and(|set| set.find(id).is_some());
        let wait = if is_known { FRESH_FOR } else { ASK_EVERY };
        if keys.asked.is_none_or(|asked| asked.elapsed() >= wait) {
            keys.asked = Some(Instant::now());
            match self.fetch().await {
                Ok(set) => keys.set = Some(set),
                Err(error) => tracing::warn!(%error, url = %self.settings.jwks_url, "the keys are not to be had"),
            }
        }
        let Some(set) = &keys.set else {
            return Err(Problem::unavailable("the identity provider", "there are no keys yet"));
        };
        Ok(set.find(id).and_then(|jwk| DecodingKey::from_jwk(jwk).ok()))
    }

    async fn fetch(&self) -> Result<JwkSet, reqwest::Error> {
        let request = self.client.get(self.settings.jwks_url.clone()).timeout(TIMEOUT);
        request.send().await?.error_for_status()?.json().await
    }
}

/// The greatest role of the token. Without one that we know, it lets nobody do anything.
fn caller(claims: Claims) -> Option<Caller> {
    let has = |role: &str| claims.roles.iter().chain(&claims.groups).any(|present| present == role);
    let customer_id = claims.customer_id.and_then(|id| match id {
        CustomerId::Text(id) => Some(id),
        CustomerId::Number(number) => Id::new(number),
    });
    let role = match () {
        () if has("admin") => Role::Admin,
        () if has("service") => Role::Service,
        // A customer without a number has no record.
        () if has("customer") && customer_id.is_some() => Role::Customer,
        () => return None,
    };
    Some(Caller { customer_id, ..Caller::new(format!("jwt-{}", claims.sub), role) })
}
