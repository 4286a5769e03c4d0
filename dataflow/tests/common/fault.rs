//! A proxy before an HTTP store that spoils chosen requests, and can be told another mind at any time.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to a request instead of its being served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 400 by which DynamoDB asks for patience with the table.
    Throughput,
    /// 400 by which DynamoDB asks for patience with the account.
    Throttling,
    /// 400 that no patience changes.
    AccessDenied,
    /// 400 of a store that says that the condition fails, but does not show the item.
    ConditionFails,
    /// 500 of something that is not even DynamoDB.
    Http500,
    /// 503 likewise.
    Http503,
    /// The connection is closed without an answer.
    HangUp,
    /// The request is served; then the connection is closed without an answer.
    LoseAnswer,
    /// The request is served, but later.
    Delay(Duration),
}

impl Fault {
    fn answer(self) -> Option<String> {
        let (status, body) = match self {
            Fault::HangUp | Fault::LoseAnswer | Fault::Delay(_) => return None,
            Fault::Http500 => ("500 Internal Server Error", String::from("<html>oops</html>")),
            Fault::Http503 => ("503 Service Unavailable", String::new()),
            Fault::Throughput => {
                ("400 Bad Request", error_body("dynamodb.v20120810#ProvisionedThroughputExceededException", "too much"))
            }
            Fault::Throttling => ("400 Bad Request", error_body("coral.service#ThrottlingException", "slow down")),
            Fault::AccessDenied => {
                ("400 Bad Request", error_body("coral.service#AccessDeniedException", "not authorized"))
            }
            Fault::ConditionFails => {
                ("400 Bad Request", error_body("dynamodb.v20120810#ConditionalCheckFailedException", "the condition"))
            }
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.0\r\n");
        Some(format!("{head}content-length: {}\r\n\r\n{body}", body.len()))
    }
}

fn error_body(code: &str, message: &str) -> String {
    format!(r#"{{"__type":"com.amazonaws.{code}","message":"{message}"}}"#)
}

/// Passes everything on, but spoils as many matching requests as it was last told.
pub(crate) struct FaultProxy {
    pub(crate) address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    fault: Option<Fault>,
    marks: Vec<String>,
    left: u32,
    spoiled: u32,
}

impl FaultProxy {
    pub(crate) fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let shared = Arc::clone(&plan);
        // Ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let plan = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, target, &plan));
            }
        });
        FaultProxy { address, plan }
    }

    /// Spoils the next `times` requests whose head and body contain all `marks`: operations as `.PutItem`, tables and
    /// values as the body writes them.
    pub(crate) fn spoil(&self, fault: Fault, times: u32, marks: &[&str]) {
        let marks = marks.iter().map(|mark| (*mark).to_owned()).collect();
        *self.plan.lock().unwrap() = Plan { fault: Some(fault), marks, left: times, spoiled: 0 };
    }

    /// Passes everything on again.
    pub(crate) fn heal(&self) {
        self.plan.lock().unwrap().left = 0;
    }

    /// How many requests were spoiled since the last call of `spoil`.
    pub(crate) fn spoiled(&self) -> u32 {
        self.plan.lock().unwrap().spoiled
    }
}

impl Plan {
    fn fault_for(&mut self, request: &[u8]) -> Option<Fault> {
        let fault = self.fault.filter(|_| self.left > 0)?;
        let request = String::from_utf8_lossy(request);
        if !self.marks.iter().all(|mark| request.contains(mark)) {
            return None;
        }
        self.left -= 1;
        self.spoiled += 1;
        Some(fault)
    }
}

/// Serves one connection until it ends, which shows as an error.
fn serve(mut client: &TcpStream, target: SocketAddr, plan: &Mutex<Plan>) -> std::io::Result<()> {
    let mut requests = BufReader::new(client);
    let mut upstream = TcpStream::connect(target)?;
    let mut answers = BufReader::new(upstream.try_clone()?);
    loop {
        let request = message(&mut requests)?;
        let fault = plan.lock().unwrap().fault_for(&request);
        match fault {
            Some(Fault::HangUp) => return Ok(()),
            Some(Fault::Delay(time)) => std::thread::sleep(time),
            Some(Fault::LoseAnswer) | None => {}
            Some(fault) => {
                client.write_all(fault.answer().unwrap_or_default().as_bytes())?;
                continue;
            }
        }
        upstream.write_all(&request)?;
        let answer = message(&mut answers)?;
        if fault == Some(Fault::LoseAnswer) {
            return Ok(());
        }
        client.write_all(&answer)?;
    }
}

/// One HTTP/1.1 message with its body.
fn message(from: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&bytes[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            let head = bytes.len();
            bytes.resize(head + length, 0);
            from.read_exact(&mut bytes[head..])?;
            return Ok(bytes);
        }
    }
}
