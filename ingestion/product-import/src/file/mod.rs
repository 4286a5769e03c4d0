//! A CSV file, read as it comes: its [encoding](Encoding), its [dialect], its [columns](header), then
//! record by [record](records), never the whole of it.

pub(crate) mod dialect;
mod encoding;
pub(crate) mod header;
pub(crate) mod records;

use bytes::Bytes;
use schemas::{FieldCode, Reason};

use self::dialect::Dialect;
use self::encoding::Decoder;
use self::header::Columns;
use self::records::{Record, Splitter, Step};
use crate::Error;

pub use self::encoding::Encoding;
pub use self::records::MAX_RECORD_BYTES;

/// Within how many bytes of text the header ends.
const HEAD_BYTES: usize = 64 * 1024;
/// How many bytes of the file have that much text, whatever the encoding.
const HEAD_FILE_BYTES: usize = 2 * HEAD_BYTES + 4;

/// Where a file's bytes come from.
pub trait Chunks: Send {
    /// The next bytes; `None` at the end. May be dropped before it is done: nothing is lost by that.
    ///
    /// # Errors
    /// Where they cannot be read.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Error>> + Send;
}

/// Why a file is not imported, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Refusal {
    /// For programs.
    pub code: FieldCode,
    /// For people: what it is, and what helps.
    pub detail: String,
    /// The physical line it is about.
    pub line: Option<u64>,
}

/// How a file is laid out.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) encoding: Encoding,
    pub(crate) dialect: Dialect,
    pub(crate) columns: Columns,
}

/// A file, from its first row on.
pub(crate) struct CsvFile<C> {
    chunks: C,
    decoder: Decoder,
    splitter: Splitter,
    /// Text that is not read yet, from `at` on.
    text: Vec<u8>,
    at: usize,
    has_ended: bool,
}

impl<C: Chunks> CsvFile<C> {
    /// Reads the file's head.
    ///
    /// # Errors
    /// The outer one where it cannot be read, the inner one where it is no file of products.
    pub(crate) async fn open(mut chunks: C) -> Result<Result<(Self, Layout), Refusal>, Error> {
        let mut head = Vec::new();
        let mut has_ended = false;
        while head.len() < HEAD_FILE_BYTES && !has_ended {
            match chunks.next().await? {
                Some(bytes) => head.extend_from_slice(&bytes),
                None => has_ended = true,
            }
        }
        let (encoding, mark) = Encoding::of(&head);
        let (mut decoder, mut text) = (encoding.decoder(), Vec::new());
        decoder.decode(&head[mark..], has_ended, &mut text);
        // Always the same part, however the bytes come.
        let dialect = Dialect::of(&text[..text.len().min(HEAD_BYTES)], has_ended && text.len() <= HEAD_BYTES);
        let splitter = Splitter::new(dialect.delimiter, dialect.first_line());
        let mut file = CsvFile { chunks, decoder, splitter, text, at: dialect.named_bytes, has_ended };
        let columns = match file.next().await? {
            Step::Record(header) => Columns::read(header),
            Step::TooLong(line) => Err(too_long(line)),
            Step::More | Step::End => {
                let detail = "the file is empty; name the columns in its first line".to_owned();
                Err(Refusal { code: FieldCode::EmptyFile, detail, line: None })
            }
        };
        Ok(columns.map(|columns| (file, Layout { encoding, dialect, columns })))
    }

    /// The next record: never [`Step::More`]. May be dropped before it is done.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Step, Error> {
        loop {
            if self.at < self.text.len() || self.has_ended {
                let (step, read) = self.splitter.step(&self.text[self.at..]);
                self.at += read;
                if step != Step::More {
                    return Ok(step);
                }
                continue;
            }
            let chunk = self.chunks.next().await?;
            self.text.clear();
            self.at = 0;
            self.has_ended = chunk.is_none();
            self.decoder.decode(&chunk.unwrap_or_default(), self.has_ended, &mut self.text);
        }
    }
}

/// The record on this line is longer than any may be.
pub(crate) fn too_long(line: u64) -> Refusal {
    let detail = format!(
        "the record on line {line} is longer than {MAX_RECORD_BYTES} bytes, and nothing after it was read; is a quote not closed?"
    );
    Refusal { code: FieldCode::Event(Reason::TooLarge), detail, line: Some(line) }
}

impl Record {
    /// What is wrong with a record, whatever its values are: its code and what helps.
    pub(crate) fn fault(&self, columns: &Columns) -> Option<(FieldCode, String)> {
        if self.is_open {
            let detail = "a quote is opened here and never closed; everything up to the file's end is in one cell";
            return Some((FieldCode::UnclosedQuote, detail.to_owned()));
        }
        if let Some(place) = self.cells.iter().position(|cell| std::str::from_utf8(cell).is_err()) {
            let detail = format!("cell {} has bytes that are no characters; save the file as CSV UTF-8", place + 1);
            return Some((FieldCode::Event(Reason::NotUtf8), detail));
        }
        let (cells, names) = (self.cells.len(), columns.header.len());
        let detail =
            || format!("the row has {cells} cells, the header {names}; put cells with the delimiter in quotes");
        (cells != names).then(|| (FieldCode::WrongColumnCount, detail()))
    }
}

#[cfg(test)]
mod tests;
