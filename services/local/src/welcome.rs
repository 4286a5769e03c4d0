//! What somebody may want to look at first: lines to try.

/// Where requests go, and with which key events are taken.
#[derive(Clone)]
pub(crate) struct Welcome {
    pub(crate) url: String,
    pub(crate) write_key: String,
}

impl Welcome {
    /// Lines for a shell: counts of a product, a list, and an event of one's own; about no product of the demo, so that its
    /// answer key stays right.
    pub(crate) fn lines(&self, product_id: &str) -> [String; 4] {
        let Welcome { url, write_key } = self;
        [
            "to try:".to_owned(),
            format!("  curl -s '{url}/analytics/products/{product_id}/windows?limit=3'"),
            format!("  curl -s '{url}/analytics/top?limit=5'"),
            format!(
                "  curl -s '{url}/events?write_key={write_key}' -H 'Content-Type: application/json' \
                 -d '{{\"user_id\":\"me\",\"product_id\":\"mine\",\"event_type\":\"VIEW_PRODUCT\",\"timestamp\":\"'$(date -u +%FT%TZ)'\"}}'"
            ),
        ]
    }
}
