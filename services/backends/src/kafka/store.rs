//! The store under the engine: a log-structured tree of local files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use slatedb::Db;
use slatedb::Settings;
use slatedb::config::{GarbageCollectorDirectoryOptions, GarbageCollectorOptions};
use slatedb::object_store::local::LocalFileSystem;

use super::failed;
use crate::Error;

/// How long writes are gathered until they go to a file, and are acknowledged. Its own default is made for stores that are
/// far away.
const FLUSH_INTERVAL: Duration = Duration::from_millis(5);
/// How often files that are of no use any more are removed.
const COLLECT_INTERVAL: Duration = Duration::from_secs(60);
/// How old those of the write-ahead log are then at least; the others may still be read.
const LOG_MIN_AGE: Duration = Duration::from_secs(60);
const OTHERS_MIN_AGE: Duration = Duration::from_secs(10 * 60);

/// Opens the store in a folder that is there.
pub(super) async fn open(folder: &Path) -> Result<Arc<Db>, Error> {
    let doing = || failed(format!("open {}", folder.display()));
    let files = LocalFileSystem::new_with_prefix(folder).map_err(|error| doing()(&error))?;
    let collect = |min_age| Some(GarbageCollectorDirectoryOptions { interval: Some(COLLECT_INTERVAL), min_age });
    let settings = Settings {
        flush_interval: Some(FLUSH_INTERVAL),
        garbage_collector_options: Some(GarbageCollectorOptions {
            wal_options: collect(LOG_MIN_AGE),
            manifest_options: collect(OTHERS_MIN_AGE),
            compacted_options: collect(OTHERS_MIN_AGE),
            compactions_options: collect(OTHERS_MIN_AGE),
        }),
        ..Settings::default()
    };
    let opened = Db::builder("topics", Arc::new(files)).with_settings(settings).build().await;
    opened.map(Arc::new).map_err(|error| doing()(&error))
}
