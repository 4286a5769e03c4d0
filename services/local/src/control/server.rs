//! The platform's end of the socket.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use service_kit::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::SOCKET;
use super::protocol::{Answer, Request};
use super::running::{self, Note};
use crate::faults::{self, Outcome, Stage};
use crate::folder::Folder;

/// A request is shorter.
const MAX_REQUEST_BYTES: u64 = 4_096;
/// How long a client may take to say what it wants.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// The socket, which goes with it.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
    _note: Option<Note>,
}

impl Control {
    /// Listens in the folder, in the place of a process that was killed: the folder is ours alone.
    ///
    /// # Errors
    /// Where there can be no socket.
    pub(crate) fn listen(folder: &Folder) -> Result<Self, Error> {
        let path = folder.join(SOCKET);
        let failed = |error| {
            let place = path.display();
            Error::Failed(format!(
                "`footfall faults` and `footfall demo` cannot reach it, as there is no socket {place}: {error}; choose a folder with a shorter path"
            ))
        };
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        let notes = running::notes_folder();
        let note = Note::leave(&notes, folder.path());
        let note = note.inspect_err(|error| {
            tracing::warn!(folder = %notes.display(), %error, "commands need --data to find this footfall");
        });
        Ok(Control { listener, path, _note: note.ok() })
    }

    /// Answers until `stop`, and until faults that run then are undone.
    ///
    /// # Errors
    /// Where a fault cannot be undone: the platform cannot go on.
    pub(crate) async fn serve(&self, stage: &Stage<'_>, stop: &CancellationToken) -> Result<(), Error> {
        // One fault at a time: two would be told apart by nobody.
        let turn = Mutex::new(());
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => connections.push(serve_one(stream, stage, &turn, stop)),
                    Err(error) => tracing::warn!(%error, "a connection to the socket fails"),
                },
                Some(ended) = connections.next() => ended?,
            }
        }
        while let Some(ended) = connections.next().await {
            ended?;
        }
        Ok(())
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The next start replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve_one(
    stream: UnixStream,
    stage: &Stage<'_>,
    turn: &Mutex<()>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(MAX_REQUEST_BYTES));
    let mut line = String::new();
    let request = match tokio::time::timeout(REQUEST_LIMIT, reader.read_line(&mut line)).await {
        Ok(Ok(_)) => serde_json::from_str(&line).map_err(|error| format!("the request cannot be read: {error}")),
        // Nothing was asked.
        Ok(Err(_)) | Err(_) => return Ok(()),
    };
    // Done when the platform stops or the client has gone.
    let over = stop.child_token();
    let (voice, mut words) = mpsc::unbounded_channel();
    let answer = async {
        let outcome = match request {
            Ok(Request::Key { minutes }) => {
                key(stage, minutes, &voice).map_or_else(Outcome::Refused, |()| Outcome::Done)
            }
            Ok(Request::Fault { fault, millis }) => match turn.try_lock() {
                Ok(_turn) => {
                    let say = |line: String| drop(voice.send(Answer::Said(line)));
                    faults::run(fault, Duration::from_millis(millis), stage, &say, &over).await
                }
                Err(_) => Outcome::Refused("another fault runs; try again when it is over".to_owned()),
            },
            Err(sentence) => Outcome::Refused(sentence),
        };
        let (last_word, result) = match outcome {
            Outcome::Done => (Answer::Done, Ok(())),
            Outcome::Refused(sentence) => (Answer::Refused(sentence), Ok(())),
            Outcome::Fatal(error) => (Answer::Refused(error.to_string()), Err(error)),
        };
        drop(voice.send(last_word));
        // The last sender: nothing more is told.
        drop(voice);
        result
    };
    let hang_up = async {
        // A client says one thing; whatever comes after it is that it has gone.
        let _ = reader.read_line(&mut String::new()).await;
        over.cancel();
        std::future::pending::<()>().await;
    };
    let tell = async {
        while let Some(word) = words.recv().await {
            if write(&mut writer, &word).await.is_err() {
                over.cancel();
            }
        }
    };
    let talk = async {
        let (answered, ()) = tokio::join!(answer, tell);
        answered
    };
    tokio::select! {
        answered = talk => answered,
        () = hang_up => Ok(()),
    }
}

async fn write(writer: &mut OwnedWriteHalf, word: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

fn key(stage: &Stage<'_>, minutes: u32, voice: &mpsc::UnboundedSender<Answer>) -> Result<(), String> {
    let demo = stage.demo()?;
    let minutes = demo.key(minutes)?;
    let say = |line: String| drop(voice.send(Answer::Said(line)));
    say("product_id\twindow_start\tunique_users".to_owned());
    for (window, counts) in minutes {
        let start = window.start_text();
        match counts {
            None => say(format!("-\t{start}\tunknown")),
            Some(counts) => counts.into_iter().for_each(|(product, count)| say(format!("{product}\t{start}\t{count}"))),
        }
    }
    Ok(())
}
