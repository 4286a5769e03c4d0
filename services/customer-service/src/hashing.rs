//! Hashes of passwords: Argon2id (RFC 9106) with the least costs that OWASP recommends (Password Storage Cheat Sheet: 19 MiB,
//! 2 passes, 1 lane), as PHC strings, which tell their own costs.
//!
//! A hash takes a core for tens of milliseconds, on purpose. Hashing has as many turns as there are cores, off the threads that
//! serve requests; a number of requests waits for one, further ones are told to come again.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::password_hash::{Error as HashError, PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{Error, Kind, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const ALGORITHM: Algorithm = Algorithm::Argon2id;
const VERSION: Version = Version::V0x13;
/// In KiB.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How many may wait for a turn: on two cores, the last of them waits for one or two seconds.
const WAITING: usize = 64;

/// Hashes passwords, as many at once as there are cores.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    argon2: Argon2<'static>,
    of_nobody: PasswordHash,
    turns: Turns,
    hashes: Counter,
}

/// Who hashes, and who waits for it.
#[derive(Clone, Debug)]
struct Turns {
    cores: usize,
    /// A permit for each who hashes.
    hashing: Arc<Semaphore>,
    /// A permit for each who hashes or waits.
    present: Arc<Semaphore>,
    waiting: usize,
}

/// The right to hash, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    hasher: Hasher,
    _hashing: OwnedSemaphorePermit,
    _present: OwnedSemaphorePermit,
}

impl Hasher {
    pub(crate) fn new(registry: &mut Registry) -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let hasher = Hasher::with(cores, WAITING)?;
        // The library adds `_total`.
        registry.register("customer_password_hashes", "Hashes of passwords that were computed", hasher.hashes.clone());
        registry.register_collector(Box::new(hasher.turns.clone()));
        Ok(hasher)
    }

    fn with(cores: usize, waiting: usize) -> Result<Self, Error> {
        let failed = |error| Error::Failed(format!("cannot hash passwords: {error}"));
        let params = Params::new(MEMORY, PASSES, LANES, None).map_err(|error| failed(error.into()))?;
        Ok(Hasher {
            of_nobody: of_nobody(&params).map_err(failed)?,
            argon2: Argon2::new(ALGORITHM, VERSION, params),
            turns: Turns {
                cores,
                hashing: Arc::new(Semaphore::new(cores)),
                present: Arc::new(Semaphore::new(cores + waiting)),
                waiting,
            },
            hashes: Counter::default(),
        })
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// 503 where too many wait already.
    pub(crate) async fn turn(&self) -> Result<Turn, Problem> {
        let present = Arc::clone(&self.turns.present).try_acquire_owned();
        let present =
            present.map_err(|_| Problem::new(Kind::Overloaded, "too many logins at once; try again in a moment"))?;
        let hashing = Arc::clone(&self.turns.hashing).acquire_owned().await.map_err(Problem::internal)?;
        Ok(Turn { hasher: self.clone(), _hashing: hashing, _present: present })
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// 503 where too many wait already.
    pub(crate) async fn hash(&self, password: &SecretString) -> Result<String, Problem> {
        let hash = |argon2: &Argon2<'_>, password: &[u8]| argon2.hash_password(password);
        let (_, hash): (_, Result<PasswordHash, _>) = self.turn().await?.run(password, hash).await?;
        Ok(hash.map_err(Problem::internal)?.to_string())
    }

    /// A hash that no password has, with the costs of new ones: what a password is verified against that nobody has.
    pub(crate) fn of_nobody(&self) -> String {
        self.of_nobody.to_string()
    }

    /// Whether a hash was made in another way than new ones: then it is replaced when its password is known the next time.
    pub(crate) fn is_outdated(&self, stored: &str) -> bool {
        let present = &self.of_nobody;
        PasswordHash::new(stored).map_or(true, |hash| {
            hash.algorithm != present.algorithm || hash.version != present.version || hash.params != present.params
        })
    }
}

fn of_nobody(params: &Params) -> Result<PasswordHash, HashError> {
    let (salt, output): ([u8; 16], [u8; 32]) = rand::random();
    Ok(PasswordHash {
        algorithm: ALGORITHM.ident(),
        version: Some(VERSION.into()),
        params: params.try_into()?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(Output::new(&output)?),
    })
}

impl Turn {
    /// Whether the password has this hash. The turn goes on until it is dropped.
    ///
    /// # Errors
    /// 500 where what is stored is no hash.
    pub(crate) async fn verify(self, password: &SecretString, stored: String) -> Result<(Self, bool), Problem> {
        let verify = move |argon2: &Argon2<'_>, password: &[u8]| {
            argon2.verify_password(password, &PasswordHash::new(&stored).map_err(HashError::from)?)
        };
        let (turn, verified) = self.run(password, verify).await?;
        match verified {
            Ok(()) => Ok((turn, true)),
            Err(HashError::PasswordInvalid) => Ok((turn, false)),
            Err(error) => Err(Problem::internal(format_args!("a stored hash of a password cannot be used: {error}"))),
        }
    }

    /// The work has the turn with it: where nobody waits for it any more, it still counts as long as it takes a core.
    async fn run<T: Send + 'static>(
        self,
        password: &SecretString,
        work: impl FnOnce(&Argon2<'static>, &[u8]) -> T + Send + 'static,
    ) -> Result<(Self, T), Problem> {
        let password = password.clone();
        let work = move || {
            let done = work(&self.hasher.argon2, password.expose_secret().as_bytes());
            self.hasher.hashes.inc();
            (self, done)
        };
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
    }
}

impl Collector for Turns {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let present = self.cores + self.waiting - self.present.available_permits();
        let waiting = present.saturating_sub(self.cores - self.hashing.available_permits());
        let gauge = ConstGauge::new(i64::try_from(waiting).unwrap_or(i64::MAX));
        let help = "Requests that wait to hash a password";
        let metric = encoder.encode_descriptor("customer_password_hashes_waiting", help, None, gauge.metric_type())?;
        gauge.encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    async fn is_right(hasher: &Hasher, password: &str, stored: &str) -> bool {
        hasher.turn().await.unwrap().verify(&secret(password), stored.to_owned()).await.unwrap().1
    }

    #[tokio::test]
    async fn a_hash_belongs_to_its_password_alone_and_tells_its_costs() {
        let hasher = Hasher::with(1, 1).unwrap();
        let hash = hasher.hash(&secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash(&secret("correct horse")).await.unwrap());
        assert!(is_right(&hasher, "correct horse", &hash).await);
        assert!(!is_right(&hasher, "correct horsE", &hash).await);
    }

    #[tokio::test]
    async fn nobodys_hash_costs_what_others_cost_and_no_password_has_it() {
        let hasher = Hasher::with(1, 1).unwrap();
        let (of_nobody, real) = (hasher.of_nobody(), hasher.hash(&secret("correct horse")).await.unwrap());
        let costs = |hash: &str| hash.rsplitn(3, '$').last().unwrap().to_owned();
        assert_eq!((costs(&of_nobody), of_nobody.len()), (costs(&real), real.len()));
        assert!(!is_right(&hasher, "", &of_nobody).await);
        assert!(!hasher.is_outdated(&of_nobody));
    }

    #[tokio::test]
    async fn hashes_that_were_made_in_another_way_are_outdated_and_still_verified() {
        let hasher = Hasher::with(1, 1).unwrap();
        for (algorithm, params) in [
            (Algorithm::Argon2id, Params::new(64, 1, 1, None)),
            (Algorithm::Argon2i, Params::new(MEMORY, PASSES, LANES, None)),
        ] {
            let argon2 = Argon2::new(algorithm, VERSION, params.unwrap());
            let hash: PasswordHash = argon2.hash_password(b"correct horse").unwrap();
            assert!(hasher.is_outdated(&hash.to_string()), "{hash}");
            assert!(is_right(&hasher, "correct horse", &hash.to_string()).await);
        }
        assert!(hasher.is_outdated("no hash"));
    }

    #[tokio::test]
    async fn what_is_no_hash_is_a_defect_and_not_a_wrong_password() {
        let hasher = Hasher::with(1, 1).unwrap();
        let verified = hasher.turn().await.unwrap().verify(&secret("correct horse"), "no hash".to_owned()).await;
        assert_eq!(verified.unwrap_err().kind(), Kind::Internal);
    }

    #[tokio::test]
    async fn further_hashes_wait_and_those_beyond_the_room_are_refused() {
        let hasher = Hasher::with(1, 1).unwrap();
        let first = hasher.turn().await.unwrap();
        // The second waits, the third finds no room; in this order, as they are asked in this order.
        let (second, third) = tokio::join!(biased; hasher.turn(), async {
            let refused = hasher.turn().await;
            drop(first);
            refused
        });
        assert!(second.is_ok());
        assert_eq!(third.unwrap_err().kind(), Kind::Overloaded);
        drop(second);
        assert!(hasher.turn().await.is_ok());
    }
}
