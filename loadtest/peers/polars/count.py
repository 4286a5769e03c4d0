"""Counts with Polars: a lazy query over the files, run by its streaming engine."""

import json
import os
from datetime import UTC, datetime

import arguments

KEYS = ("user_id", "product_id", "timestamp")


def main():
    call = arguments.parse(["batch"])
    # Polars reads this when it is imported.
    os.environ["POLARS_MAX_THREADS"] = str(call.parallelism)
    import polars as pl

    schema = pl.Struct(dict.fromkeys(KEYS, pl.String))

    def events(lines):
        """User, product and minute of each line."""
        frame = lines.str.json_decode(schema).struct.unnest()
        frame = frame.with_columns(minute=pl.col("timestamp").str.slice(0, 16))
        # The usual layout is done. A key that occurs twice is null or the wrong one of both where the last counts, and
        # times are not all in UTC: those lines go through Python, which reads all that RFC 3339 allows.
        time = pl.col("timestamp")
        usual = (time.str.len_bytes() == 24) & time.str.ends_with("Z") & (time.str.slice(10, 1) == "T")
        odd = frame.select((~usual | pl.any_horizontal(pl.col(KEYS).is_null())).fill_null(True).arg_true()).to_series()
        if len(odd):
            fixed = [general(line) for line in lines.gather(odd)]
            frame = frame.with_columns(
                frame[name].scatter(odd, [event[place] for event in fixed])
                for place, name in enumerate(("user_id", "product_id", "minute"))
            )
        return frame.select("user_id", "product_id", "minute").to_struct()

    result_type = pl.Struct({"user_id": pl.String, "product_id": pl.String, "minute": pl.String})
    counts = (
        pl.scan_lines(call.files, name="line")
        .select(pl.col("line").map_batches(events, return_dtype=result_type, is_elementwise=True).alias("event"))
        .unnest("event")
        .drop_nulls()
        .group_by("product_id", "minute")
        .agg(pl.col("user_id").n_unique())
        .with_columns(pl.col("minute").str.to_datetime("%Y-%m-%dT%H:%M", time_unit="ms").dt.epoch("ms"))
        .select("product_id", "minute", "user_id")
    )
    counts.sink_csv(call.output / "rows.tsv", separator="\t", include_header=False, engine="streaming")


def general(line):
    """User, product and minute of a line of JSON in any layout; nulls for a line that is no event."""
    try:
        event = json.loads(line)
        time = datetime.fromisoformat(event["timestamp"].upper()).astimezone(UTC)
        return str(event["user_id"]), str(event["product_id"]), f"{time:%Y-%m-%dT%H:%M}"
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, None, None


main()
