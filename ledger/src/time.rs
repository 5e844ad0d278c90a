//! RFC 3339: writing a timestamp, and judging a text. No calendar crate is needed for either.

use crate::decimal::push_padded;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Returns (year, month 1 to 12, day 1 to 31) of a day counted from 1970-01-01, in the proleptic Gregorian
/// calendar.
///
/// Method: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`. Years begin in March
/// there, so that the leap day is a year's last.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Appends a timestamp, ms since the epoch, as `2026-11-20T09:12:34.123Z`. One before the epoch is written as
/// the epoch: such records are dead letters before anything is written of them.
pub fn push_rfc3339_ms(timestamp_ms: i64, out: &mut Vec<u8>) {
    let timestamp_ms = timestamp_ms.max(0);
    let (year, month, day) = civil(timestamp_ms / DAY_MS);
    let ms = timestamp_ms % DAY_MS;
    let mut part = |number: i64, width: usize, after: u8| {
        push_padded(number.unsigned_abs(), width, out);
        out.push(after);
    };
    part(year, 4, b'-');
    part(month, 2, b'-');
    part(day, 2, b'T');
    part(ms / 3_600_000, 2, b':');
    part(ms / 60_000 % 60, 2, b':');
    part(ms / 1000 % 60, 2, b'.');
    part(ms % 1000, 3, b'Z');
}

/// Reads a text from the left.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// Takes one byte out of `wanted`.
    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        wanted.contains(&first).then_some(first)
    }

    /// Takes `width` digits.
    fn number(&mut self, width: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        digits.iter().try_fold(0u32, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
        })
    }

    /// Takes two digits of at most `max`.
    fn two(&mut self, max: u32) -> Option<u32> {
        self.number(2).filter(|number| *number <= max)
    }

    /// Takes one digit or more.
    fn digits(&mut self) -> Option<()> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.0 = self.0.get(count..)?;
        (count > 0).then_some(())
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Says whether `text` is a date and time of RFC 3339. A leap second (`:60`) is accepted at any minute.
#[must_use]
pub fn is_rfc3339(text: &str) -> bool {
    fn check(text: &[u8]) -> Option<()> {
        let mut reader = Reader(text);
        let year = reader.number(4)?;
        reader.one_of(b"-")?;
        let month = reader.two(12).filter(|month| *month >= 1)?;
        reader.one_of(b"-")?;
        reader.two(days_in(year, month)).filter(|day| *day >= 1)?;
        reader.one_of(b"Tt")?;
        reader.two(23)?;
        reader.one_of(b":")?;
        reader.two(59)?;
        reader.one_of(b":")?;
        reader.two(60)?;
        let mut zone = reader.one_of(b".Zz+-")?;
        if zone == b'.' {
            reader.digits()?;
            zone = reader.one_of(b"Zz+-")?;
        }
        if zone == b'+' || zone == b'-' {
            reader.two(23)?;
            reader.one_of(b":")?;
            reader.two(59)?;
        }
        reader.0.is_empty().then_some(())
    }
    check(text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(timestamp_ms: i64) -> String {
        let mut out = Vec::new();
        push_rfc3339_ms(timestamp_ms, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn known_instants() {
        for (ms, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_000_000_000_000, "2001-09-09T01:46:40.000Z"),
            (1_795_165_954_123, "2026-11-20T09:12:34.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-5, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(text(ms), want);
        }
    }

    /// Walks four centuries day by day beside a calendar that counts days by month lengths.
    #[test]
    fn every_day_of_four_centuries() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097i64 {
            assert_eq!(civil(days), (i64::from(year), i64::from(month), i64::from(day)));
            let written = text(days * DAY_MS + 1);
            assert_eq!(written, format!("{year:04}-{month:02}-{day:02}T00:00:00.001Z"));
            assert!(is_rfc3339(&written));
            day += 1;
            if day > days_in(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn texts_are_judged_by_the_grammar() {
        for good in [
            "2026-11-20T09:12:34Z",
            "2026-11-20t09:12:34z",
            "2024-02-29T23:59:60+08:00",
            "2000-02-29T00:00:00.000000000001-23:59",
            "0000-01-01T00:00:00-00:00",
        ] {
            assert!(is_rfc3339(good), "{good}");
        }
        for bad in [
            "",
            "2026-11-20",
            "2026-11-20 09:12:34Z",
            "2026-11-20T09:12:34",
            "2026-11-20T09:12:34.Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T09:60:00Z",
            "2026-11-20T09:12:61Z",
            "2026-13-20T09:12:34Z",
            "2026-00-20T09:12:34Z",
            "2026-11-00T09:12:34Z",
            "2026-11-31T09:12:34Z",
            "2023-02-29T09:12:34Z",
            "2100-02-29T09:12:34Z",
            "2026-11-20T09:12:34+24:00",
            "2026-11-20T09:12:34+08:60",
            "2026-11-20T09:12:34+0800",
            "2026-11-20T09:12:34ZZ",
            "+026-11-20T09:12:34Z",
            "2026-11-20T09:12:34.123Z ",
            "２026-11-20T09:12:34Z",
        ] {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }
}
