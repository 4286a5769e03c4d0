import assert from "node:assert/strict";
import { test } from "node:test";

import { duration, formats } from "../../assets/format.mjs";
import { Freshness } from "../../assets/freshness.mjs";
import { changeInWords, detail, minuteInWords, notices, sentence } from "../../assets/words.mjs";

const NOW = Date.parse("2026-01-15T13:03:30Z");
const berlin = formats({ locale: "en-GB", timeZone: "Europe/Berlin" });

test("numbers have the separators of the locale", () => {
    assert.equal(berlin.number(1_234_567), "1,234,567");
    assert.equal(formats({ locale: "de-DE" }).number(1_234_567), "1.234.567");
});

test("times are those of the zone, with the date only where it is another day there", () => {
    assert.equal(berlin.span("2026-01-15T13:03:00Z", "2026-01-15T13:04:00Z", NOW), "14:03 to 14:04");
    assert.equal(berlin.moment(NOW - 10_000, NOW), "14:03:20");
    assert.equal(berlin.moment("2026-01-14T13:03:20Z", NOW), "14 Jan, 14:03:20");
    assert.equal(berlin.moment("2026-01-14T23:30:00Z", NOW), "00:30:00");
    assert.equal(formats({ locale: "en-US", timeZone: "UTC" }).minute("2026-01-15T00:05:00Z"), "00:05");
});

test("the zone is named as people there name it, in summer otherwise than in winter", () => {
    assert.deepEqual(berlin.zone(NOW), { name: "Europe/Berlin", short: "CET" });
    assert.equal(berlin.zone(Date.parse("2026-07-15T12:00:00Z")).short, "CEST");
    assert.equal(formats({ locale: "en-GB", timeZone: "America/New_York" }).zone(NOW).short, "EST");
    assert.equal(formats({ locale: "en-GB", timeZone: "Asia/Kolkata" }).zone(NOW).short, "GMT+5:30");
});

test("prices are exact", () => {
    assert.equal(berlin.price("19.90", "EUR"), "€19.90");
    assert.equal(formats({ locale: "en-GB" }).price("12345678.10", "EUR"), "€12,345,678.10");
});

test("durations have their two greatest units", () => {
    const words = [0, 0.9, 59.99, 60, 125, 3_600, 11_045, 86_400 * 2 + 59].map(duration);
    assert.deepEqual(words, ["0 s", "0 s", "59 s", "1 min", "2 min 5 s", "1 h", "3 h 4 min", "2 d"]);
    assert.equal(duration(-1), "0 s");
});

const said = { watermark: "2026-01-15T13:03:20Z", processed_at: "2026-01-15T13:03:30Z", age_seconds: 3, stale: false };

function words(state, { freshness = said, ...more } = {}) {
    const known = new Freshness(() => 0, () => NOW);
    known.receive(freshness);
    const connection = { lostAt: 0, nextTry: 15_000 };
    return detail(state, { freshness: known, connection, monotonicNow: 12_000, problem: null, format: berlin, ...more });
}

test("every state says how old the data is and what works", () => {
    assert.equal(words("live"), "Data is 3 s old. Everything up to 14:03:20 (CET) is counted.");
    assert.match(words("quiet"), /^Nobody is looking right now; the job is at work. Data is 3 s old./);
    assert.match(words("stale", { freshness: { ...said, age_seconds: 75 } }), /for 1 min 15 s, since 14:03:30 \(CET\)\. What is counted can still be read;/);
    const never = { watermark: null, processed_at: null, age_seconds: null, stale: true };
    assert.match(words("stale", { freshness: never }), /^Whether the job is at work is not known/);
    assert.match(words("reconnecting"), /^The connection was lost 12 s ago; next try in 4 s\. Data is 3 s old\./);
    assert.match(words("reconnecting", { connection: { lostAt: 0, nextTry: null } }), /trying now/);
    assert.match(words("empty"), /^No view has been counted in the last half hour\./);
    assert.equal(words("unavailable", { problem: { detail: "kafka does not answer" } }), "Kafka does not answer. Trying again.");
});

test("problems are sentences, whether they have a detail or not", () => {
    assert.equal(sentence({ title: "The server does not answer", detail: "" }), "The server does not answer.");
    assert.equal(sentence({ detail: "try later!" }), "Try later!");
});

test("what is missing is told, and nothing else", () => {
    assert.deepEqual(notices({ names: null, past: null }), []);
    assert.match(notices({ names: {}, past: { detail: "down" } }).join(" "), /^Names are missing.*cannot be read\. Down\. Trying again\.$/);
});

test("changes of rank are spoken", () => {
    const all = [["up", 1], ["up", 2], ["down", 3], ["new", 0], ["same", 0]].map(([kind, by]) => changeInWords({ kind, by }));
    assert.deepEqual(all, ["up 1 place", "up 2 places", "down 3 places", "new", "same place"]);
});

test("a minute says how many people it had and whether that can change", () => {
    const minute = (kind, count, revision = 0) => minuteInWords({ kind, count, revision }, berlin);
    assert.equal(minute("final", 1), "1 person");
    assert.equal(minute("final", 1_217, 2), "1,217 people, corrected by late events (revision 2)");
    assert.equal(minute("open", 17), "17 people so far");
    assert.equal(minute("none", 0), "nobody");
    assert.equal(minute("unknown", 0), "not known yet");
});
