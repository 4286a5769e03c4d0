//! Counting files: a thread for each, a set for each open minute, and nothing between them but the finished counts.

use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dataflow::classify::{Classifier, Rules, Timing};
use dataflow::id::{IdPair, LongIds, ProductId};
use dataflow::unique_users::{Look, UniqueUsers};
use schemas::{EventView, FastDecoder, ResultRow, RowEncoder, Window};

use crate::Trouble;

/// As the job reads files.
const CHUNK_BYTES: usize = 256 << 10;

/// The counts of each minute, one part for each file.
type Counts = BTreeMap<Window, Vec<(ProductId, i64)>>;

/// How far the program goes: each step does those before it as well, so that the steps' costs are differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Step {
    /// Read the bytes.
    Read,
    /// Cut them into lines. The steps after this one need not: decoding an event in the common layout finds its end.
    Split,
    /// Validate each line and decode its event.
    Decode,
    /// Judge each event's time.
    Classify,
    /// Count its user.
    Count,
}

/// Counts the events of the files and writes the rows, unless it is to stop at an earlier step.
pub(crate) fn count(inputs: &[PathBuf], output: &Path, through: Step) -> Result<(), Trouble> {
    let of_files: Result<Vec<Counts>, Trouble> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            inputs.iter().map(|input| scope.spawn(move || FileCounter::new(through).count(input))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread has panicked")?).collect()
    });
    let mut counts = Counts::new();
    for (window, products) in of_files?.into_iter().flatten() {
        counts.entry(window).or_default().extend(products);
    }
    let mut rows = BufWriter::new(File::create(output)?);
    let (mut encoder, mut line) = (RowEncoder::default(), Vec::new());
    for (window, mut products) in counts {
        products.sort_unstable();
        for parts in products.chunk_by(|(product, _), (other, _)| product == other) {
            let users: i64 = parts.iter().map(|(_, users)| users).sum();
            let product_id = parts[0].0.text();
            line.clear();
            let row = ResultRow { product_id, window, unique_user_count: users.unsigned_abs(), revision: 0 };
            encoder.encode(&row, None, &mut line);
            line.push(b'\n');
            rows.write_all(&line)?;
        }
    }
    Ok(rows.flush()?)
}

struct FileCounter {
    through: Step,
    decoder: FastDecoder,
    classifier: Classifier,
    /// Where ids of more than 15 bytes stand until the window has them.
    long_ids: LongIds,
    windows: BTreeMap<Window, UniqueUsers>,
    /// One that has closed, for its room.
    spare: Option<UniqueUsers>,
    counts: Counts,
}

impl FileCounter {
    fn new(through: Step) -> Self {
        let rules = Rules {
            out_of_orderness: Duration::from_secs(10),
            max_future_skew: None,
            allowed_lateness: Duration::ZERO,
            event_types: Vec::new(),
        };
        FileCounter {
            through,
            decoder: FastDecoder::default(),
            classifier: Classifier::new(&rules),
            long_ids: LongIds::default(),
            windows: BTreeMap::new(),
            spare: None,
            counts: Counts::new(),
        }
    }

    fn count(mut self, input: &Path) -> Result<Counts, Trouble> {
        let mut file = File::open(input)?;
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut begun = 0;
        loop {
            if begun == buffer.len() {
                buffer.resize(begun * 2, 0);
            }
            let len = file.read(&mut buffer[begun..])?;
            if len == 0 {
                self.take_line(&buffer[..begun]);
                break;
            }
            if self.through == Step::Read {
                continue;
            }
            let left = self.take_lines(&buffer[..begun + len]).len();
            buffer.copy_within(begun + len - left..begun + len, 0);
            begun = left;
            self.close();
        }
        std::mem::take(&mut self.windows).into_iter().for_each(|(window, users)| self.keep(window, &users));
        Ok(self.counts)
    }

    /// Takes all whole lines; returns what is left.
    fn take_lines<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        loop {
            if self.through >= Step::Decode
                && let Some((event, end)) = self.decoder.decode_line(bytes)
            {
                self.take(&event);
                bytes = &bytes[end + 1..];
            } else if let Some(end) = memchr::memchr(b'\n', bytes) {
                self.take_line(&bytes[..end]);
                bytes = &bytes[end + 1..];
            } else {
                return bytes;
            }
        }
    }

    fn take_line(&mut self, line: &[u8]) {
        if self.through < Step::Decode {
            black_box(line);
        } else if let Ok(event) = schemas::decode_general(line) {
            self.take(&event.view());
        }
    }

    fn take(&mut self, event: &EventView<'_>) {
        if self.through < Step::Classify {
            black_box(event);
            return;
        }
        let timing = self.classifier.judge(event, None);
        if self.through < Step::Count {
            black_box(timing);
        } else if let Timing::OnTime { window, .. } = timing {
            let look = Look::new(&IdPair::new(event.user_id, event.product_id), window, &mut self.long_ids);
            let users = self.windows.entry(window).or_insert_with(|| self.spare.take().unwrap_or_default());
            users.insert(&look, &self.long_ids);
        }
    }

    /// Turns the sets of those minutes that are complete into counts.
    fn close(&mut self) {
        self.long_ids = LongIds::default();
        while let Some(first) = self.windows.first_entry()
            && self.classifier.complete_through().closes(*first.key())
        {
            let (window, mut users) = first.remove_entry();
            self.keep(window, &users);
            users.clear();
            self.spare = Some(users);
        }
    }

    fn keep(&mut self, window: Window, users: &UniqueUsers) {
        self.counts.entry(window).or_default().extend(users.counts());
    }
}
