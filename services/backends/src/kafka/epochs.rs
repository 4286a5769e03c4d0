//! Producers that have given up records and go on.
//!
//! An idempotent producer that does not know whether records have arrived gives itself the next epoch and counts from 0
//! again ([KIP-360](https://cwiki.apache.org/confluence/x/p4tfBw)). The engine knows only epochs that it has given out, and
//! would refuse the producer for ever. So what comes in a later epoch is written as by a producer without a number: the
//! records are all there, and what such a producer sends again may be there twice.

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use tansu_sans_io::ProduceRequest;
use tansu_sans_io::record::deflated::Batch;

/// The epoch that the engine gives to a producer that is not transactional.
const FIRST: i16 = 0;
/// Who writes without a number.
const NOBODY: i64 = -1;
/// Where the part of a batch begins that its checksum is about: behind base offset, length, leader epoch, magic and checksum.
const CHECKED_FROM: usize = 8 + 4 + 4 + 1 + 4;

/// Takes the number from batches of later epochs.
pub(super) fn forget_later(request: &mut ProduceRequest) {
    let partitions =
        request.topic_data.iter_mut().flatten().flat_map(|topic| topic.partition_data.iter_mut().flatten());
    for batch in partitions.flat_map(|partition| partition.records.iter_mut()).flat_map(|frame| &mut frame.batches) {
        if batch.is_idempotent() && !batch.is_transactional() && batch.producer_epoch > FIRST {
            (batch.producer_id, batch.producer_epoch, batch.base_sequence) = (NOBODY, -1, -1);
            batch.crc = checksum(batch);
        }
    }
}

fn checksum(batch: &Batch) -> u32 {
    let bytes = Bytes::from(batch.clone());
    // CRC-32C, in the lower half.
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, &bytes[CHECKED_FROM..]) as u32
}
