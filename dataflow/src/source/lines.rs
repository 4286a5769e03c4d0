//! Splits bytes into lines, whatever the sizes of the pieces in which they come.

use schemas::{EventView, FastDecoder, MAX_RECORD_BYTES};
use sha2::{Digest, Sha256};

use super::{Record, Value};
use crate::record::{Cut, Offset};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The state between two pieces of a file: a line that has begun.
///
/// Lines end with LF or CRLF, the last one also with the file. Blank lines (spaces, tabs, CR) are counted but are no
/// records. Of a line that is too large only the beginning is kept, and a digest: memory stays bounded.
#[derive(Debug, Default)]
pub struct LineSplitter {
    lines_seen: u64,
    has_begun: bool,
    begun: Vec<u8>,
    oversized: Option<Oversized>,
    decoder: FastDecoder,
}

#[derive(Debug)]
struct Oversized {
    kept: Vec<u8>,
    length: u64,
    digest: Sha256,
    /// A CR was last: it belongs to the line only if something other than LF follows.
    pending_cr: bool,
    /// Nothing but spaces, tabs and CR so far: a blank line is no record, however long, and in whatever pieces it
    /// comes.
    is_blank: bool,
}

impl LineSplitter {
    /// How many bytes of a line that has begun are held; the next piece is expected behind a copy of them.
    #[must_use]
    pub fn begun(&self) -> &[u8] {
        &self.begun
    }

    /// Takes the next piece of the file. `buffer` begins with what [`begun`](Self::begun) holds.
    pub fn split(&mut self, buffer: &[u8], receive: &mut impl FnMut(Record<'_>)) {
        let mut rest = buffer;
        if !self.has_begun {
            // A shorter file than a byte order mark is no byte order mark.
            if rest.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(rest) {
                self.begun = rest.to_vec();
                return;
            }
            self.has_begun = true;
            rest = rest.strip_prefix(BYTE_ORDER_MARK).unwrap_or(rest);
        }
        if self.oversized.is_some() {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.grow_oversized(rest);
                return;
            };
            self.grow_oversized(&rest[..end]);
            self.emit_oversized(receive);
            rest = &rest[end + 1..];
        }
        loop {
            // Nearly all lines are events in the common layout: decoding one finds its end, too.
            if let Some((event, end)) = self.decoder.decode_line(rest) {
                self.lines_seen += 1;
                receive(self.record(Value::Whole(&rest[..end]), Some(&event)));
                rest = &rest[end + 1..];
            } else if let Some(end) = memchr::memchr(b'\n', rest) {
                self.emit(&rest[..end], receive);
                rest = &rest[end + 1..];
            } else {
                break;
            }
        }
        self.begun.clear();
        // One byte more than a record may have: it may be the CR of the line's end.
        if rest.len() > MAX_RECORD_BYTES + 1 {
            self.oversized = Some(Oversized {
                kept: Vec::new(),
                length: 0,
                digest: Sha256::new(),
                pending_cr: false,
                is_blank: true,
            });
            self.grow_oversized(rest);
        } else {
            self.begun.extend_from_slice(rest);
        }
    }

    /// The file has ended: its last line may lack an end.
    pub fn finish(&mut self, receive: &mut impl FnMut(Record<'_>)) {
        if self.oversized.is_some() {
            self.emit_oversized(receive);
        } else if !self.begun.is_empty() {
            let last = std::mem::take(&mut self.begun);
            self.emit(&last, receive);
        }
    }

    fn emit(&mut self, line: &[u8], receive: &mut impl FnMut(Record<'_>)) {
        self.lines_seen += 1;
        let record = line.strip_suffix(b"\r").unwrap_or(line);
        if is_blank(record) {
            return;
        }
        if record.len() > MAX_RECORD_BYTES {
            let cut = Cut { length: record.len() as u64, sha256: Sha256::digest(record).into() };
            let value = Value::Cut(&record[..MAX_RECORD_BYTES], cut);
            receive(self.record(value, None));
        } else {
            receive(self.record(Value::Whole(record), None));
        }
    }

    /// The line that was seen last.
    const fn record<'a>(&self, value: Value<'a>, event: Option<&'a EventView<'a>>) -> Record<'a> {
        Record { offset: Offset(self.lines_seen), value, event, time_millis: None, message: None }
    }

    fn grow_oversized(&mut self, piece: &[u8]) {
        let Some(line) = &mut self.oversized else { return };
        let Some((&last, _)) = piece.split_last() else { return };
        if line.pending_cr {
            line.append(b"\r");
        }
        line.pending_cr = last == b'\r';
        line.append(if line.pending_cr { &piece[..piece.len() - 1] } else { piece });
    }

    fn emit_oversized(&mut self, receive: &mut impl FnMut(Record<'_>)) {
        let Some(line) = self.oversized.take() else { return };
        self.lines_seen += 1;
        if line.is_blank {
            return;
        }
        let cut = Cut { length: line.length, sha256: line.digest.finalize().into() };
        let value = Value::Cut(&line.kept, cut);
        receive(self.record(value, None));
    }
}

impl Oversized {
    fn append(&mut self, bytes: &[u8]) {
        let room = MAX_RECORD_BYTES - self.kept.len();
        self.kept.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.length += bytes.len() as u64;
        self.digest.update(bytes);
        self.is_blank = self.is_blank && is_blank(bytes);
    }
}

fn is_blank(line: &[u8]) -> bool {
    // Nearly every line begins with a brace.
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a splitter made of a file, in short: line number, length, and how it begins.
    type Seen = Vec<(u64, u64, Vec<u8>)>;

    fn split_in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
        let mut lines = LineSplitter::default();
        let mut seen = Vec::new();
        let mut receive = |record: Record<'_>| match record.value {
            Value::Whole(bytes) => seen.push((record.offset.0, bytes.len() as u64, bytes.to_vec())),
            Value::Cut(kept, cut) => seen.push((record.offset.0, cut.length, kept.to_vec())),
            Value::Null => unreachable!("files have no nulls"),
        };
        for piece in pieces {
            let buffer = [lines.begun(), piece].concat();
            lines.split(&buffer, &mut receive);
        }
        lines.finish(&mut receive);
        seen
    }

    /// The rules, on a whole file at once.
    fn naive(file: &[u8]) -> Seen {
        let file = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
        let mut lines: Vec<&[u8]> = file.split(|&byte| byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        let records = (1..).zip(lines).map(|(number, line)| (number, line.strip_suffix(b"\r").unwrap_or(line)));
        records
            .filter(|(_, record)| !is_blank(record))
            .map(|(number, record)| {
                (number, record.len() as u64, record[..record.len().min(MAX_RECORD_BYTES)].to_vec())
            })
            .collect()
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let filler = prop_oneof![Just(b'x'), Just(b' '), Just(b'\r'), Just(0xEF_u8)];
        prop_oneof![
            6 => prop::collection::vec(prop_oneof![Just(b'{'), Just(b'\r'), Just(b' '), Just(b'\t'), Just(0xBB)], 0..6),
            1 => (filler, MAX_RECORD_BYTES - 3..MAX_RECORD_BYTES + 4).prop_map(|(byte, len)| vec![byte; len]),
        ]
    }

    fn file() -> impl Strategy<Value = Vec<u8>> {
        let start = prop_oneof![Just(Vec::new()), Just(BYTE_ORDER_MARK.to_vec()), Just(b"\xEF\xBB".to_vec())];
        let end = prop_oneof![Just(&b"\n"[..]), Just(&b"\r\n"[..])];
        let lines = prop::collection::vec((line(), end).prop_map(|(line, end)| [&line[..], end].concat()), 0..6);
        (start, lines, line()).prop_map(|(start, lines, last)| [start, lines.concat(), last].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn the_pieces_in_which_a_file_comes_do_not_matter(file in file(), sizes in prop::collection::vec(1..70_000_usize, 1..8)) {
            let mut rest = &file[..];
            let pieces = sizes.iter().cycle().map_while(|&size| {
                let (piece, behind) = rest.split_at_checked(size).unwrap_or((rest, &[]));
                rest = behind;
                (!piece.is_empty()).then_some(piece)
            });
            prop_assert_eq!(split_in_pieces(pieces), naive(&file));
        }
    }

    #[test]
    fn a_file_may_come_byte_by_byte() {
        let file = b"\xEF\xBB\xBF{\"a\":1}\r\n\r\n \n{}\n\rx\r";
        assert_eq!(split_in_pieces(file.chunks(1)), naive(file));
    }
}
