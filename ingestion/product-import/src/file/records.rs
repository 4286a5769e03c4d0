//! From text to records: cells, and the physical line on which each record starts.
//!
//! [`csv_core`] parses (RFC 4180, any line ends, quotes inside cells as they come). What it does not tell is counted here:
//! lines, blank ones and those within quotes included, and bytes, so that no record is read that does not fit.

use csv::ByteRecord;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// The longest record, in bytes as they stand in the file: as long as the longest body that the gateway takes.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// What the buffers begin with.
const FIRST_BYTES: usize = 1024;
const FIRST_CELLS: usize = 16;

/// A record of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The physical line on which it starts; the file's first is 1.
    pub(crate) line: u64,
    /// Its cells as UTF-8, or as near as the file comes to it.
    pub(crate) cells: ByteRecord,
    /// Whether the file ends within quotes.
    pub(crate) is_open: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record.
    Record(Record),
    /// Nothing, before there is more text.
    More,
    /// A record that is too long, which starts on this line. Nothing after it can be read.
    TooLong(u64),
    /// Nothing any more.
    End,
}

/// Cuts text into records, piece by piece.
pub(crate) struct Splitter {
    parser: Reader,
    lines: Lines,
    /// What of the present record is there: the text of its cells, and where each ends.
    text: Vec<u8>,
    text_bytes: usize,
    ends: Vec<usize>,
    cells: usize,
}

impl Splitter {
    /// For cells that end with `delimiter`, in text that begins on this physical line.
    pub(crate) fn new(delimiter: u8, line: u64) -> Self {
        Splitter {
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            lines: Lines { line, after_cr: false, start: None, bytes: 0 },
            text: vec![0; FIRST_BYTES],
            text_bytes: 0,
            ends: vec![0; FIRST_CELLS],
            cells: 0,
        }
    }

    /// Reads on until there is something to tell; returns it, and how much of the text it has read. No text means that the
    /// file has ended.
    pub(crate) fn step(&mut self, text: &[u8]) -> (Step, usize) {
        if text.is_empty() && self.lines.start.is_some() {
            return (self.finish(), 0);
        }
        let (result, read) = self.parse(text);
        self.lines.pass(&text[..read]);
        let step = match result {
            _ if self.lines.bytes > MAX_RECORD_BYTES => Step::TooLong(self.lines.start_or_here()),
            ReadRecordResult::Record => Step::Record(self.take(false)),
            ReadRecordResult::End => Step::End,
            ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                Step::More
            }
        };
        (step, read)
    }

    /// The record in whose middle the file ends. A line end completes it, unless it is part of a cell: the parser does not
    /// tell in another way that a quote is open.
    fn finish(&mut self) -> Step {
        if let (ReadRecordResult::Record, _) = self.parse(b"\n") {
            return Step::Record(self.take(false));
        }
        self.parse(&[]);
        // The line end is ours.
        if let Some(end) = self.ends[..self.cells].last_mut() {
            *end -= 1;
        }
        Step::Record(self.take(true))
    }

    /// Adds text to the present record, up to its end; makes room where it is needed.
    fn parse(&mut self, text: &[u8]) -> (ReadRecordResult, usize) {
        let mut read = 0;
        loop {
            let (text_room, ends_room) = (&mut self.text[self.text_bytes..], &mut self.ends[self.cells..]);
            let (result, read_now, bytes, cells) = self.parser.read_record(&text[read..], text_room, ends_room);
            read += read_now;
            self.text_bytes += bytes;
            self.cells += cells;
            match result {
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                result => return (result, read),
            }
        }
    }

    fn take(&mut self, is_open: bool) -> Record {
        let mut cells = ByteRecord::with_capacity(self.text_bytes, self.cells);
        let mut start = 0;
        for end in &self.ends[..self.cells] {
            cells.push_field(&self.text[start..*end]);
            start = *end;
        }
        let line = self.lines.start_or_here();
        self.lines.start = None;
        self.lines.bytes = 0;
        (self.text_bytes, self.cells) = (0, 0);
        Record { line, cells, is_open }
    }
}

/// Counts physical lines, which end with CR LF, LF or CR, and the bytes of the present record.
struct Lines {
    /// The line that the next byte is on.
    line: u64,
    after_cr: bool,
    /// Where the present record starts, once it has a byte.
    start: Option<u64>,
    bytes: usize,
}

impl Lines {
    fn start_or_here(&self) -> u64 {
        self.start.unwrap_or(self.line)
    }

    fn pass(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.start.is_none() {
            // Blank lines, and the second half of the last record's line end.
            let blank = rest.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
            self.count(&rest[..blank]);
            rest = &rest[blank..];
            if rest.is_empty() {
                return;
            }
            self.start = Some(self.line);
        }
        self.bytes += rest.len();
        self.count(rest);
    }

    fn count(&mut self, bytes: &[u8]) {
        for at in memchr::memchr2_iter(b'\r', b'\n', bytes) {
            let is_second_half = bytes[at] == b'\n'
                && match at.checked_sub(1) {
                    Some(before) => bytes[before] == b'\r',
                    None => self.after_cr,
                };
            if !is_second_half {
                self.line += 1;
            }
        }
        if let Some(last) = bytes.last() {
            self.after_cr = *last == b'\r';
        }
    }
}

#[cfg(test)]
mod tests;
