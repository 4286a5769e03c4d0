"""Counts with DuckDB: one SQL statement over the files, in two ways.

`ndjson` is DuckDB's own reader with explicit columns, the fastest way. It takes no line in which a key occurs twice (the
last value counts, DuckDB refuses the line): such lines are left out. `lines` reads whole lines, takes the fields out of
them, and falls back on a slower way for such lines: its rows are right.
"""

import duckdb

import arguments

NDJSON = """
copy (
    select product_id, epoch_ms(date_trunc('minute', timestamp)) as window_start, count(distinct user_id)
    from read_ndjson($files, columns = {user_id: 'VARCHAR', product_id: 'VARCHAR', timestamp: 'TIMESTAMPTZ'},
                     ignore_errors = true)
    where user_id is not null and product_id is not null and timestamp is not null
    group by all
) to $rows (format csv, delimiter '\t', header false, quote '')
"""

LINES = """
copy (
    with lines as (
        from read_csv($files, columns = {line: 'VARCHAR'}, delim = '', quote = '', escape = '', header = false,
                      auto_detect = false, max_line_size = 10000000)
    ),
    fields as (
        select line, try(json_extract_string(line, ['$.user_id', '$.product_id', '$.timestamp'])) as field from lines
    ),
    events as (
        select
            case when field[1] is null then last_value_of(line, 'user_id') else field[1] end as user_id,
            case when field[2] is null then last_value_of(line, 'product_id') else field[2] end as product_id,
            case when field[3] is null then last_value_of(line, 'timestamp') else field[3] end as time
        from fields
        where field is not null
    ),
    timed as (
        select user_id, product_id, epoch_ms(time_of(time)) // 60000 * 60000 as window_start from events
    )
    select product_id, window_start, count(distinct user_id)
    from timed
    where user_id is not null and product_id is not null and window_start is not null
    group by all
) to $rows (format csv, delimiter '\t', header false, quote '')
"""


def main():
    call = arguments.parse(["ndjson", "lines"])
    database = duckdb.connect()
    database.execute(f"set threads = {call.parallelism}")
    database.execute("set preserve_insertion_order = false")
    database.execute("set TimeZone = 'UTC'")
    # RFC 3339 allows a small t and z, a cast does not.
    database.execute("""
        create macro time_of(text) as coalesce(try_cast(text as timestamptz), try_cast(upper(text) as timestamptz))
    """)
    database.execute("""
        create macro last_value_of(line, key) as list_last(list_filter(
            list_zip(json_keys(line), json_extract_string(line, '$.*')), lambda pair: pair[1] = key
        ))[2]
    """)
    database.execute(NDJSON if call.variant == "ndjson" else LINES, {"files": call.files, "rows": str(call.output / "rows.tsv")})


main()
