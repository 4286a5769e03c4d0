// Numbers, times and durations as people read them: in their own locale and time zone.

/**
 * Formats for a locale and a time zone, by default those of the browser.
 *
 * Times are milliseconds since 1970, or RFC 3339 texts.
 */
export function formats({ locale, timeZone } = {}) {
    const numbers = new Intl.NumberFormat(locale);
    const part = (options) => new Intl.DateTimeFormat(locale, { timeZone, hourCycle: "h23", ...options });
    const [minutes, seconds] = [part({ hour: "2-digit", minute: "2-digit" }), part({ timeStyle: "medium" })];
    const [day, date] = [part({ dateStyle: "short" }), part({ day: "numeric", month: "short" })];
    const time = (value) => (typeof value === "string" ? Date.parse(value) : value);
    const dated = (value, now, text) => (day.format(value) === day.format(now) ? text : `${date.format(value)}, ${text}`);
    return {
        number: (value) => numbers.format(value),
        /** Such as "14:03". */
        minute: (value) => minutes.format(time(value)),
        /** Such as "14:03 to 14:04", with the date in front where it is not that of `now`. */
        span: (start, end, now) => {
            return dated(time(start), now, `${minutes.format(time(start))} to ${minutes.format(time(end))}`);
        },
        /** Such as "14:03:20", with the date in front where it is not that of `now`. */
        moment: (value, now) => dated(time(value), now, seconds.format(time(value))),
        /** An exact amount, a text such as "19.99". */
        price: (amount, currency) => new Intl.NumberFormat(locale, { style: "currency", currency }).format(amount),
        /** The zone's name, and its short one at this time: {name: "Europe/Berlin", short: "CET"}. */
        zone: (now) => ({ name: minutes.resolvedOptions().timeZone, short: shortZone(now, locale, timeZone) }),
    };
}

/** Locales know the names of their own zones, and "GMT+1" for all others. */
function shortZone(now, locale, timeZone) {
    const names = [locale, "en-GB", "en-US"].map((candidate) => {
        const parts = new Intl.DateTimeFormat(candidate, { timeZone, timeZoneName: "short" }).formatToParts(now);
        return parts.find((part) => part.type === "timeZoneName").value;
    });
    return names.find((name) => !/^(GMT|UTC)[+\u2212-]/.test(name)) ?? names[0];
}

const UNITS = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
];

/** A duration in its two greatest units, such as "2 min 5 s". */
export function duration(seconds) {
    let rest = Math.max(0, Math.floor(seconds));
    const words = [];
    for (const [unit, length] of UNITS) {
        const many = Math.floor(rest / length);
        rest -= many * length;
        if (many > 0 || (unit === "s" && words.length === 0)) words.push(`${many} ${unit}`);
        else if (words.length > 0) break;
    }
    return words.slice(0, 2).join(" ");
}
