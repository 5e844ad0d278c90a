//! The tree of a JSON text, borrowed from it where nothing had to be unescaped.

use std::borrow::Cow;

/// One value of a JSON text. Numbers keep the characters they were written with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Bool,
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// Returns the member `name` of an object; `None` when absent or when this is no object.
    pub(crate) fn get(&self, name: &str) -> Option<&Node<'a>> {
        match self {
            Node::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Returns the text of a string.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the characters of a number that is written as an integer: no fraction, no exponent, not `-0`.
    pub(crate) fn integer_token(&self) -> Option<&'a str> {
        match self {
            Node::Number(token) if *token != "-0" && !token.contains(['.', 'e', 'E']) => Some(token),
            _ => None,
        }
    }

    /// Returns the value of an integer token that fits.
    pub(crate) fn integer(&self) -> Option<i64> {
        self.integer_token()?.parse().ok()
    }

    /// Returns the value of an integer token of 0 or more.
    pub(crate) fn unsigned(&self) -> Option<u64> {
        self.integer_token()?.parse().ok()
    }
}
