// The stream of rows. The browser resumes a cut stream by itself, with the id of the last row that it got; where it gives up
// (the gateway answered with an error) or does not notice that nothing comes any more, the stream is begun anew here.

/** The gateway asks browsers to wait as long before they resume. */
const RESUME_MS = 2_000;
const LONGEST_WAIT_MS = 30_000;
/** The gateway says how fresh its data is every 5 s: a stream that is silent for longer than this is dead. */
const SILENCE_MS = 20_000;

/**
 * Follows `url` from the moment of `start` on. `on` has `row(row)`, `freshness(freshness)`, `reset()` (forget what is known, a
 * snapshot follows), `renewed()` (begun anew: rows may have been missed) and `changed()` (of `connection`).
 */
export class Feed {
    #url;
    #on;
    #platform;
    #source = null;
    #tries = 0;
    #timer;
    #heardAt = 0;

    /** {lostAt, nextTry} in milliseconds of `platform.now()`; `lostAt` is `null` while all is well. */
    connection = { lostAt: null, nextTry: null };

    /** `platform` has `open(url)` (an EventSource), `now()`, `after(ms, f)`, `cancel(timer)` and `random()`. */
    constructor(url, on, platform = browser) {
        this.#url = url;
        this.#on = on;
        this.#platform = platform;
    }

    start() {
        const source = this.#platform.open(this.#url);
        this.#source = source;
        this.#heardAt = this.#platform.now();
        const listen = (name, heard) => {
            source.addEventListener(name, (event) => {
                this.#heardAt = this.#platform.now();
                heard(event);
            });
        };
        listen("open", () => this.#opened());
        listen("window", (event) => this.#on.row(JSON.parse(event.data)));
        listen("watermark", (event) => this.#on.freshness(JSON.parse(event.data)));
        listen("reset", () => this.#on.reset());
        source.addEventListener("error", () => this.#lost(source));
    }

    /** To be called every second or so: begins a stream anew that has gone silent. */
    check() {
        const isOpen = this.#source !== null && this.connection.lostAt === null;
        if (!isOpen || this.#platform.now() - this.#heardAt < SILENCE_MS) return;
        this.#source.close();
        this.#lost(this.#source);
    }

    #opened() {
        this.#tries = 0;
        this.connection = { lostAt: null, nextTry: null };
        this.#on.changed();
    }

    #lost(source) {
        const now = this.#platform.now();
        const isResumed = source.readyState === 0;
        const wait = isResumed ? RESUME_MS : this.#wait();
        this.connection = { lostAt: this.connection.lostAt ?? now, nextTry: now + wait };
        if (!isResumed) {
            this.#platform.cancel(this.#timer);
            this.#timer = this.#platform.after(wait, () => {
                this.connection.nextTry = null;
                this.start();
                this.#on.renewed();
            });
        }
        this.#on.changed();
    }

    /** Twice as long each time, and never at the same moment as all others. */
    #wait() {
        const longest = Math.min(LONGEST_WAIT_MS, RESUME_MS * 2 ** this.#tries);
        this.#tries += 1;
        return longest * (0.5 + this.#platform.random() / 2);
    }
}

const browser = {
    open: (url) => new EventSource(url),
    now: () => performance.now(),
    after: (millis, run) => setTimeout(run, millis),
    cancel: (timer) => clearTimeout(timer),
    random: () => Math.random(),
};
