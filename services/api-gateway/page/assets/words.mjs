// What the page says about its own state, in sentences.

import { duration } from "./format.mjs";

/** The headline of each state of `stateOf`. */
export const TITLES = {
    loading: "Loading",
    unavailable: "Not available",
    reconnecting: "Reconnecting",
    stale: "Stale",
    empty: "No data yet",
    quiet: "Quiet",
    live: "Live",
};

/**
 * The sentences behind the headline.
 *
 * `connection` is {lostAt, nextTry} in milliseconds of `monotonicNow`'s clock; `nextTry` is `null` while a try runs.
 */
export function detail(state, { freshness, connection, monotonicNow, problem, format }) {
    switch (state) {
        case "loading":
            return "Asking for the counts of the running minute.";
        case "unavailable":
            return `${sentence(problem)} Trying again.`;
        case "reconnecting":
            return `${lost(connection, monotonicNow)} ${age(freshness)} What is shown is kept from then.`;
        case "stale":
            return stale(freshness, format);
        case "empty":
            return `No view has been counted in the last half hour. ${age(freshness)}`;
        case "quiet":
            return `Nobody is looking right now; the job is at work. ${age(freshness)} ${counted(freshness, format)}`;
        default:
            return `${age(freshness)} ${counted(freshness, format)}`;
    }
}

function age(freshness) {
    return freshness.age === null ? "The age of the data is not known." : `Data is ${freshness.age < 1 ? "less than 1 s" : duration(freshness.age)} old.`;
}

function counted(freshness, format) {
    if (freshness.watermark === null) return "";
    const zone = format.zone(freshness.now).short;
    return `Everything up to ${format.moment(freshness.watermark, freshness.now)} (${zone}) is counted.`;
}

function stale(freshness, format) {
    const kept = "What is counted can still be read; events are kept, and counted when it is back.";
    if (freshness.age === null) return `Whether the job is at work is not known: it has never said so, or that cannot be read. ${kept}`;
    const since = `${format.moment(freshness.processedAt, freshness.now)} (${format.zone(freshness.now).short})`;
    return `The job has not said anything for ${duration(freshness.age)}, since ${since}. ${kept}`;
}

function lost({ lostAt, nextTry }, now) {
    const wait = nextTry === null || nextTry <= now ? "trying now" : `next try in ${duration((nextTry - now) / 1_000 + 1)}`;
    return `The connection was lost ${duration((now - lostAt) / 1_000)} ago; ${wait}.`;
}

/** Sentences about parts that are missing while counts go on; the problems are `null` where nothing is wrong. */
export function notices({ names, past }) {
    return [
        names && "Names are missing: the product catalogue does not answer.",
        past && `The last half hour cannot be read. ${sentence(past)} Trying again.`,
    ].filter(Boolean);
}

/** What went wrong, with a capital letter and a stop. */
export function sentence(problem) {
    const text = problem?.detail || problem?.title || "The server does not answer";
    return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

/** The rank change in words, such as "up 2 places". */
export function changeInWords({ kind, by }) {
    const places = `${by} ${by === 1 ? "place" : "places"}`;
    return { new: "new", same: "same place", up: `up ${places}`, down: `down ${places}` }[kind];
}

/** A minute of `minutesOf` in words, such as "17 people, corrected by late events (revision 2)". */
export function minuteInWords({ kind, count, revision }, format) {
    if (kind === "none") return "nobody";
    if (kind === "unknown") return "not known yet";
    const people = `${format.number(count)} ${count === 1 ? "person" : "people"}`;
    const corrected = revision > 0 ? `, corrected by late events (revision ${format.number(revision)})` : "";
    return kind === "open" ? `${people} so far` : people + corrected;
}
