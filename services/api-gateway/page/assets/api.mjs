// Requests to the gateway. What goes wrong is a `Problem`, whether the gateway says so (RFC 9457) or nobody answers.

const LIMIT_MS = 15_000;

/** Why a request failed: `status` is 0 where nobody answered. */
export class Problem extends Error {
    constructor(status, title, detail) {
        super(detail || title);
        Object.assign(this, { status, title, detail });
    }
}

/** The JSON that a path answers with. */
export async function get(path, { signal } = {}) {
    const response = await request(path, "application/json", signal);
    return response.json();
}

/** The CSV file that a path answers with. */
export async function getCsv(path) {
    const response = await request(path, "text/csv");
    return response.blob();
}

/** Fails with a `Problem`, or with the `AbortError` of `signal`. */
async function request(path, accept, signal) {
    const limit = AbortSignal.timeout(LIMIT_MS);
    let response;
    try {
        response = await fetch(path, {
            headers: { accept },
            signal: signal ? AbortSignal.any([signal, limit]) : limit,
        });
    } catch (error) {
        if (signal?.aborted) throw error;
        throw new Problem(0, "The server does not answer", "");
    }
    if (response.ok) return response;
    const told = await response.json().catch(() => ({}));
    throw new Problem(response.status, told.title ?? `The server answered ${response.status}`, told.detail ?? "");
}
