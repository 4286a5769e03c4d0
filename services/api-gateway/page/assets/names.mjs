// Names of products, asked for once and in batches. No DOM; `ask` and the clock are given.

/** The catalogue answers for so many ids at once. */
const BATCH = 200;
/** A product that the catalogue did not know may have been added since. */
const UNKNOWN_FOR_MS = 60_000;
const RETRY_AFTER_MS = 10_000;
const GREATEST_ID = 2n ** 63n - 1n;

/** Whether the catalogue can have a product of this id; events may name any text. */
export function isCatalogueId(id) {
    return /^[1-9][0-9]{0,18}$/.test(id) && BigInt(id) <= GREATEST_ID;
}

/** The names that are known. */
export class Names {
    #ask;
    #changed;
    #now;
    #names = new Map();
    #asking = false;
    #notBefore = 0;

    /** `ask(ids)` promises the products {id, name} of these ids; `changed()` is called when more is known. */
    constructor(ask, changed, now = () => performance.now()) {
        this.#ask = ask;
        this.#changed = changed;
        this.#now = now;
    }

    /** Why names are missing, where the catalogue does not answer. */
    problem = null;

    /** The product's name; `null` where the catalogue has none, `undefined` while that is not known. */
    of(id) {
        return isCatalogueId(id) ? this.#names.get(id)?.name : null;
    }

    /** A name that came with other data; `null`: the catalogue has none. */
    learn(id, name) {
        this.#names.set(id, { name, at: this.#now() });
    }

    /** The catalogue does not answer, as other data tell. */
    isDown(problem) {
        if (this.problem === null) this.#notBefore = this.#now() + RETRY_AFTER_MS;
        this.problem = problem;
    }

    /** Sees to it that these names become known. May be called at any time, and as often as one likes. */
    async want(ids) {
        const wanted = ids.filter((id) => this.#isWanted(id)).slice(0, BATCH);
        if (wanted.length === 0 || this.#asking || this.#now() < this.#notBefore) return;
        this.#asking = true;
        try {
            const found = new Map((await this.#ask(wanted)).map((product) => [product.id, product.name]));
            for (const id of wanted) this.learn(id, found.get(id) ?? null);
            this.problem = null;
        } catch (problem) {
            this.problem = problem;
            this.#notBefore = this.#now() + RETRY_AFTER_MS;
        } finally {
            this.#asking = false;
        }
        this.#changed();
    }

    #isWanted(id) {
        if (!isCatalogueId(id)) return false;
        const known = this.#names.get(id);
        return !known || (known.name === null && this.#now() - known.at > UNKNOWN_FOR_MS);
    }
}
