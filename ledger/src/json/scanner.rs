//! The scanner.

use super::keys::{Keys, Spelling};
use super::text::Text;

/// Arrays and objects that may be open at once. The parser recurses, so the limit also bounds the stack.
const OPEN_MAX: usize = 64;

/// Says where a text stops being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson {
    /// Byte offset.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) why: &'static str,
}

/// A value. Of arrays and objects only that they were there: who needs their content reads it on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number matching `-?(0|[1-9][0-9]*)` that is not `-0`, as written.
    Integer(&'a str),
    /// Any other number.
    Number,
    /// A string.
    String(Text<'a>),
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Reads one JSON text from left to right.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    open: usize,
    keys: Keys<'a>,
    spelling: Spelling,
    duplicate: bool,
    nul: bool,
}

impl<'a> Scanner<'a> {
    /// Returns a scanner at the first byte that is no white space.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, NotJson> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| NotJson { at: error.valid_up_to(), why: "bytes that are not UTF-8" })?;
        let mut scanner = Self {
            text,
            at: 0,
            open: 0,
            keys: Keys::new(),
            spelling: Spelling::Plain,
            duplicate: false,
            nul: false,
        };
        scanner.space();
        Ok(scanner)
    }

    /// Says whether an object read so far had the same key twice.
    pub(crate) fn saw_duplicate_key(&self) -> bool {
        self.duplicate
    }

    /// Says whether a string read so far holds U+0000.
    pub(crate) fn saw_nul(&self) -> bool {
        self.nul
    }

    /// Returns the next byte, which stays.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fail<T>(&self, why: &'static str) -> Result<T, NotJson> {
        Err(NotJson { at: self.at, why })
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Takes `byte`, and the white space after it.
    fn take(&mut self, byte: u8, why: &'static str) -> Result<(), NotJson> {
        if self.peek() != Some(byte) {
            return self.fail(why);
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Checks that the text ends here.
    pub(crate) fn end(&self) -> Result<(), NotJson> {
        if self.at == self.text.len() { Ok(()) } else { self.fail("more after the end of the value") }
    }

    /// Reads a value and the white space after it.
    pub(crate) fn value(&mut self) -> Result<Token<'a>, NotJson> {
        let token = match self.peek() {
            Some(b'"') => Token::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'{') => return self.object(|inner, _| inner.value().map(drop)).map(|()| Token::Object),
            Some(b'[') => return self.array(|inner| inner.value().map(drop)).map(|()| Token::Array),
            Some(b'n') => self.word("null", Token::Null)?,
            Some(b't') => self.word("true", Token::Bool)?,
            Some(b'f') => self.word("false", Token::Bool)?,
            Some(_) => return self.fail("no value begins like this"),
            None => return self.fail("a value is missing"),
        };
        self.space();
        Ok(token)
    }

    /// Reads an object; `member` reads the value of each key.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Text<'a>) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        self.descend(b'{')?;
        let start = self.keys.len();
        if self.peek() != Some(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return self.fail("a key is missing");
                }
                let key = self.string()?;
                self.keys.push(key.raw);
                if key.escaped {
                    self.spelling = Spelling::Escaped;
                }
                self.space();
                self.take(b':', "`:` is missing")?;
                member(self, key)?;
                if self.peek() != Some(b',') {
                    break;
                }
                self.take(b',', "`,` is missing")?;
            }
        }
        self.open -= 1;
        self.duplicate |= self.keys.close(start, self.spelling);
        self.take(b'}', "`,` or `}` is missing")
    }

    /// Reads an array; `item` reads each value.
    pub(crate) fn array(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        self.descend(b'[')?;
        if self.peek() != Some(b']') {
            loop {
                item(self)?;
                if self.peek() != Some(b',') {
                    break;
                }
                self.take(b',', "`,` is missing")?;
            }
        }
        self.open -= 1;
        self.take(b']', "`,` or `]` is missing")
    }

    fn descend(&mut self, bracket: u8) -> Result<(), NotJson> {
        if self.open == OPEN_MAX {
            return self.fail("nested deeper than 64 arrays and objects");
        }
        self.open += 1;
        self.take(bracket, "an opening bracket is missing")
    }

    fn word(&mut self, word: &'static str, token: Token<'a>) -> Result<Token<'a>, NotJson> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return self.fail("no value begins like this");
        }
        self.at += word.len();
        Ok(token)
    }

    /// Takes digits and returns how many.
    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Token<'a>, NotJson> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => {
                self.digits();
            }
            _ => return self.fail("a digit is missing"),
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            if self.digits() == 0 {
                return self.fail("a digit is missing");
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if self.digits() == 0 {
                return self.fail("a digit is missing");
            }
        }
        let written = self.text.get(start..self.at).unwrap_or_default();
        Ok(if integer && written != "-0" { Token::Integer(written) } else { Token::Number })
    }

    /// Reads a string, from quote to quote.
    fn string(&mut self) -> Result<Text<'a>, NotJson> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += plain_bytes(rest);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                Some(_) => return self.fail("a control character in a string"),
                None => return self.fail("a string does not end"),
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    /// Takes an escape, after its backslash.
    fn escape(&mut self) -> Result<(), NotJson> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let unit = self.unit()?;
                self.nul |= unit == 0;
                match unit {
                    0xD800..=0xDBFF => {
                        let followed = self.text.as_bytes().get(self.at) == Some(&b'\\');
                        self.at += 1;
                        if !followed
                            || self.peek() != Some(b'u')
                            || !(0xDC00..=0xDFFF).contains(&self.unit()?)
                        {
                            return self.fail("a surrogate without its other half");
                        }
                    }
                    0xDC00..=0xDFFF => return self.fail("a surrogate without its other half"),
                    _ => {}
                }
            }
            _ => return self.fail("an unknown escape"),
        }
        Ok(())
    }

    /// Takes `u` and four hex digits.
    fn unit(&mut self) -> Result<u32, NotJson> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return self.fail("four hex digits are missing") };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

/// Returns how many bytes from the start are none of `"`, `\` and the control characters. Eight at a time:
/// the bit tricks (S. Anderson, "Bit Twiddling Hacks", `hasless` and `haszero`) mark the first such byte
/// exactly.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let (words, tail) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zero_in = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zero_in(word ^ (ONES * u64::from(b'"')));
        let backslash = zero_in(word ^ (ONES * u64::from(b'\\')));
        let marks = (control | quote | backslash) & HIGH;
        if marks != 0 {
            return at * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    bytes.len() - tail.len() + tail.iter().take_while(plain).count()
}
