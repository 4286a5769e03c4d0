//! What comes out of a process's pipe, as it comes.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Reads a pipe to its end in a thread of its own, so that the process never waits for a reader.
pub(crate) struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Captured {
    pub(crate) fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let shared = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 8192];
            while let Ok(len @ 1..) = pipe.read(&mut chunk) {
                shared.lock().expect("no thread panics").extend_from_slice(&chunk[..len]);
            }
        });
        Captured { bytes, reader }
    }

    /// What has come so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no thread panics")).into_owned()
    }

    /// All of it, once the pipe is closed.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.reader.join().expect("the reader ends");
        std::mem::take(&mut self.bytes.lock().expect("no thread panics"))
    }
}
