//! The encoder of result rows: what serde writes of them, with the texts of a window made once for all of its rows.

use crate::{ResultRow, Window};

/// Writes rows as JSON, exactly as [`ResultRow`] and [`TopicRow`](crate::TopicRow) are serialised, and faster where
/// neighbours share their window.
#[derive(Clone, Debug, Default)]
pub struct RowEncoder {
    window: Option<Window>,
    /// What stands between the product and the count of every row of the window.
    times: String,
}

impl RowEncoder {
    /// Appends a row. `is_final`: the field `final` of a row in the results topic; none: of a row in a file.
    pub fn encode(&mut self, row: &ResultRow, is_final: Option<bool>, out: &mut Vec<u8>) {
        if self.window != Some(row.window) {
            self.window = Some(row.window);
            let (start, end) = (row.window.start_text(), row.window.end_text());
            self.times = format!(r#","window_start":"{start}","window_end":"{end}","unique_user_count":"#);
        }
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(br#"{"product_id":"#);
        write_string(&row.product_id, out);
        out.extend_from_slice(self.times.as_bytes());
        out.extend_from_slice(digits.format(row.unique_user_count).as_bytes());
        out.extend_from_slice(br#","revision":"#);
        out.extend_from_slice(digits.format(row.revision).as_bytes());
        out.extend_from_slice(match is_final {
            None => b"}",
            Some(true) => br#","final":true}"#,
            Some(false) => br#","final":false}"#,
        });
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}
