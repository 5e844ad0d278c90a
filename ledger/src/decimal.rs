//! Decimal ASCII without the formatting machinery: a few nanoseconds per number, no allocation of its own.

/// Digits of the greatest `u64`.
const DIGITS_MAX: usize = 20;

/// Calls `use_digits` with the decimal digits of `number`.
fn with_digits<T>(mut number: u64, use_digits: impl FnOnce(&[u8]) -> T) -> T {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut start = DIGITS_MAX;
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        // A remainder by ten is one digit.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        start = at;
        if number == 0 {
            break;
        }
    }
    use_digits(digits.get(start..).unwrap_or_default())
}

/// Appends `number`.
pub(crate) fn push_u64(number: u64, out: &mut Vec<u8>) {
    with_digits(number, |digits| out.extend_from_slice(digits));
}

/// Appends `number`, with `-` when it is negative.
pub(crate) fn push_i64(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    push_u64(number.unsigned_abs(), out);
}

/// Appends `number` with zeros in front, at least `width` digits.
pub(crate) fn push_padded(number: u64, width: usize, out: &mut Vec<u8>) {
    with_digits(number, |digits| {
        out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
        out.extend_from_slice(digits);
    });
}

/// Says whether `text` is exactly the decimal form of `number`: no sign, no zeros in front.
pub(crate) fn is_decimal_of(text: &[u8], number: u64) -> bool {
    with_digits(number, |digits| digits == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_standard_formatter(number in prop_oneof![any::<i64>(), -1000i64..1000]) {
            let mut out = Vec::new();
            push_i64(number, &mut out);
            prop_assert_eq!(String::from_utf8_lossy(&out), number.to_string());
            let absolute = number.unsigned_abs();
            prop_assert!(is_decimal_of(absolute.to_string().as_bytes(), absolute));
            let padded = format!("0{absolute}");
            prop_assert!(!is_decimal_of(padded.as_bytes(), absolute));
            out.clear();
            push_padded(absolute, 6, &mut out);
            prop_assert_eq!(String::from_utf8_lossy(&out), format!("{absolute:06}"));
        }
    }

    #[test]
    fn the_ends_of_the_range_fit() {
        let mut out = Vec::new();
        push_i64(i64::MIN, &mut out);
        push_u64(u64::MAX, &mut out);
        push_u64(0, &mut out);
        assert_eq!(out, b"-9223372036854775808184467440737095516150");
    }
}
