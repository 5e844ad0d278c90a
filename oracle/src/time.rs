//! RFC 3339, both ways, without a calendar crate.

/// Tells whether `text` is a date and time of RFC 3339 as `docs/validation.md` states it.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    parse(text.as_bytes()).is_some()
}

fn parse(bytes: &[u8]) -> Option<()> {
    let number = |at: usize, digits: usize| {
        let part = bytes.get(at..at + digits)?;
        part.iter().try_fold(0_u32, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
    };
    let is = |at: usize, allowed: &[u8]| bytes.get(at).filter(|b| allowed.contains(b)).map(|_| ());
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    is(4, b"-").and(is(7, b"-")).and(is(10, b"Tt")).and(is(13, b":")).and(is(16, b":"))?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && number(11, 2)? <= 23
        && number(14, 2)? <= 59
        && number(17, 2)? <= 60;
    in_range.then_some(())?;
    let mut at = 19;
    if is(at, b".").is_some() {
        number(at + 1, 1)?;
        at += 1;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
    }
    if is(at, b"Zz").is_some() {
        return (bytes.len() == at + 1).then_some(());
    }
    is(at, b"+-").and(is(at + 3, b":"))?;
    let is_offset = number(at + 1, 2)? <= 23 && number(at + 4, 2)? <= 59 && bytes.len() == at + 6;
    is_offset.then_some(())
}

fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Writes milliseconds since the epoch (0 or more) as `YYYY-MM-DDThh:mm:ss.mmmZ`.
pub(crate) fn rfc3339_of_ms(ms: i64) -> String {
    let (day_count, ms_of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    // Howard Hinnant, "chrono-compatible low-level date algorithms": civil_from_days.
    let z = day_count + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (ms_of_day / 3_600_000, ms_of_day / 60_000 % 60);
    let (second, milli) = (ms_of_day / 1_000 % 60, ms_of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::{is_rfc3339, rfc3339_of_ms};
    use proptest::prelude::*;

    #[test]
    fn accepts_and_refuses_as_documented() {
        for text in [
            "2026-11-20T09:12:34.123Z",
            "2024-02-29t23:59:60z",
            "2026-11-20T09:12:34+05:30",
            "2000-02-29T00:00:00.1-23:59",
        ] {
            assert!(is_rfc3339(text), "{text}");
        }
        for text in [
            "2026-11-20 09:12:34Z",
            "2026-11-20T09:12:34",
            "2025-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T09:60:00Z",
            "2026-11-20T09:12:61Z",
            "2026-11-20T09:12:34.Z",
            "2026-11-20T09:12:34+24:00",
            "2026-11-20T09:12:34+0530",
            "2026-11-20T09:12:34ZZ",
            "2026-1-20T09:12:34Z",
            "",
            "+026-11-20T09:12:34Z",
        ] {
            assert!(!is_rfc3339(text), "{text}");
        }
    }

    #[test]
    fn writes_known_instants() {
        assert_eq!(rfc3339_of_ms(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339_of_ms(951_782_400_001), "2000-02-29T00:00:00.001Z");
        assert_eq!(rfc3339_of_ms(1_795_165_954_123), "2026-11-20T09:12:34.123Z");
    }

    proptest! {
        #[test]
        fn writes_what_it_accepts(ms in 0_i64..253_402_300_800_000) {
            prop_assert!(is_rfc3339(&rfc3339_of_ms(ms)));
        }
    }
}
