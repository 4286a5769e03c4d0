//! An HTTP proxy between the job and the DynamoDB emulator: a store with bad days, and a place to look on.
//!
//! It speaks as much HTTP/1.1 as the AWS client and the emulator do: one request after the other on a connection, bodies
//! with a `Content-Length`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use crate::Trouble;

/// What happens to requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// The fraction of requests that are answered with `ProvisionedThroughputExceededException`.
    pub throttled: f64,
    /// The fraction of requests that are answered with status 500 or 503.
    pub failed: f64,
    /// The fraction of requests whose connection is closed: half of them before they reach the store, half of them
    /// after the store has done what they ask for.
    pub dropped: f64,
}

/// Is shown each request that the store has answered, with the answer, at the moment at which the answer is there.
pub type Witness = Arc<dyn Fn(&[u8], &[u8]) + Send + Sync>;

/// A proxy on a free port.
pub struct HttpProxy {
    /// Where it listens.
    pub address: SocketAddr,
    sky: Arc<Mutex<Sky>>,
}

struct Sky {
    weather: Weather,
    random: ChaCha8Rng,
    hurt: u64,
}

enum Fate {
    Pass,
    Answer(Vec<u8>),
    DropBefore,
    DropAfter,
}

impl HttpProxy {
    /// Starts a proxy to `target`, in fine weather.
    pub fn start(target: SocketAddr, seed: u64, runtime: &Handle) -> Result<Self, Trouble> {
        Self::start_with(target, seed, runtime, Arc::new(|_, _| {}))
    }

    /// Starts a proxy to `target`, in fine weather, and shows a witness what passes.
    pub fn start_with(target: SocketAddr, seed: u64, runtime: &Handle, witness: Witness) -> Result<Self, Trouble> {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let random = ChaCha8Rng::seed_from_u64(seed);
        let sky = Arc::new(Mutex::new(Sky { weather: Weather::default(), random, hurt: 0 }));
        let shared = Arc::clone(&sky);
        runtime.spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(client, target, Arc::clone(&shared), Arc::clone(&witness)));
            }
        });
        Ok(HttpProxy { address, sky })
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        lock(&self.sky).weather = weather;
    }

    /// How many requests were not answered by the store as they should have been.
    pub fn hurt(&self) -> u64 {
        lock(&self.sky).hurt
    }
}

impl Sky {
    fn fate(&mut self) -> Fate {
        let Weather { throttled, failed, dropped } = self.weather;
        let (drawn, coin): (f64, bool) = (self.random.random(), self.random.random());
        let fate = if drawn < throttled {
            Fate::Answer(answer("400 Bad Request", "ProvisionedThroughputExceededException"))
        } else if drawn - throttled < failed {
            Fate::Answer(if coin {
                answer("500 Internal Server Error", "InternalServerError")
            } else {
                answer("503 Service Unavailable", "ServiceUnavailable")
            })
        } else if drawn - throttled - failed < dropped {
            if coin { Fate::DropBefore } else { Fate::DropAfter }
        } else {
            return Fate::Pass;
        };
        self.hurt += 1;
        fate
    }
}

fn lock(sky: &Mutex<Sky>) -> MutexGuard<'_, Sky> {
    sky.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut client: TcpStream, target: SocketAddr, sky: Arc<Mutex<Sky>>, witness: Witness) -> io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    let (mut requests, mut answers) = (Messages::default(), Messages::default());
    while let Some(request) = requests.next(&mut client).await? {
        let fate = lock(&sky).fate();
        match &fate {
            Fate::DropBefore => return Ok(()),
            Fate::Answer(answer) => {
                client.write_all(answer).await?;
                continue;
            }
            Fate::Pass | Fate::DropAfter => server.write_all(&request).await?,
        }
        let Some(answer) = answers.next(&mut server).await? else { return Ok(()) };
        witness(&request, &answer);
        if matches!(fate, Fate::DropAfter) {
            return Ok(());
        }
        client.write_all(&answer).await?;
    }
    Ok(())
}

/// Splits what comes over a connection into messages: head and body.
#[derive(Default)]
struct Messages {
    read: Vec<u8>,
}

impl Messages {
    /// The next whole message; `None` where the connection ends first.
    async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(length) = message_length(&self.read)
                && self.read.len() >= length
            {
                let rest = self.read.split_off(length);
                return Ok(Some(std::mem::replace(&mut self.read, rest)));
            }
            if stream.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// The length of the first message, head and body, once its head is complete.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]);
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Some(head + length.and_then(|(_, value)| value.trim().parse::<usize>().ok()).unwrap_or(0))
}

/// An error as DynamoDB says it.
fn answer(status: &str, error: &str) -> Vec<u8> {
    let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{error}","message":"by the proxy"}}"#);
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_it_says() {
        let answer = answer("400 Bad Request", "ThrottlingException");
        assert_eq!(message_length(&answer), Some(answer.len()));
    }

    #[test]
    fn a_message_ends_with_its_body() {
        assert_eq!(message_length(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST"), Some(41));
        assert_eq!(message_length(b"POST / HTTP/1.1\r\nContent-"), None);
    }
}
