//! The types of payload fields and what a wrong one is called.

use crate::code::Code;
use crate::event::{Currency, Text};
use crate::json::Node;

/// Largest amount, in fen.
const AMOUNT_FEN_MAX: i64 = 1_000_000_000_000_000;

/// Bytes of the longest text.
const TEXT_BYTES_MAX: usize = 128;

/// Items of the longest order.
const ITEMS_MAX: usize = 1_000;

/// Largest quantity of an item.
const QUANTITY_MAX: i64 = 1_000_000;

/// Tells whether `text` is 1 to 128 bytes of printable ASCII.
pub(crate) fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

/// The members of an object, read by type.
pub(crate) struct Fields<'n, 'a>(pub(crate) &'n Node<'a>);

impl<'n, 'a> Fields<'n, 'a> {
    /// Returns a required field.
    pub(crate) fn required(&self, name: &str) -> Result<&'n Node<'a>, Code> {
        self.0.get(name).ok_or(Code::MissingField)
    }

    /// Returns an optional field; null means absent.
    fn optional(&self, name: &str) -> Option<&'n Node<'a>> {
        self.0.get(name).filter(|node| **node != Node::Null)
    }

    /// Reads an identifier, 1 ..= 2^63 - 1.
    pub(crate) fn id(&self, name: &str) -> Result<u64, Code> {
        let id = self.required(name)?.integer().ok_or(Code::BadField)?;
        u64::try_from(id).ok().filter(|id| *id > 0).ok_or(Code::BadField)
    }

    /// Reads an amount, 1 ..= 10^15.
    pub(crate) fn amount(&self, name: &str) -> Result<i64, Code> {
        amount(self.required(name)?, 1)
    }

    /// Reads an optional amount, 0 ..= 10^15.
    pub(crate) fn optional_amount_from_zero(&self, name: &str) -> Result<Option<i64>, Code> {
        self.optional(name).map(|node| amount(node, 0)).transpose()
    }

    /// Reads a text.
    pub(crate) fn text(&self, name: &str) -> Result<Text, Code> {
        text(self.required(name)?)
    }

    /// Reads an optional text.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<Text>, Code> {
        self.optional(name).map(text).transpose()
    }

    /// Reads an optional currency.
    pub(crate) fn optional_currency(&self, name: &str) -> Result<Option<Currency>, Code> {
        let currency = |node: &Node<'_>| node.text().and_then(Currency::from_text).ok_or(Code::BadField);
        self.optional(name).map(currency).transpose()
    }

    /// Checks the optional items of an order.
    pub(crate) fn items(&self, name: &str) -> Result<(), Code> {
        match self.optional(name) {
            None => Ok(()),
            Some(Node::Array(items)) if items.len() <= ITEMS_MAX => items.iter().try_for_each(item),
            Some(_) => Err(Code::BadField),
        }
    }
}

fn amount(node: &Node<'_>, least: i64) -> Result<i64, Code> {
    node.integer_token().ok_or(Code::BadField)?;
    let amount = node.integer().ok_or(Code::AmountOutOfRange)?;
    (least..=AMOUNT_FEN_MAX).contains(&amount).then_some(amount).ok_or(Code::AmountOutOfRange)
}

fn text(node: &Node<'_>) -> Result<Text, Code> {
    node.text().filter(|text| is_text(text)).map(Text::from).ok_or(Code::BadField)
}

fn item(node: &Node<'_>) -> Result<(), Code> {
    if !matches!(node, Node::Object(_)) {
        return Err(Code::BadField);
    }
    let fields = Fields(node);
    fields.text("sku")?;
    let quantity = fields.required("qty")?.integer().ok_or(Code::BadField)?;
    if !(1..=QUANTITY_MAX).contains(&quantity) {
        return Err(Code::BadField);
    }
    amount(fields.required("priceFen")?, 0).map(|_| ())
}
