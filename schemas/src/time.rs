//! Event time and the one-minute windows it is cut into.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// 1970-01-01T00:00:00.000Z: no event is earlier.
const MIN_MILLIS: i64 = 0;
/// 9999-12-31T23:59:59.999Z: no event is later, so that every time can be written with four digits of year.
const MAX_MILLIS: i64 = 253_402_300_799_999;

/// The instant at which something happened at its source, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Always within 1970..=9999. It is written as RFC 3339 in UTC with milliseconds, and its serde form reads
/// that spelling alone; [`parse`](Self::parse) reads the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

/// Why a text or a number is no [`EventTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time with seconds and offset between the years 1970 and 9999, such as 2024-01-01T12:00:00Z")]
pub struct InvalidTime;

impl EventTime {
    /// The earliest event time, 1970-01-01T00:00:00.000Z.
    pub const MIN: EventTime = EventTime(MIN_MILLIS);
    /// The latest event time, 9999-12-31T23:59:59.999Z.
    pub const MAX: EventTime = EventTime(MAX_MILLIS);

    /// The time `millis` milliseconds after the Unix epoch.
    ///
    /// # Errors
    /// [`InvalidTime`] outside of the years 1970..=9999.
    pub const fn from_millis(millis: i64) -> Result<Self, InvalidTime> {
        if millis < MIN_MILLIS || millis > MAX_MILLIS {
            return Err(InvalidTime);
        }
        Ok(EventTime(millis))
    }

    /// Milliseconds since the Unix epoch; never negative.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 `date-time`: `T` or `t`, seconds, any number of fraction digits (truncated
    /// to milliseconds), then `Z`, `z` or an offset.
    ///
    /// # Errors
    /// [`InvalidTime`] for anything else: a space for the `T`, a leap second, a day that the calendar
    /// lacks, an instant outside of 1970..=9999 in UTC.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidTime> {
        match text.try_into().ok().and_then(Self::parse_usual) {
            Some(time) => Ok(time),
            None => parse_rfc3339(text).ok_or(InvalidTime),
        }
    }

    /// Reads the spelling in which nearly all times come, `2024-01-01T12:00:00.000Z`, eight bytes at a time; `None` says
    /// nothing but that this is another one, or no time.
    fn parse_usual(text: &[u8; 24]) -> Option<Self> {
        // The numbers begin at these places of each eight bytes.
        let [century, _, year, _, _, month, ..] = two_digit_numbers(text, 0, *b"0000-00-")?;
        let [day, _, _, hour, _, _, minute, _] = two_digit_numbers(text, 8, *b"00T00:00")?;
        let seconds = seconds_of((century * 100 + year, month, day), (hour, minute, 0))?;
        Self::from_millis(seconds * 1000 + seconds_and_millis(text)?).ok()
    }
}

/// Reads times of one spelling, `2024-01-01T12:00:00.000Z`, one after the other: neighbours mostly share the minute, which
/// is then not calculated anew.
#[derive(Clone, Debug)]
pub(crate) struct TimeReader {
    /// The minute read last: its text up to the seconds, and its start.
    minute: [u8; 16],
    start_millis: i64,
}

impl Default for TimeReader {
    /// As if the first minute of all had been read: what is remembered is always a time.
    fn default() -> Self {
        TimeReader { minute: *b"1970-01-01T00:00", start_millis: MIN_MILLIS }
    }
}

impl TimeReader {
    /// The time; `None` says nothing but that it has another spelling, or is no time.
    #[inline]
    pub(crate) fn read(&mut self, text: &[u8; 24]) -> Option<EventTime> {
        if !text.starts_with(&self.minute) {
            return self.enter_minute(text);
        }
        let millis = seconds_and_millis(text)?;
        Some(EventTime(self.start_millis + millis))
    }

    #[cold]
    fn enter_minute(&mut self, text: &[u8; 24]) -> Option<EventTime> {
        let time = EventTime::parse_usual(text)?;
        self.minute = *text.first_chunk()?;
        self.start_millis = Window::of(time).start_millis();
        Some(time)
    }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.0.div_euclid(1000))?;
        write!(f, ".{:03}Z", self.0.rem_euclid(1000))
    }
}

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let time = EventTime::parse(text.as_bytes()).map_err(D::Error::custom)?;
        if time.to_string() != text {
            return Err(D::Error::custom(format_args!("time {text:?} is not in UTC with milliseconds; write {time}")));
        }
        Ok(time)
    }
}

/// One minute of event time, aligned to the Unix epoch: `[start, end)`.
///
/// Windows tumble: every event time lies in exactly one. A window is its ordinal, the number of whole
/// minutes between the epoch and its start, which also serves the dataflow as its timestamp. Serde writes that ordinal,
/// for workers among themselves; every contract writes the [start](Self::start_text) instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window(u32);

impl Window {
    /// The length of every window, in milliseconds.
    pub const MILLIS: i64 = 60_000;

    /// The window in which `time` lies.
    #[must_use]
    pub const fn of(time: EventTime) -> Self {
        // Lossless: an event time is within 0..=MAX_MILLIS, and MAX_MILLIS / 60 000 < 2^32.
        Window((time.0 / Self::MILLIS) as u32)
    }

    /// The window that starts `ordinal` minutes after the Unix epoch.
    #[must_use]
    pub const fn from_ordinal(ordinal: u32) -> Self {
        Window(ordinal)
    }

    /// Whole minutes between the Unix epoch and the window's start.
    #[must_use]
    pub const fn ordinal(self) -> u32 {
        self.0
    }

    /// The first millisecond inside of the window, since the Unix epoch.
    #[must_use]
    pub const fn start_millis(self) -> i64 {
        self.0 as i64 * Self::MILLIS
    }

    /// The first millisecond after the window, since the Unix epoch.
    #[must_use]
    pub const fn end_millis(self) -> i64 {
        self.start_millis() + Self::MILLIS
    }

    /// The start as result rows write it: `YYYY-MM-DDTHH:MM:SSZ`.
    #[must_use]
    pub fn start_text(self) -> String {
        WholeSeconds(self.start_millis() / 1000).to_string()
    }

    /// The end as result rows write it: `YYYY-MM-DDTHH:MM:SSZ`.
    #[must_use]
    pub fn end_text(self) -> String {
        WholeSeconds(self.end_millis() / 1000).to_string()
    }

    /// The window whose [`start_text`](Self::start_text) is `text`.
    ///
    /// # Errors
    /// [`InvalidTime`] where `text` is not a whole minute, written that way.
    pub fn from_start_text(text: &str) -> Result<Self, InvalidTime> {
        let window = Window::of(EventTime::parse(text.as_bytes())?);
        if window.start_text() == text { Ok(window) } else { Err(InvalidTime) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.start_millis() / 1000)?;
        f.write_str("Z")
    }
}

struct WholeSeconds(i64);

impl fmt::Display for WholeSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_seconds(f, self.0)?;
        f.write_str("Z")
    }
}

fn write_seconds(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // From March on, so that a leap day is a year's last one.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    // Unsigned, which divides faster: a year has four digits, and 400 years repeat the calendar.
    let year = (year + 400) as u32;
    let days_before_year = year * 365 + year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month as u32 + 2) / 5 + day as u32 - 1;
    (days_before_year + day_of_year) as i64 - 146_097 - 719_468
}

/// The inverse of [`days_from_civil`], from the same source.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Eight bytes of a text from `at` on, if they are like the pattern: each `0` of it stands for any digit, other bytes for
/// themselves. Returns, for each byte, the number that its digit and the next one are together; what is no digit counts
/// as 0.
#[inline]
fn two_digit_numbers(text: &[u8; 24], at: usize, pattern: [u8; 8]) -> Option<[i64; 8]> {
    // What must be added so that a byte's highest bit shows that it is too large: above 9 for a digit, above 0 else.
    let carries = u64::from_le_bytes(pattern.map(|byte| if byte == b'0' { 0x76 } else { 0x7F }));
    let digits = u64::from_le_bytes(*text[at..].first_chunk()?) ^ u64::from_le_bytes(pattern);
    let too_large = (digits.wrapping_add(carries) | digits) & 0x8080_8080_8080_8080;
    // No byte gets larger than 99.
    (too_large == 0).then(|| (digits * 10 + (digits >> 8)).to_le_bytes().map(i64::from))
}

/// What `:00.000Z` at the end of a time says, in milliseconds.
#[inline]
fn seconds_and_millis(text: &[u8; 24]) -> Option<i64> {
    let [_, second, _, hundreds, _, millis, ..] = two_digit_numbers(text, 16, *b":00.000Z")?;
    (second <= 59).then_some(second * 1000 + hundreds * 100 + millis)
}

/// Seconds since the Unix epoch of a date and a time of day in UTC, if there are such.
#[inline]
fn seconds_of((year, month, day): (i64, i64, i64), (hour, minute, second): (i64, i64, i64)) -> Option<i64> {
    let is_date = (1..=12).contains(&month) && day >= 1 && (day <= 28 || day <= days_in_month(year, month));
    let is_time = hour <= 23 && minute <= 59 && second <= 59;
    (is_date && is_time).then(|| days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn parse_rfc3339(text: &[u8]) -> Option<EventTime> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T' | b't', h1, h2, b':', mi1, mi2, b':', s1, s2] = *head
    else {
        return None;
    };
    let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
    let (month, day) = (two_digits(mo1, mo2)?, two_digits(d1, d2)?);
    let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(mi1, mi2)?, two_digits(s1, s2)?);
    let seconds = seconds_of((year, month, day), (hour, minute, second))?;
    let (fraction_millis, offset) = split_fraction(rest)?;
    let seconds = seconds - offset_seconds(offset)?;
    // A fraction only ever adds, so dropping its lower digits truncates towards the past.
    EventTime::from_millis(seconds * 1000 + fraction_millis).ok()
}

/// The fraction after the seconds in whole milliseconds, and what follows it.
fn split_fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits_and_offset)) = rest.split_first() else {
        return Some((0, rest));
    };
    let len = digits_and_offset.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let (digits, offset) = digits_and_offset.split_at(len);
    let millis = (0..3).fold(0, |sum, place| sum * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0')));
    Some((millis, offset))
}

fn offset_seconds(offset: &[u8]) -> Option<i64> {
    match *offset {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two_digits(h1, h2)?, two_digits(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            Some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| i64::from(tens * 10 + ones))
}
