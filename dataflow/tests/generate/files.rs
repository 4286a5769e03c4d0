//! Where records are written.

use dataflow::error::Error;
use dataflow::generate::{Answers, Compression, LocalDestination, Shape};
use std::error::Error as StdError;
use std::fs;
use std::io::Read;
use std::path::Path;

use crate::fixture::{Memory, TestResult, colourful, generate, run_to_end};

fn read(path: &Path) -> Result<Vec<u8>, Box<dyn StdError>> {
    let file = fs::File::open(path)?;
    let mut bytes = Vec::new();
    match Compression::of_path(path) {
        Compression::None => { file }.read_to_end(&mut bytes)?,
        Compression::Gzip => flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)?,
        Compression::Zstd => zstd::Decoder::new(file)?.read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

#[test]
fn files_hold_a_line_for_each_record() -> TestResult {
    let folder = tempfile::tempdir()?;
    let shape = Shape { partitions: 1, ..colourful(5_000) };
    let expected: Vec<u8> =
        generate(&shape).into_iter().flat_map(|record| [record.value, b"\n".into()].concat()).collect();
    for name in ["events.ndjson", "events.ndjson.gz", "events.ndjson.zst"] {
        let path = folder.path().join(name);
        run_to_end(&shape, LocalDestination::File(path.clone()).open(1)?, None)?;
        assert!(read(&path)? == expected, "{name}");
    }
    Ok(())
}

#[test]
fn directories_hold_a_file_for_each_partition() -> TestResult {
    let folder = tempfile::tempdir()?;
    let shape = colourful(5_000);
    for (compression, suffix) in [(Compression::None, ""), (Compression::Gzip, ".gz"), (Compression::Zstd, ".zst")] {
        let directory = folder.path().join(format!("events{suffix}"));
        // A second run replaces the files of the first.
        for _ in 0..2 {
            run_to_end(&shape, LocalDestination::Directory(directory.clone(), compression).open(4)?, None)?;
        }
        let records = generate(&shape);
        for partition in 0..4 {
            let own = records.iter().filter(|record| record.partition == partition);
            let expected: Vec<u8> = own.flat_map(|record| [&record.value[..], b"\n"].concat()).collect();
            let path = directory.join(format!("part-{partition:05}.ndjson{suffix}"));
            assert!(read(&path)? == expected, "{}", path.display());
        }
        assert_eq!(fs::read_dir(&directory)?.count(), 4);
    }
    Ok(())
}

#[test]
fn a_directory_with_other_files_is_refused_untouched() -> TestResult {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("part-00004.ndjson"), "{}\n")?;
    let destination = LocalDestination::Directory(folder.path().into(), Compression::None);
    let error = destination.open(4).err().expect("it is refused");
    assert!(matches!(&error, Error::Usage(sentence) if sentence.contains("part-00004.ndjson")), "{error}");
    assert_eq!(fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[test]
fn what_cannot_be_written_is_named() -> TestResult {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("missing/events.ndjson");
    let error = LocalDestination::File(path.clone()).open(1).err().expect("there is no such folder");
    assert!(error.to_string().starts_with(&format!("cannot write {}: ", path.display())), "{error}");
    if cfg!(target_os = "linux") {
        let full = LocalDestination::File("/dev/full".into()).open(1)?;
        let error = run_to_end(&colourful(5_000), full, None).expect_err("the device is full");
        assert_eq!(error, Error::Io("cannot write /dev/full: No space left on device (os error 28)".into()));
        let answers = Answers::create(&colourful(10), Some(Path::new("/dev/full")), None)?;
        let error = run_to_end(&colourful(10), Box::new(Memory::default()), Some(answers));
        assert_eq!(error, Err(Error::Io("cannot write /dev/full: No space left on device (os error 28)".into())));
    }
    Ok(())
}
