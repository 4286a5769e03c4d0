//! Which windows are open in this process, whatever the number of workers that hold a part of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use schemas::Window;

/// The register of open windows.
///
/// Every worker opens a window before the frontier passes it and closes it after, so the first worker that closes a
/// window knows that no other opens it again.
#[derive(Debug, Default)]
pub struct Windows {
    open: Mutex<BTreeSet<Window>>,
    closed: AtomicU64,
    most_open: AtomicU64,
}

impl Windows {
    /// A worker has the first event of `window`.
    pub fn open(&self, window: Window) {
        let mut open = self.lock();
        open.insert(window);
        self.most_open.fetch_max(open.len() as u64, Ordering::Relaxed);
    }

    /// A worker has emitted its share of `window`.
    pub fn close(&self, window: Window) {
        if self.lock().remove(&window) {
            self.closed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many windows are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.lock().len()
    }

    /// How many windows have been closed.
    #[must_use]
    pub fn closed_count(&self) -> u64 {
        self.closed.load(Ordering::Relaxed)
    }

    /// How many windows were open at once, at the most.
    #[must_use]
    pub fn most_open(&self) -> u64 {
        self.most_open.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Window>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
