//! From a file's bytes to UTF-8.

use encoding_rs::{DecoderResult, UTF_16BE, UTF_16LE};
use serde::Serialize;

/// Stands where the file has no character: no UTF-8 has this byte, so the cell is told as `not_utf8`.
const NO_CHARACTER: u8 = 0xff;

/// How a file's characters are written. A byte order mark decides; without one it is UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Encoding {
    /// UTF-8 without a mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-8 with a mark, as Excel's "CSV UTF-8".
    #[serde(rename = "utf-8-bom")]
    Utf8WithMark,
    /// UTF-16, the low byte first, as Excel's "Unicode text".
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, the high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

impl Encoding {
    /// The encoding of a file that begins so, and how many bytes its mark has.
    pub(crate) fn of(head: &[u8]) -> (Self, usize) {
        match head {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8WithMark, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
            _ => (Encoding::Utf8, 0),
        }
    }

    /// Whether the file has a mark: then the program that wrote it also looks for one.
    pub(crate) const fn has_mark(self) -> bool {
        !matches!(self, Encoding::Utf8)
    }

    pub(crate) fn decoder(self) -> Decoder {
        Decoder(match self {
            Encoding::Utf8 | Encoding::Utf8WithMark => None,
            Encoding::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
        })
    }
}

/// Decodes piece by piece. UTF-8 goes through as it is, faults included: each row is judged by itself.
pub(crate) struct Decoder(Option<encoding_rs::Decoder>);

impl Decoder {
    /// Adds what these bytes say to `text`; `is_last` where no more follow.
    pub(crate) fn decode(&mut self, mut bytes: &[u8], is_last: bool, text: &mut Vec<u8>) {
        let Some(decoder) = &mut self.0 else {
            text.extend_from_slice(bytes);
            return;
        };
        loop {
            let written = text.len();
            // Not known only where no memory could hold it; then it goes piece by piece.
            let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(4_096);
            text.resize(written + most, 0);
            let (result, read, added) =
                decoder.decode_to_utf8_without_replacement(bytes, &mut text[written..], is_last);
            text.truncate(written + added);
            bytes = &bytes[read..];
            match result {
                DecoderResult::InputEmpty => return,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => text.push(NO_CHARACTER),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], piece: usize) -> Vec<u8> {
        let (encoding, mark) = Encoding::of(bytes);
        let (mut decoder, mut text) = (encoding.decoder(), Vec::new());
        for bytes in bytes[mark..].chunks(piece) {
            decoder.decode(bytes, false, &mut text);
        }
        decoder.decode(&[], true, &mut text);
        text
    }

    #[test]
    fn utf_16_of_both_kinds_is_read_wherever_it_is_cut() {
        let text = "\u{feff}Käse 🧀\r\n";
        let low_first: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let high_first: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for piece in 1..low_first.len() {
            assert_eq!(decoded(&low_first, piece), "Käse 🧀\r\n".as_bytes(), "{piece}");
            assert_eq!(decoded(&high_first, piece), "Käse 🧀\r\n".as_bytes(), "{piece}");
        }
    }

    #[test]
    fn half_a_character_is_marked_and_what_follows_is_read() {
        let units = [0xfeff, 0x0061, 0xd83e, 0x0062];
        let bytes: Vec<u8> = units.into_iter().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(&bytes, 3), b"a\xffb");
        // One byte is left over.
        assert_eq!(decoded(b"\xff\xfea\0b", 2), b"a\xff");
    }

    #[test]
    fn utf_8_goes_through_with_its_faults() {
        assert_eq!(decoded(b"\xef\xbb\xbfa\xffb", 2), b"a\xffb");
        assert_eq!(decoded(b"", 1), b"");
    }
}
