"""Counts with Apache Spark: one batch query over the files, local mode."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

import arguments

SCHEMA = "user_id string, product_id string, timestamp string"


def main():
    call = arguments.parse(["batch"])
    spark = (
        SparkSession.builder.master(f"local[{call.parallelism}]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.extraJavaOptions", "-XX:+UseParallelGC")
        # The default of 200 is for a cluster.
        .config("spark.sql.shuffle.partitions", call.parallelism)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    time = f.col("timestamp")
    usual = (f.length(time) == 24) & time.endswith("Z") & (f.substring(time, 11, 1) == "T")
    # RFC 3339 allows a small t and z, a cast does not.
    general = f.date_format(f.upper(time).try_cast("timestamp"), "yyyy-MM-dd'T'HH:mm")
    (
        spark.read.schema(SCHEMA).json(call.files)
        .select("user_id", "product_id", f.when(usual, f.substring(time, 1, 16)).otherwise(general).alias("minute"))
        .dropna()
        .groupBy("product_id", "minute")
        .agg(f.count_distinct("user_id").alias("users"))
        .select("product_id", f.unix_millis(f.to_timestamp("minute", "yyyy-MM-dd'T'HH:mm")), "users")
        .write.csv(str(call.output / "rows"), sep="\t")
    )
    spark.stop()


main()
