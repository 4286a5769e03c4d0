//! The encoder of rows against serde.

use proptest::prelude::*;
use schemas::{RowEncoder, TopicRow};

use crate::generators::topic_row;

proptest! {
    #[test]
    fn rows_are_encoded_as_serde_writes_them(rows in prop::collection::vec((topic_row(), 1..4_usize), 1..20)) {
        let mut encoder = RowEncoder::default();
        // Neighbours that share their window, and such that do not.
        for (TopicRow { row, is_final }, times) in rows {
            for _ in 0..times {
                let (mut in_file, mut in_topic) = (Vec::new(), b"before".to_vec());
                encoder.encode(&row, None, &mut in_file);
                encoder.encode(&row, Some(is_final), &mut in_topic);
                prop_assert_eq!(String::from_utf8(in_file).unwrap(), serde_json::to_string(&row).unwrap());
                let topic_row = TopicRow { row: row.clone(), is_final };
                let expected = format!("before{}", serde_json::to_string(&topic_row).unwrap());
                prop_assert_eq!(String::from_utf8(in_topic).unwrap(), expected);
            }
        }
    }
}
