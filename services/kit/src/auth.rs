//! Who calls. The gateway finds out and says so in an internal token; every other service believes nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::{InternalTokenArgs, Secret};
use crate::{Id, Kind, Problem};

/// How long an internal token is valid: one request's time, and what clocks differ.
const LIFETIME: Duration = Duration::from_secs(60);
/// Who signs internal tokens.
const ISSUER: &str = "api-gateway";

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// A program of ours, such as the import of products.
    Service,
    /// Its own record, orders, cart and payments.
    Customer,
    /// Sending events, by a publishable write key.
    Writer,
    /// Reading what is public.
    Anonymous,
}

/// Who calls, as the gateway found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Names the caller in logs, limits and idempotency keys: never a secret.
    #[serde(rename = "sub")]
    pub principal: String,
    /// What it may do.
    pub role: Role,
    /// The customer that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<Id>,
    /// The login session that it showed a token of; none for other tokens.
    #[serde(rename = "sid", default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// Names a login session: the SHA-256 of its token in hexadecimal, which lets nobody log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(String);

impl SessionId {
    /// The session of this token.
    #[must_use]
    pub fn of_token(token: &str) -> Self {
        SessionId(Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The session of this name, as it was stored.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        SessionId(text)
    }

    /// As it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Caller {
    /// A caller of this name and role, who is no customer.
    pub fn new(principal: impl Into<String>, role: Role) -> Self {
        Caller { principal: principal.into(), role, customer_id: None, session: None }
    }

    /// Somebody who did not say who they are.
    #[must_use]
    pub fn anonymous() -> Self {
        Caller::new("anonymous", Role::Anonymous)
    }

    /// Whether it may reach what belongs to this customer: it is that customer, or an admin or service.
    #[must_use]
    pub fn may_reach(&self, customer: Id) -> bool {
        match self.role {
            Role::Admin | Role::Service => true,
            Role::Customer => self.customer_id == Some(customer),
            Role::Writer | Role::Anonymous => false,
        }
    }

    /// Goes on for these roles only.
    ///
    /// # Errors
    /// 401 for anonymous callers, who may have another role once they log in; 403 for others.
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        match self.role {
            role if roles.contains(&role) => Ok(()),
            Role::Anonymous => Err(Problem::new(Kind::Unauthenticated, "this needs credentials; see /docs")),
            _ => Err(Problem::new(Kind::Forbidden, "the role of these credentials does not allow this")),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: u64,
    #[serde(flatten)]
    caller: Caller,
}

/// Signs internal tokens for one receiving service.
#[derive(Clone)]
pub struct TokenSigner {
    audience: &'static str,
    key: EncodingKey,
}

impl TokenSigner {
    /// For the service of this name.
    #[must_use]
    pub fn new(audience: &'static str, secret: &Secret) -> Self {
        TokenSigner { audience, key: EncodingKey::from_secret(secret.0.expose_secret().as_bytes()) }
    }

    /// The value of the `Authorization` header by which the receiver knows the caller.
    ///
    /// # Errors
    /// Where the clock stands before 1970 or the token cannot be signed.
    pub fn authorization(&self, caller: &Caller) -> Result<String, Problem> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Problem::internal)?;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: self.audience.to_owned(),
            exp: (now + LIFETIME).as_secs(),
            caller: caller.clone(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key);
        token.map(|token| format!("Bearer {token}")).map_err(Problem::internal)
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("audience", &self.audience).finish_non_exhaustive()
    }
}

/// Verifies the internal tokens that one service gets.
#[derive(Clone)]
pub struct TokenVerifier {
    /// The present secret's, and the one before it.
    keys: Vec<DecodingKey>,
    validation: Validation,
}

impl TokenVerifier {
    /// Of the service of this name.
    #[must_use]
    pub fn new(audience: &'static str, args: &InternalTokenArgs) -> Self {
        let secrets = [Some(&args.internal_token_secret), args.internal_token_previous_secret.as_ref()];
        let key = |secret: &Secret| DecodingKey::from_secret(secret.0.expose_secret().as_bytes());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        validation.leeway = 5;
        TokenVerifier { keys: secrets.into_iter().flatten().map(key).collect(), validation }
    }

    fn verify(&self, token: &str) -> Option<Caller> {
        let claims = |key| jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok();
        self.keys.iter().find_map(claims).map(|token| token.claims.caller)
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

/// The token of an `Authorization: Bearer` header.
#[must_use]
pub fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let verifier = parts.extensions.get::<Arc<TokenVerifier>>();
        let verifier = verifier.ok_or_else(|| Problem::internal("this service has no verifier of internal tokens"))?;
        bearer(parts).and_then(|token| verifier.verify(token)).ok_or_else(|| {
            Problem::new(Kind::Unauthenticated, "this service takes requests from the gateway only; call the gateway")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(letter: char) -> Secret {
        letter.to_string().repeat(32).parse().unwrap()
    }

    fn verifier(present: char, previous: Option<char>) -> TokenVerifier {
        let args = InternalTokenArgs {
            internal_token_secret: secret(present),
            internal_token_previous_secret: previous.map(secret),
        };
        TokenVerifier::new("product-catalog", &args)
    }

    fn token(audience: &'static str, letter: char) -> String {
        let caller = Caller { customer_id: Id::new(7), ..Caller::new("customer-7", Role::Customer) };
        let authorization = TokenSigner::new(audience, &secret(letter)).authorization(&caller).unwrap();
        authorization.strip_prefix("Bearer ").unwrap().to_owned()
    }

    #[test]
    fn a_caller_arrives_as_it_was_signed() {
        let caller = verifier('a', None).verify(&token("product-catalog", 'a')).unwrap();
        assert_eq!(
            (caller.principal.as_str(), caller.role, caller.customer_id),
            ("customer-7", Role::Customer, Id::new(7))
        );
    }

    #[test]
    fn a_token_of_the_secret_before_the_last_rotation_is_accepted() {
        assert!(verifier('b', Some('a')).verify(&token("product-catalog", 'a')).is_some());
        assert!(verifier('b', None).verify(&token("product-catalog", 'a')).is_none());
    }

    #[test]
    fn a_token_for_another_service_or_without_a_signature_is_refused() {
        let verifier = verifier('a', None);
        assert!(verifier.verify(&token("activity-service", 'a')).is_none());
        let genuine = token("product-catalog", 'a');
        let claims = genuine.split('.').nth(1).unwrap();
        // {"alg":"none"}
        assert!(verifier.verify(&format!("eyJhbGciOiJub25lIn0.{claims}.")).is_none());
        assert!(verifier.verify("").is_none());
    }
}
