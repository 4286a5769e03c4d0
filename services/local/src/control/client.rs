//! The other end of the socket: a command that asks a platform which runs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use service_kit::Error;

use super::protocol::{Answer, Request};
use super::{SOCKET, running};

/// How long the platform may say nothing: less than this passes between the words of a fault.
const SILENCE: Duration = Duration::from_secs(120);

/// Asks the platform in a folder, or the only one that runs, and hands on what it says.
///
/// # Errors
/// Where none runs, or several do, or it refuses; with what to do.
pub(crate) fn ask(data: Option<&Path>, request: &Request, mut show: impl FnMut(&str)) -> Result<(), Error> {
    let (folder, mut stream) = connect(data, &running::notes_folder())?;
    let place = folder.display();
    let lost = |error: std::io::Error| Error::Failed(format!("the footfall in {place} does not answer: {error}"));
    stream.set_read_timeout(Some(SILENCE)).map_err(lost)?;
    let mut line = serde_json::to_vec(request).map_err(|error| lost(error.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(lost)?;
    for line in BufReader::new(stream).lines() {
        let answer = serde_json::from_str(&line.map_err(lost)?).map_err(|error| lost(error.into()))?;
        match answer {
            Answer::Said(text) => show(&text),
            Answer::Done => return Ok(()),
            Answer::Refused(sentence) => return Err(Error::Failed(sentence)),
        }
    }
    Err(Error::Failed(format!("the footfall in {place} ended before it was done")))
}

fn connect(data: Option<&Path>, notes: &Path) -> Result<(PathBuf, UnixStream), Error> {
    if let Some(folder) = data {
        let stream = UnixStream::connect(folder.join(SOCKET)).map_err(|error| {
            let place = folder.display();
            Error::Failed(format!("no footfall runs in {place}: {error}; start one with `footfall --data {place}`"))
        })?;
        return Ok((folder.to_owned(), stream));
    }
    let answers = |folder: PathBuf| UnixStream::connect(folder.join(SOCKET)).ok().map(|stream| (folder, stream));
    let mut running: Vec<_> = running::noted(notes).into_iter().filter_map(answers).collect();
    match (running.pop(), running.len()) {
        (Some(only), 0) => Ok(only),
        (Some(last), more) => {
            let folders = running.iter().chain([&last]).map(|(folder, _)| folder.display().to_string());
            let folders = folders.collect::<Vec<_>>().join(", ");
            Err(Error::Usage(format!("{} footfalls run, in {folders}; choose one with --data", more + 1)))
        }
        (None, _) => {
            Err(Error::Failed("no footfall runs; start one with `footfall`, or name its folder with --data".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::super::running::Note;
    use super::*;

    #[test]
    fn the_only_one_that_answers_is_asked_and_otherwise_the_sentence_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join("notes");
        let found = || connect(None, &notes).map(|(folder, _)| folder).map_err(|error| error.to_string());
        let nobody = "no footfall runs; start one with `footfall`, or name its folder with --data";
        assert_eq!(found(), Err(nobody.to_owned()));

        let one = folder.path().join("one");
        std::fs::create_dir(&one).unwrap();
        let note = Note::leave(&notes, &one).unwrap();
        // It was killed: its socket stayed, and nobody listens.
        drop(UnixListener::bind(one.join(SOCKET)).unwrap());
        assert_eq!(found(), Err(nobody.to_owned()));
        std::fs::remove_file(one.join(SOCKET)).unwrap();
        let _listener = UnixListener::bind(one.join(SOCKET)).unwrap();
        assert_eq!(found(), Ok(one.clone()));

        // Another process of the same user.
        let two = folder.path().join("two");
        std::fs::create_dir(&two).unwrap();
        std::fs::write(notes.join("1"), two.to_str().unwrap()).unwrap();
        let _other = UnixListener::bind(two.join(SOCKET)).unwrap();
        let both = format!("2 footfalls run, in {}, {}; choose one with --data", one.display(), two.display());
        assert_eq!(found(), Err(both));
        assert_eq!(connect(Some(&two), &notes).unwrap().0, two);
        drop(note);
    }
}
