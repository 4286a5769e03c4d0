"""Counts with Bytewax: files, event clock, tumbling windows that fold users into sets by product."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import bytewax.operators as op
import orjson
from bytewax._bytewax import cli_main
from bytewax.connectors.files import DirSink, DirSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window

import arguments

EPOCH = datetime.fromtimestamp(0, UTC)
WINDOW = timedelta(minutes=1)
OUT_OF_ORDERNESS = timedelta(seconds=10)
# Lines that a partition gives at once. A large one saves calls; a small one keeps the files in step.
BATCH = 200


def main():
    call = arguments.parse(["windows"])
    flow = Dataflow("count")
    # All files of the folder that the first lies in.
    lines = op.input("lines", flow, DirSource(Path(call.files[0]).parent, batch_size=BATCH))
    # One key for each worker. With the product as key Bytewax wakes every product of an open window at every batch.
    events = op.flat_map_batch("events", lines, lambda batch: parse(batch, call.parallelism))
    clock = EventClock(lambda event: event[2], wait_for_system_duration=OUT_OF_ORDERNESS)
    windower = TumblingWindower(WINDOW, align_to=EPOCH)
    # Sets need no order: without it events are folded at once, not kept until the watermark has passed them.
    users = fold_window("users", events, clock, windower, no_users, add, merge, ordered=False)
    rows = op.flat_map("rows", users.down, rows_of)
    op.output("output", rows, DirSink(call.output, call.parallelism))
    # One epoch: they serve recovery, which is off, and at each end the files get out of step.
    cli_main(flow, workers_per_process=call.parallelism, epoch_interval=timedelta(days=1))


def parse(lines, shards):
    """Shard of the product, and product, user and time, of each line that is an event."""
    events = []
    for line in lines:
        try:
            event = orjson.loads(line)
            user = event["user_id"]
            product = str(event["product_id"])
            time = event["timestamp"]
            # RFC 3339 allows a small t and z, fromisoformat only large ones.
            if time[-1:] == "z":
                time = time.upper()
            time = datetime.fromisoformat(time)
            # The clock takes this time zone alone.
            if time.tzinfo is not UTC:
                time = time.astimezone(UTC)
        except (ValueError, TypeError, KeyError):
            continue
        events.append((str(crc32(product.encode()) % shards), (product, user, time)))
    return events


def no_users():
    """By product."""
    return defaultdict(set)


def add(users, event):
    users[event[0]].add(event[1])
    return users


def merge(users, others):
    for product, more in others.items():
        users[product] |= more
    return users


def rows_of(counted):
    shard, (window, users) = counted
    return [(shard, f"{product}\t{window * 60_000}\t{len(own)}") for product, own in users.items()]


main()
