//! The names of topics, tables, buckets, attributes and headers. Defaults: each can be set at run time.

/// Kafka topic of raw user activity; key = user id.
pub const RAW_EVENTS_TOPIC: &str = "ecom-raw-events";
/// Kafka topic of result rows; key = product id.
pub const RESULTS_TOPIC: &str = "ecom-analytics-results";
/// Kafka topic of records that came after their window was final.
pub const LATE_EVENTS_TOPIC: &str = "ecom-late-events";
/// Kafka topic of records that are no valid events.
pub const REJECTED_EVENTS_TOPIC: &str = "ecom-rejected-events";
/// Kafka topic of order events; key = order id.
pub const ORDERS_TOPIC: &str = "ecom-orders";

/// SQS FIFO queue of the same order events; group = order id, deduplication id = event id.
pub const ORDER_EVENTS_QUEUE: &str = "ecom-order-events.fifo";

/// DynamoDB table of result rows.
pub const ANALYTICS_TABLE: &str = "ecom-analytics";
/// Added to the analytics table's name: the table in which the job says how far it is.
pub const CONTROL_TABLE_SUFFIX: &str = "-control";

/// DynamoDB table of login sessions; `DYNAMODB_TABLE_PREFIX` goes before it.
pub const SESSIONS_TABLE: &str = "sessions";

/// S3 bucket into which product CSV files are uploaded.
pub const PRODUCT_IMPORTS_BUCKET: &str = "ecom-product-imports";
/// S3 bucket of product images.
pub const PRODUCT_IMAGES_BUCKET: &str = "ecom-product-images";
/// S3 bucket of order documents.
pub const ORDER_DOCUMENTS_BUCKET: &str = "ecom-order-documents";
/// S3 bucket of results as Parquet.
pub const ANALYTICS_RESULTS_BUCKET: &str = "ecom-analytics-results";

/// Attribute names of result rows in DynamoDB, JSON and Arrow.
pub mod attribute {
    /// Partition key: the product's id, a string.
    pub const PRODUCT_ID: &str = "product_id";
    /// Sort key: the window's start, `YYYY-MM-DDTHH:MM:SSZ`, a string.
    pub const WINDOW_START: &str = "window_start";
    /// The window's end, `YYYY-MM-DDTHH:MM:SSZ`, a string.
    pub const WINDOW_END: &str = "window_end";
    /// How many different users looked at the product in the window, a number.
    pub const UNIQUE_USER_COUNT: &str = "unique_user_count";
    /// 0 for the first final row of a key, then strictly increasing, a number.
    pub const REVISION: &str = "revision";
    /// Whether the window had closed when the row was written, a boolean.
    pub const FINAL: &str = "final";
    /// The epoch of the job that wrote the item, a number; 0 for a replay. DynamoDB only.
    pub const JOB_EPOCH: &str = "job_epoch";
}

/// Attribute names of the control item in DynamoDB, beside [`attribute::JOB_EPOCH`].
pub mod control {
    /// Partition key of the control table, a string; it has no sort key.
    pub const KEY: &str = "key";
    /// The only value of [`KEY`] so far.
    pub const JOB: &str = "job";
    /// Event time up to which the results are complete, `YYYY-MM-DDTHH:MM:SS.mmmZ`, a string; absent while not known.
    pub const WATERMARK: &str = "watermark";
    /// When the item was written, `YYYY-MM-DDTHH:MM:SS.mmmZ`, a string.
    pub const PROCESSED_AT: &str = "processed_at";
    /// The version of the item's form, a number.
    pub const VERSION: &str = "v";
    /// The form's version that this code writes and reads.
    pub const V: u64 = 1;
}

/// Attribute names of sessions in DynamoDB.
pub mod session {
    /// Partition key: the SHA-256 of the token in hexadecimal, a string; the table has no sort key.
    pub const TOKEN_HASH: &str = "token_hash";
    /// Who is logged in, as logs and limits name it, a string.
    pub const PRINCIPAL: &str = "principal";
    /// What it may do, a string.
    pub const ROLE: &str = "role";
    /// The customer that is logged in, a string; absent for others.
    pub const CUSTOMER_ID: &str = "customer_id";
    /// When the session ends, in seconds since 1970, a number: the table's TTL attribute.
    pub const EXPIRES_AT: &str = "expires_at";
}

/// Kafka headers that Footfall adds to a late or rejected record, after the record's own.
pub mod header {
    /// The [`Reason`](crate::Reason)'s code, or `late`.
    pub const REASON: &str = "footfall-reason";
    /// The topic or file that the record came from.
    pub const SOURCE: &str = "footfall-source";
    /// The partition that the record came from, in decimal.
    pub const PARTITION: &str = "footfall-partition";
    /// The record's offset, or its line number in a file, in decimal.
    pub const OFFSET: &str = "footfall-offset";
    /// Late records: the start of the window that was closed, `YYYY-MM-DDTHH:MM:SSZ`.
    pub const WINDOW_START: &str = "footfall-window-start";
    /// Late records: by how many milliseconds the watermark had passed the window's end.
    pub const LATENESS_MS: &str = "footfall-lateness-ms";
    /// Records whose own key and headers are longer than 512 KiB together and are left out: how long, in bytes, in
    /// decimal.
    pub const LEFT_OUT_BYTES: &str = "footfall-left-out-bytes";
    /// Records cut at 64 KiB: the full length in bytes.
    pub const ORIGINAL_LENGTH: &str = "footfall-original-length";
    /// Records cut at 64 KiB: the SHA-256 of all their bytes, in hexadecimal.
    pub const ORIGINAL_SHA256: &str = "footfall-original-sha256";
}
