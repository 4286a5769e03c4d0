package footfall.flink;

/** One event. Public and mutable: a source fills the same one again and again (object reuse). */
public final class Event {
    public String product;
    /** The user's id as {@link ShortId}, or {@code ShortId.NONE} and the id is {@code longUser}. */
    public long user;
    public String longUser;
    /** Milliseconds since 1970. On the wire between operators it is the record's timestamp, not part of the event. */
    public long timestamp;
}
