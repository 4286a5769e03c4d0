//! Who calls: by a session token, a JSON Web Token or a write key, or nobody in particular.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use service_kit::auth::{Caller, Role, bearer};
use service_kit::session::Sessions;
use service_kit::{Kind, Problem};
use sha2::{Digest as _, Sha256};

use crate::jwks::Jwks;
use crate::routes::Access;
use crate::settings::IdentityArgs;

/// The header of a write key.
pub(crate) const WRITE_KEY: &str = "x-write-key";
/// The query parameter of a write key, for `navigator.sendBeacon`, which cannot set headers.
pub(crate) const WRITE_KEY_PARAMETER: &str = "write_key";

/// Finds out who calls.
#[derive(Debug)]
pub(crate) struct Identity {
    sessions: Sessions,
    jwks: Option<Jwks>,
    /// The principal of each write key, by the key's hash: the time a lookup takes tells nothing about the key.
    write_keys: HashMap<[u8; 32], String>,
    trusted_hops: usize,
}

impl Identity {
    pub(crate) fn new(sessions: Sessions, jwks: Option<Jwks>, args: &IdentityArgs) -> Self {
        let keys = args.events_write_keys.iter().map(|key| key.trim()).filter(|key| !key.is_empty());
        let write_keys = keys.map(|key| {
            let hash = hash(key);
            let name = hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
            (hash, format!("write-key-{name}"))
        });
        Identity { sessions, jwks, write_keys: write_keys.collect(), trusted_hops: args.trusted_hops }
    }

    /// Who sent a request.
    pub(crate) async fn of(&self, parts: &Parts, access: Access) -> Result<Caller, Problem> {
        if parts.headers.contains_key(axum::http::header::AUTHORIZATION) {
            let token = bearer(parts).filter(|token| !token.is_empty());
            let caller = match token {
                Some(token) => self.of_token(token).await?,
                None => None,
            };
            return caller.ok_or_else(|| {
                Problem::new(Kind::Unauthenticated, "the bearer token is not valid, or no longer; log in again")
            });
        }
        match access {
            Access::Public => Ok(Caller::anonymous()),
            Access::Bearer => Err(Problem::new(
                Kind::Unauthenticated,
                "there is no bearer token; send Authorization: Bearer with a session token or a JWT",
            )),
            Access::WriteKey => self.of_write_key(parts),
        }
    }

    /// JSON Web Tokens have two points, session tokens none.
    async fn of_token(&self, token: &str) -> Result<Option<Caller>, Problem> {
        match &self.jwks {
            Some(jwks) if token.matches('.').count() == 2 => jwks.verify(token).await,
            _ => self.sessions.find(token).await,
        }
    }

    fn of_write_key(&self, parts: &Parts) -> Result<Caller, Problem> {
        let in_header = parts.headers.get(WRITE_KEY).and_then(|key| key.to_str().ok()).map(str::to_owned);
        let query = parts.uri.query().unwrap_or("");
        let in_query = || {
            let mut parameters = form_urlencoded::parse(query.as_bytes());
            parameters.find(|(name, _)| name == WRITE_KEY_PARAMETER).map(|(_, key)| key.into_owned())
        };
        let key = in_header.or_else(in_query).ok_or_else(|| {
            Problem::new(
                Kind::Unauthenticated,
                "there is no write key; send one in X-Write-Key or ?write_key=, or a bearer token",
            )
        })?;
        let principal = self.write_keys.get(&hash(&key)).ok_or_else(|| {
            Problem::new(Kind::Unauthenticated, "the write key is not known; copy it from the shop's settings again")
        })?;
        Ok(Caller::new(principal, Role::Writer))
    }

    /// The address that a request comes from: what the outermost proxy of ours saw, else the peer's.
    pub(crate) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        if self.trusted_hops == 0 {
            return peer;
        }
        let lines = parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        hops.iter().rev().nth(self.trusted_hops - 1).and_then(|hop| hop.parse().ok()).or(peer)
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}
