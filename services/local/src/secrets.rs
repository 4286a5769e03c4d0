//! The secrets of one platform. Those that something kept depends on are kept as well.

use backends::secret;
use service_kit::Error;

use crate::args::Args;
use crate::folder::Folder;

/// Every secret that is needed.
#[derive(Clone)]
pub(crate) struct Secrets {
    /// Of a session with the role admin.
    pub(crate) admin_token: String,
    /// Of the session of the import of products, with the role service.
    pub(crate) import_token: String,
    /// With which events may be sent.
    pub(crate) write_key: String,
    /// Of the fingerprints of requests with an idempotency key.
    pub(crate) idempotency: String,
    /// Of internal tokens, by their receiver.
    pub(crate) catalog: String,
    pub(crate) customers: String,
    pub(crate) orders: String,
    pub(crate) activity: String,
}

impl Secrets {
    pub(crate) fn of(args: &Args, folder: &Folder) -> Result<Self, Error> {
        let failed = |error: backends::Error| Error::Failed(error.to_string());
        let kept = |name: &str| secret::kept_in(&folder.join(name)).map_err(failed);
        Ok(Secrets {
            admin_token: match &args.admin_token {
                Some(token) => token.clone(),
                None => kept("admin.token")?,
            },
            import_token: secret::random().map_err(failed)?,
            write_key: match &args.write_key {
                Some(key) => key.clone(),
                None => kept("events.key")?,
            },
            idempotency: kept("idempotency.secret")?,
            catalog: secret::random().map_err(failed)?,
            customers: secret::random().map_err(failed)?,
            orders: secret::random().map_err(failed)?,
            activity: secret::random().map_err(failed)?,
        })
    }

    /// One of the keys with which events may be sent: the variable may hold several.
    pub(crate) fn a_write_key(&self) -> &str {
        self.write_key.split(',').next().unwrap_or_default().trim()
    }
}
