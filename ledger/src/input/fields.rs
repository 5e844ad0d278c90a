//! Fields by type: what is accepted, and which reason the rest has.

use std::borrow::Cow;

use super::fault::Fault;
use crate::ids::{OrderId, UserId};
use crate::json::{Text, Token};
use crate::money::{Amount, Currency, Fen};

/// Longest text, bytes.
const TEXT_BYTES_MAX: usize = 128;

/// A field: its name, and its value where it is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) token: Option<Token<'a>>,
}

impl<'a> Field<'a> {
    pub(super) const fn new(name: &'static str, token: Option<Token<'a>>) -> Self {
        Self { name, token }
    }

    fn required(self) -> Result<Token<'a>, Fault> {
        self.token.ok_or(Fault::missing(self.name))
    }

    /// Absent and null mean the same.
    fn optional<T>(self, read: impl FnOnce(Self) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        match self.token {
            None | Some(Token::Null) => Ok(None),
            Some(_) => read(self).map(Some),
        }
    }

    /// Returns a string as written.
    pub(super) fn string(self) -> Result<Text<'a>, Fault> {
        match self.required()? {
            Token::String(text) => Ok(text),
            _ => Err(Fault::bad(self.name, "is not a string")),
        }
    }

    /// Returns 1 to 128 bytes of printable ASCII.
    pub(super) fn text(self) -> Result<Cow<'a, str>, Fault> {
        let text = self.string()?.unescape();
        let printable = text.bytes().all(|byte| (0x20..=0x7E).contains(&byte));
        if printable && (1..=TEXT_BYTES_MAX).contains(&text.len()) {
            Ok(text)
        } else {
            Err(Fault::bad(self.name, "is not 1 to 128 bytes of printable ASCII"))
        }
    }

    pub(super) fn optional_text(self) -> Result<Option<Cow<'a, str>>, Fault> {
        self.optional(Self::text)
    }

    pub(super) fn optional_currency(self) -> Result<Option<Currency>, Fault> {
        self.optional(|field| {
            let text = field.string()?.unescape();
            Currency::new(text.as_bytes()).ok_or(Fault::bad(field.name, "is not three of A to Z"))
        })
    }

    /// Returns an integer token as written.
    fn integer(self) -> Result<&'a str, Fault> {
        match self.required()? {
            Token::Integer(written) => Ok(written),
            _ => Err(Fault::bad(self.name, "is not an integer")),
        }
    }

    fn id<T>(self, new: impl FnOnce(u64) -> Option<T>) -> Result<T, Fault> {
        let id = self.integer()?.parse().ok().and_then(new);
        id.ok_or(Fault::bad(self.name, "is not an id: 1 to 9223372036854775807"))
    }

    pub(super) fn user_id(self) -> Result<UserId, Fault> {
        self.id(UserId::new)
    }

    pub(super) fn order_id(self) -> Result<OrderId, Fault> {
        self.id(OrderId::new)
    }

    /// Returns an integer of 1 to `max`.
    pub(super) fn count(self, max: u64) -> Result<u64, Fault> {
        let number = self.integer()?.parse().ok().filter(|number| (1..=max).contains(number));
        number.ok_or(Fault::bad(self.name, "is out of range"))
    }

    pub(super) fn amount(self) -> Result<Amount, Fault> {
        let amount = self.integer()?.parse().ok().and_then(Amount::new);
        amount.ok_or(Fault::out_of_range(self.name, "is not 1 to 10^15 fen"))
    }

    /// Returns an amount from 0.
    pub(super) fn limit(self) -> Result<Fen, Fault> {
        let limit = self.integer()?.parse().ok().map(Fen::new).filter(|fen| fen.is_limit());
        limit.ok_or(Fault::out_of_range(self.name, "is not 0 to 10^15 fen"))
    }

    pub(super) fn optional_limit(self) -> Result<Option<Fen>, Fault> {
        self.optional(Self::limit)
    }
}
