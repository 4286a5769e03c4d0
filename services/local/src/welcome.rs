//! What somebody may want to look at first: addresses, and lines to try.

/// Three lines for a shell: counts of a product, a list, and an event of one's own.
pub(crate) fn lines_to_try(url: &str, write_key: &str, product_id: &str) -> [String; 3] {
    let has_top = api_gateway::routed().iter().any(|(_, path)| path == "/analytics/top");
    let list = if has_top { "/analytics/top?limit=5" } else { "/products?limit=5" };
    [
        format!("curl -s '{url}/analytics/products/{product_id}/windows?limit=3'"),
        format!("curl -s '{url}{list}'"),
        format!(
            "curl -s '{url}/events?write_key={write_key}' -H 'Content-Type: application/json' \
             -d '{{\"user_id\":\"me\",\"product_id\":\"mine\",\"event_type\":\"VIEW_PRODUCT\",\"timestamp\":\"'$(date -u +%FT%TZ)'\"}}'"
        ),
    ]
}
