//! Panics of the runtime's threads that follow from another panic, and are not worth a word.

use std::sync::Once;

/// What a thread of the runtime says when another, which it exchanged messages with, has panicked.
const CONSEQUENCES: [&str; 2] = ["MergeQueue poisoned", "timely communication error:"];

/// From now on, only panics that are not a consequence of another one are reported.
pub(super) fn hush_consequences() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let says = |what: &&str| panic.payload_as_str().is_some_and(|text| text.starts_with(*what));
            if !CONSEQUENCES.iter().any(says) {
                report(panic);
            }
        }));
    });
}
