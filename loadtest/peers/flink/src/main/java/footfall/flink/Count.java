package footfall.flink;

/** A result row: how many different users looked at the product in the minute. */
public record Count(String product, long windowStartMillis, long uniqueUsers) {}
