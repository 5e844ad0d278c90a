//! Numbers and escapes of RFC 8259.

/// Returns how many bytes at the start of `bytes` are one JSON number; `None` when it starts with none.
pub(super) fn number_length(bytes: &[u8]) -> Option<usize> {
    let byte = |at: usize| bytes.get(at).copied();
    let digits_end = |from: usize| {
        let mut at = from;
        while byte(at).is_some_and(|b| b.is_ascii_digit()) {
            at += 1;
        }
        (at > from).then_some(at)
    };
    let start = usize::from(byte(0) == Some(b'-'));
    let mut end = match byte(start)? {
        b'0' => start + 1,
        _ => digits_end(start)?,
    };
    if byte(end) == Some(b'.') {
        end = digits_end(end + 1)?;
    }
    if matches!(byte(end), Some(b'e' | b'E')) {
        let is_signed = matches!(byte(end + 1), Some(b'+' | b'-'));
        end = digits_end(end + 1 + usize::from(is_signed))?;
    }
    Some(end)
}

/// Replaces the escapes of a string's raw text; `None` for an unknown one or half a surrogate pair.
pub(super) fn unescape(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(rest.get(..at)?);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        text.push(match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => code_point(&mut rest)?,
            _ => return None,
        });
    }
    text.push_str(rest);
    Some(text)
}

/// Reads what follows `\u`, and the second half of a surrogate pair.
fn code_point(rest: &mut &str) -> Option<char> {
    let first = hex4(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        // A low half alone is refused by `from_u32`.
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix("\\u")?;
    let second = hex4(rest)?;
    (0xdc00..0xe000).contains(&second).then_some(())?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn hex4(rest: &mut &str) -> Option<u32> {
    let digits = rest.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
    *rest = rest.get(4..)?;
    u32::from_str_radix(digits, 16).ok()
}
