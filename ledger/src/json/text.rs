//! A string of a JSON text, as written.

use std::borrow::Cow;

/// A string between its quotes. The scanner has checked its escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub(super) raw: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    /// Returns the string itself; borrowed unless it was written with escapes.
    pub(crate) fn unescape(self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// Returns the UTF-16 unit of the four hex digits at the start of `rest`, and what follows them.
fn unit(rest: &str) -> Option<(u32, &str)> {
    let (digits, rest) = rest.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// Returns the character after `\u` and what follows it.
fn unicode(rest: &str) -> Option<(char, &str)> {
    let (first, rest) = unit(rest)?;
    if (0xD800..0xDC00).contains(&first) {
        let (second, rest) = unit(rest.strip_prefix("\\u")?)?;
        let code = 0x10000 + ((first - 0xD800) << 10) + second.checked_sub(0xDC00)?;
        return Some((char::from_u32(code)?, rest));
    }
    Some((char::from_u32(first)?, rest))
}

/// Resolves the escapes of `raw`.
pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        let escape = chars.next();
        rest = chars.as_str();
        let plain = match escape {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                // The scanner refuses every escape that this would not understand.
                let (found, after) = unicode(rest).unwrap_or((char::REPLACEMENT_CHARACTER, rest));
                rest = after;
                found
            }
            Some(other) => other,
            None => char::REPLACEMENT_CHARACTER,
        };
        out.push(plain);
    }
    out.push_str(rest);
    out
}
