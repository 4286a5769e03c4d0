"""Counts with Pathway: a static read of the files, grouped by product and minute."""

import os
from datetime import UTC, datetime
from pathlib import Path

import arguments


def main():
    call = arguments.parse(["batch"])
    # Pathway reads this when it is imported.
    os.environ["PATHWAY_THREADS"] = str(call.parallelism)
    import pathway as pw

    class Event(pw.Schema):
        user_id: str
        product_id: pw.Json
        timestamp: str

    events = pw.io.jsonlines.read(str(Path(call.files[0]).parent), schema=Event, mode="static")
    timed = events.select(
        user=pw.this.user_id,
        product=pw.apply_with_type(lambda json: str(json.value), str, pw.this.product_id),
        minute=pw.apply_with_type(minute, int, pw.this.timestamp),
    )
    counts = timed.groupby(pw.this.product, pw.this.minute).reduce(
        pw.this.product, pw.this.minute, users=pw.reducers.count_distinct(pw.this.user)
    )
    # Files are read in several batches, each of which changes rows of the one before: the last counts.
    rows = {}

    def change(key, row, time, is_addition):
        if is_addition:
            rows[row["product"], row["minute"]] = row["users"]

    pw.io.subscribe(counts, on_change=change)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    with open(call.output / "rows.tsv", "w", encoding="utf-8") as file:
        file.writelines(f"{product}\t{minute * 60_000}\t{users}\n" for (product, minute), users in rows.items())


# Minutes since 1970 by the text of the minute: there are few.
known = {}


def minute(time):
    if len(time) == 24 and time[23] == "Z":
        text = time[:16]
        if text not in known:
            known[text] = since_1970(time)
        return known[text]
    return since_1970(time)


def since_1970(time):
    # RFC 3339 allows a small t and z, fromisoformat only large ones.
    return int(datetime.fromisoformat(time.upper()).astimezone(UTC).timestamp() // 60)


main()
