//! Texts that people write.

/// A text without the difference of small and capital letters. Through capitals, as some small letters share one: `ß` is
/// found by `SS`.
#[must_use]
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}
