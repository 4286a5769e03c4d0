//! Connects the processes of a job with each other: a process calls those before it and is called by those after it.
//!
//! The runtime's own way of doing so is not used: it writes to standard output, where rows are written, ends when
//! anything else connects, and knows nothing of versions, settings and interruptions.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::TcpStream as StdTcpStream;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout};

use super::args::Members;
use super::hello::{Greeting, Hello, PURPOSE, compare};
use crate::control::Control;
use crate::error::Error;

/// How long the address of this process may be in use by another.
const LISTEN_LIMIT: Duration = Duration::from_secs(1);
/// Within this a process that was connected to says who it is.
const GREETING_LIMIT: Duration = Duration::from_secs(5);
const GREETING_MAX_BYTES: usize = 64 << 10;
/// How long until a process that cannot be reached is called again.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// When to say who is missing, and how often.
const SAY_AFTER: Duration = Duration::from_secs(2);
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How often to look whether the job was stopped meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Connections to all other processes.
#[derive(Debug)]
pub struct Links {
    pub(super) members: Members,
    /// By process; there is none to this one.
    pub(super) streams: Vec<Option<StdTcpStream>>,
}

impl Links {
    /// Those of a job of one process.
    #[must_use]
    pub fn none() -> Self {
        Links { members: Members::alone(), streams: vec![None] }
    }
}

/// Waits until all processes are there, and compares what they say of themselves. `None`: the job was stopped before.
///
/// # Errors
/// [`Error::Unavailable`] when this process's address cannot be listened on; [`Error::Refused`] when processes differ
/// in what they must have in common: then each of them says so.
pub fn connect(members: &Members, hello: &Hello, control: &Control) -> Result<Option<Links>, Error> {
    if members.is_alone() {
        return Ok(Some(Links { members: members.clone(), streams: vec![None] }));
    }
    let unusable = |error| Error::Internal(format!("cannot start the runtime: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
    let streams = runtime.block_on(meet(members, hello, control));
    // Names that are still being looked up are not waited for.
    runtime.shutdown_background();
    Ok(streams?.map(|streams| Links { members: members.clone(), streams }))
}

/// Another process, and the connection to it.
type Met = (Greeting, TcpStream);

async fn meet(members: &Members, hello: &Hello, control: &Control) -> Result<Option<Vec<Option<StdTcpStream>>>, Error> {
    let (process, processes) = (members.process, members.count());
    let greeting = Greeting { footfall: PURPOSE.to_owned(), process, processes, hello: hello.clone() };
    let (met, mut meetings) = mpsc::channel(processes);
    // Dropped at the end, which ends the tasks.
    let mut tasks = JoinSet::new();
    if process + 1 < processes {
        let address = &members.addresses[process];
        let listener = listen(address).await.map_err(|error| {
            Error::Unavailable(format!(
                "cannot listen on {address}, the address of process {process}: {error}; see that nothing else uses it, \
                 and that it belongs to this machine"
            ))
        })?;
        tasks.spawn(answer(listener, greeting.clone(), met.clone()));
    }
    let call_other = |tasks: &mut JoinSet<()>, other: usize| {
        tasks.spawn(call(other, members.addresses[other].clone(), greeting.clone(), met.clone()));
    };
    (0..process).for_each(|other| call_other(&mut tasks, other));
    let mut others: BTreeMap<usize, Met> = BTreeMap::new();
    let mut say = interval_at(Instant::now() + SAY_AFTER, SAY_EVERY);
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Who is gone before the others are there will come again.
        for other in those_gone(&others).await {
            // One that has refused us has ended for that reason; it would be refused again.
            others.remove(&other).map_or(Ok(()), |(other, _)| compare(&greeting, &other))?;
            if other < process {
                call_other(&mut tasks, other);
            }
        }
        if others.len() == processes - 1 {
            break;
        }
        tokio::select! {
            Some((other, stream)) = meetings.recv() => {
                // Who counts processes differently may have any number.
                if other.processes != processes {
                    compare(&greeting, &other)?;
                }
                if other.process == process || other.process >= processes {
                    return Err(Error::Usage(format!(
                        "another process says that it is process {}, as this one does; give each its own --process, and \
                         list their addresses in that order", other.process
                    )));
                }
                // One that was started again has a new connection.
                others.insert(other.process, (other, stream));
            }
            _ = say.tick() => say_who_is_missing(members, &others),
            _ = look.tick() => {
                if control.is_stopping() {
                    return Ok(None);
                }
            }
        }
    }
    // Only now, as each process must have heard of the difference.
    for (other, _) in others.values() {
        compare(&greeting, other)?;
    }
    let mut streams: Vec<_> = (0..processes).map(|_| None).collect();
    for (other, (_, stream)) in others {
        let stream = prepare(stream).map_err(|error| {
            Error::Restart(format!(
                "the connection to process {other} cannot be used: {error}; start all processes again"
            ))
        })?;
        streams[other] = Some(stream);
    }
    Ok(Some(streams))
}

/// The processes that have closed the connection meanwhile.
async fn those_gone(others: &BTreeMap<usize, Met>) -> Vec<usize> {
    let mut gone = Vec::new();
    for (other, (_, stream)) in others {
        // What is known now: nothing, or the first byte of what the other's workers say, where all is well.
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::ZERO, stream.peek(&mut [0])).await {
            gone.push(*other);
        }
    }
    gone
}

fn say_who_is_missing(members: &Members, others: &BTreeMap<usize, Met>) {
    for (other, address) in members.addresses.iter().enumerate() {
        if other != members.process && !others.contains_key(&other) {
            tracing::info!("waiting for process {other} at {address}");
        }
    }
}

/// A port may be in use for a moment more, by a process that has just ended.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let until = Instant::now() + LISTEN_LIMIT;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < until => sleep(FIRST_PAUSE).await,
            result => return result,
        }
    }
}

/// Takes calls of processes with higher numbers. Each caller has a task of its own, as one that says nothing must keep
/// nobody waiting.
async fn answer(listener: TcpListener, greeting: Greeting, met: mpsc::Sender<Met>) {
    let mut callers = JoinSet::new();
    loop {
        let Ok((mut stream, address)) = listener.accept().await else {
            // Such as too many open files, which may pass.
            sleep(FIRST_PAUSE).await;
            continue;
        };
        let (greeting, met) = (greeting.clone(), met.clone());
        callers.spawn(async move {
            let other = match timeout(GREETING_LIMIT, hear(&mut stream)).await {
                Ok(Ok(other)) => other,
                Ok(Err(error)) => return tracing::warn!("{address} is no process of this job: {error}; it is ignored"),
                Err(_) => return tracing::warn!("{address} is no process of this job: it says nothing; it is ignored"),
            };
            // Who calls has heard us only if it gets the answer; else it calls again.
            if matches!(timeout(GREETING_LIMIT, speak(&mut stream, &greeting)).await, Ok(Ok(()))) {
                let _ = met.send((other, stream)).await;
            }
        });
        while callers.try_join_next().is_some() {}
    }
}

/// Calls a process with a lower number until it answers.
async fn call(process: usize, address: String, greeting: Greeting, met: mpsc::Sender<Met>) {
    let mut pause = FIRST_PAUSE;
    let mut is_warned = false;
    loop {
        if let Ok(Ok(mut stream)) = timeout(GREETING_LIMIT, TcpStream::connect(&address)).await
            && !is_with_itself(&stream)
        {
            let greet = async {
                speak(&mut stream, &greeting).await?;
                hear(&mut stream).await
            };
            match timeout(GREETING_LIMIT, greet).await {
                Ok(Ok(other)) if other.process == process || other.processes != greeting.processes => {
                    let _ = met.send((other, stream)).await;
                    return;
                }
                Ok(Ok(other)) if !is_warned => {
                    is_warned = true;
                    let is = other.process;
                    tracing::warn!("at {address} is process {is} instead of {process}; check the order of --hosts");
                }
                Ok(Err(error)) if error.kind() == ErrorKind::InvalidData && !is_warned => {
                    is_warned = true;
                    tracing::warn!("at {address} is no process of this job: {error}; check --hosts");
                }
                _ => {}
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether nobody listens, and the system happened to choose the very port that is called to call from.
fn is_with_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(here), Ok(there)) if here == there)
}

async fn speak(stream: &mut TcpStream, greeting: &Greeting) -> io::Result<()> {
    let mut line = serde_json::to_vec(greeting)?;
    line.push(b'\n');
    stream.write_all(&line).await
}

/// Reads a greeting, and nothing of what follows it.
async fn hear(stream: &mut TcpStream) -> io::Result<Greeting> {
    let invalid = |what: String| io::Error::new(ErrorKind::InvalidData, what);
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => break,
            byte => line.push(byte),
        }
        // Seen at once, so that what speaks another language is not waited for.
        if line[0] != b'{' || line.len() > GREETING_MAX_BYTES {
            return Err(invalid("it speaks another language".to_owned()));
        }
    }
    let greeting: Greeting =
        serde_json::from_slice(&line).map_err(|error| invalid(format!("its greeting cannot be read: {error}")))?;
    if greeting.footfall == PURPOSE { Ok(greeting) } else { Err(invalid("it has another purpose".to_owned())) }
}

/// As the runtime wants a connection, and so that a machine that is gone without a word is noticed.
fn prepare(stream: TcpStream) -> io::Result<StdTcpStream> {
    use rustix::net::sockopt;
    const SILENCE: Duration = Duration::from_secs(10);
    const PROBE_EVERY: Duration = Duration::from_secs(5);
    const PROBES: u32 = 3;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, SILENCE)?;
    sockopt::set_tcp_keepintvl(&stream, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(&stream, PROBES)?;
    // The same for what was sent and is not acknowledged.
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(
        &stream,
        u32::try_from((SILENCE + PROBE_EVERY * PROBES).as_millis()).unwrap_or(u32::MAX),
    )?;
    Ok(stream)
}
