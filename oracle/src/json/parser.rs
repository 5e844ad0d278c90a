//! Recursive descent over one JSON text.

use std::borrow::Cow;

use super::literal::{number_length, unescape};
use super::node::Node;

/// Arrays and objects that may be open at once; the top level object is the first.
const DEPTH_MAX: usize = 64;

/// Members above which duplicate keys are found by sorting instead of by comparing each with each.
const LINEAR_SEARCH_MAX: usize = 16;

/// A JSON text that obeys the grammar, and what else is to be known about it.
pub(crate) struct Document<'a> {
    pub(crate) root: Node<'a>,
    /// Some object holds two keys that are equal after unescaping.
    pub(crate) has_duplicate_key: bool,
    /// Some string or key holds U+0000.
    pub(crate) has_nul: bool,
}

/// Reads `bytes` as exactly one JSON text; `None` when it is not one, or nested deeper than 64.
pub(crate) fn parse(bytes: &[u8]) -> Option<Document<'_>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut parser = Parser { text, at: 0, has_duplicate_key: false, has_nul: false };
    parser.skip_space();
    let root = parser.value(0)?;
    parser.skip_space();
    if parser.at != text.len() {
        return None;
    }
    Some(Document { root, has_duplicate_key: parser.has_duplicate_key, has_nul: parser.has_nul })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    has_duplicate_key: bool,
    has_nul: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips white space, then takes `byte` if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str, node: Node<'a>) -> Option<Node<'a>> {
        self.rest().starts_with(word).then(|| self.at += word.len())?;
        Some(node)
    }

    fn value(&mut self, depth: usize) -> Option<Node<'a>> {
        self.skip_space();
        match self.peek()? {
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => self.string().map(Node::String),
            b't' => self.word("true", Node::Bool),
            b'f' => self.word("false", Node::Bool),
            b'n' => self.word("null", Node::Null),
            _ => {
                let token = self.rest().get(..number_length(self.rest().as_bytes())?)?;
                self.at += token.len();
                Some(Node::Number(token))
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Node<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        if depth > DEPTH_MAX {
            return None;
        }
        if self.take(b']') {
            return Some(Node::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.take(b']') {
                return Some(Node::Array(items));
            }
            self.take(b',').then_some(())?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Node<'a>> {
        self.at += 1;
        let mut members = Vec::new();
        if depth > DEPTH_MAX {
            return None;
        }
        if self.take(b'}') {
            return Some(Node::Object(members));
        }
        loop {
            self.skip_space();
            (self.peek() == Some(b'"')).then_some(())?;
            let key = self.string()?;
            self.take(b':').then_some(())?;
            members.push((key, self.value(depth)?));
            if self.take(b'}') {
                self.has_duplicate_key |= has_duplicate_key(&members);
                return Some(Node::Object(members));
            }
            self.take(b',').then_some(())?;
        }
    }

    /// Reads a string whose opening quote comes next.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.at += 1;
        let body = self.rest();
        let mut end = 0;
        let mut is_escaped = false;
        loop {
            match body.as_bytes().get(end)? {
                b'"' => break,
                b'\\' => {
                    is_escaped = true;
                    end += 2;
                }
                0..=0x1f => return None,
                _ => end += 1,
            }
        }
        let raw = body.get(..end)?;
        self.at += end + 1;
        if !is_escaped {
            return Some(Cow::Borrowed(raw));
        }
        let text = unescape(raw)?;
        self.has_nul |= text.contains('\0');
        Some(Cow::Owned(text))
    }
}

fn has_duplicate_key(members: &[(Cow<'_, str>, Node<'_>)]) -> bool {
    if members.len() <= LINEAR_SEARCH_MAX {
        return members.iter().enumerate().any(|(i, (key, _))| members.iter().take(i).any(|(k, _)| k == key));
    }
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}
