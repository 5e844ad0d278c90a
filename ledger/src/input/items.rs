//! The items of an order: checked while they are read, and not kept, because nothing in the ledger needs
//! them.

use super::fault::Fault;
use super::fields::Field;
use crate::json::{NotJson, Scanner, Token};

/// Items of an order at most.
const ITEMS_MAX: usize = 1000;

/// Pieces of an item at most.
const QTY_MAX: u64 = 1_000_000;

/// Reads the value of `items` and returns its fault, if it has one. Null is no items.
pub(super) fn read(scanner: &mut Scanner<'_>) -> Result<Option<Fault>, NotJson> {
    if scanner.peek() != Some(b'[') {
        let token = scanner.value()?;
        return Ok((token != Token::Null).then_some(Fault::bad("payload.items", "is not an array")));
    }
    let (mut count, mut first) = (0usize, None);
    scanner.array(|inner| {
        let fault = item(inner)?;
        first = first.or(fault);
        count += 1;
        Ok(())
    })?;
    Ok(if count > ITEMS_MAX { Some(Fault::bad("payload.items", "has more than 1000 items")) } else { first })
}

fn item(scanner: &mut Scanner<'_>) -> Result<Option<Fault>, NotJson> {
    if scanner.peek() != Some(b'{') {
        scanner.value()?;
        return Ok(Some(Fault::bad("payload.items", "has an item that is not an object")));
    }
    let (mut sku, mut qty, mut price) = (None, None, None);
    scanner.object(|inner, key| {
        let value = inner.value()?;
        match &*key.unescape() {
            "sku" => sku = Some(value),
            "qty" => qty = Some(value),
            "priceFen" => price = Some(value),
            _ => {}
        }
        Ok(())
    })?;
    let check = || {
        Field::new("payload.items.sku", sku).text()?;
        Field::new("payload.items.qty", qty).count(QTY_MAX)?;
        Field::new("payload.items.priceFen", price).limit()
    };
    Ok(check().err())
}
