//! Compressed input: known by a file's name, or by how a stream begins.

use std::io::{self, Chain, Cursor, Read};
use std::path::Path;

use crate::error::Error;

/// A stream of bytes, decompressed where it has to be.
pub(super) type Stream = Box<dyn Read + Send>;

/// RFC 1952, section 2.3.1.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
/// RFC 8878, section 3.1.1.
const ZSTANDARD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstandard,
}

/// Decompresses a file: `.gz` and `.zst` say what it must be, any other name lets its first bytes decide.
pub(super) fn decompressed_file(path: &Path, file: Stream) -> io::Result<Stream> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => decode(Compression::Gzip, file),
        Some("zst") => decode(Compression::Zstandard, file),
        _ => decompressed(file),
    }
}

/// Decompresses a stream if its first bytes say that it is compressed: no event begins like that.
pub(super) fn decompressed(mut stream: Stream) -> io::Result<Stream> {
    let mut start = Vec::new();
    stream.by_ref().take(ZSTANDARD_MAGIC.len() as u64).read_to_end(&mut start)?;
    let compression = match &start[..] {
        start if start.starts_with(&GZIP_MAGIC) => Compression::Gzip,
        start if start.starts_with(&ZSTANDARD_MAGIC) => Compression::Zstandard,
        _ => Compression::None,
    };
    let whole: Chain<Cursor<Vec<u8>>, Stream> = Cursor::new(start).chain(stream);
    decode(compression, Box::new(whole))
}

fn decode(compression: Compression, stream: Stream) -> io::Result<Stream> {
    Ok(match compression {
        Compression::None => stream,
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(stream)),
        Compression::Zstandard => Box::new(zstd::Decoder::new(stream)?),
    })
}

/// The sentence for a stream that cannot be read on.
pub(super) fn read_error(name: &str, error: &io::Error) -> Error {
    // An operating system's error has a number; the others come from a decompressor.
    if error.raw_os_error().is_some() {
        Error::Io(format!("cannot read {name}: {error}"))
    } else {
        Error::BadData(format!("cannot decompress {name}: {error}; it is damaged or cut off"))
    }
}
