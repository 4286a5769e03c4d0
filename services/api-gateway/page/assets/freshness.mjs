// How old the data is, and what state that puts the page in. A wrong clock here changes nothing: ages come from the
// server and grow by a clock that is never set; the server's time is what it said plus what has passed since.

/** A job that has not said anything for longer is not at work. The gateway's own limit comes as `stale`. */
export const STALE_AFTER_SECONDS = 12;
/** Streams are cut and resumed in the ordinary course of things: this long nobody needs to know. */
export const UNNOTICED_MS = 4_000;
/** A shown minute that ended longer ago than this is one of a quiet shop. */
const QUIET_AFTER_MS = 60_000;

const NOTHING_SAID = { watermark: null, processed_at: null, age_seconds: null, stale: true };

/** What the job last said of itself: {watermark, processed_at, age_seconds, stale}, and how long ago that is by now. */
export class Freshness {
    #monotonic;
    #wall;
    #said = null;
    #receivedAt = 0;

    /** `monotonic` and `wall` tell milliseconds. */
    constructor(monotonic = () => performance.now(), wall = () => Date.now()) {
        this.#monotonic = monotonic;
        this.#wall = wall;
    }

    /** `null`: the server cannot tell, which is as if the job had never said anything. */
    receive(said) {
        this.#said = said ?? NOTHING_SAID;
        this.#receivedAt = this.#monotonic();
    }

    /** Whether the server has told anything yet. */
    get isKnown() {
        return this.#said !== null;
    }

    /** Milliseconds since the server last told. */
    get sinceReceived() {
        return this.#monotonic() - this.#receivedAt;
    }

    /** How long ago the job said that it works, in seconds; `null` where it never did. */
    get age() {
        const age = this.#said?.age_seconds ?? null;
        return age === null ? null : age + this.sinceReceived / 1_000;
    }

    /** When the job last said that it works; `null` where it never did. Milliseconds since 1970, as all times here. */
    get processedAt() {
        return parse(this.#said?.processed_at);
    }

    /** Up to when all events are counted, by their own times; `null` while that is not known. */
    get watermark() {
        return parse(this.#said?.watermark);
    }

    /** The server's clock; this machine's own before the server has told. */
    get now() {
        return this.processedAt === null || this.age === null ? this.#wall() : this.processedAt + this.age * 1_000;
    }

    get isStale() {
        return this.isKnown && (this.#said.stale || this.age === null || this.age > STALE_AFTER_SECONDS);
    }
}

function parse(time) {
    return time ? Date.parse(time) : null;
}

/**
 * The state of the page, the gravest first: "loading", "unavailable" (there is nothing but an error), "reconnecting",
 * "stale", "empty", "quiet" or "live".
 *
 * `lostFor` is how long the stream has been cut in milliseconds, `null` while it is not; `problem` is why counts could not be
 * read, if so; `shown` is the minute that is shown, if any.
 */
export function stateOf({ freshness, lostFor, problem, shown }) {
    if (!freshness.isKnown) return problem ? "unavailable" : "loading";
    if (lostFor !== null && lostFor >= UNNOTICED_MS) return "reconnecting";
    if (freshness.isStale) return "stale";
    if (shown === null) return "empty";
    const isOver = !shown.isOpen || Date.parse(shown.end) + QUIET_AFTER_MS < freshness.now;
    return isOver ? "quiet" : "live";
}
