//! The payload of an output event: exactly its fields, no more and no fewer.

use crate::event::{Change, Currency, Event, Purpose, Status, Text};
use crate::json::Node;

/// The members of a payload, each to be read once.
struct Payload<'n, 'a> {
    node: &'n Node<'a>,
    /// Names of the fields that were read.
    read: Vec<&'static str>,
}

impl<'n, 'a> Payload<'n, 'a> {
    fn get(&mut self, name: &'static str) -> Option<&'n Node<'a>> {
        let found = self.node.get(name)?;
        self.read.push(name);
        Some(found)
    }

    fn need<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'n Node<'a>) -> Option<T>,
    ) -> Result<T, String> {
        let node = self.get(name).ok_or_else(|| format!("payload.{name} is absent"))?;
        read(node).ok_or_else(|| format!("payload.{name} has the wrong type or value"))
    }

    fn signed(&mut self, name: &'static str) -> Result<i64, String> {
        self.need(name, Node::integer)
    }

    fn unsigned(&mut self, name: &'static str) -> Result<u64, String> {
        self.need(name, Node::unsigned)
    }

    fn text(&mut self, name: &'static str) -> Result<Text, String> {
        self.need(name, |node| node.text().map(Text::from))
    }

    /// Reads a field that must be present and may be null.
    fn nullable<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'n Node<'a>) -> Option<T>,
    ) -> Result<Option<T>, String> {
        self.need(name, |node| if *node == Node::Null { Some(None) } else { read(node).map(Some) })
    }

    /// Reads a field that may be absent, but not null.
    fn absentable<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'n Node<'a>) -> Option<T>,
    ) -> Result<Option<T>, String> {
        if self.node.get(name).is_none() { Ok(None) } else { self.need(name, read).map(Some) }
    }

    fn currency(&mut self) -> Result<Currency, String> {
        self.need("currency", |node| Currency::from_text(node.text()?))
    }

    fn change(&mut self) -> Result<Change, String> {
        Ok(Change {
            delta: self.signed("deltaFen")?,
            balance_after: self.signed("balanceAfterFen")?,
            currency: self.currency()?,
            version: self.unsigned("accountVersion")?,
        })
    }

    /// Reads the account's id, which is the user's.
    fn account(&mut self, user: u64) -> Result<(), String> {
        match self.unsigned("accountId")? {
            account if account == user => Ok(()),
            account => Err(format!("payload.accountId is {account}, payload.userId {user}")),
        }
    }

    fn end(&self) -> Result<(), String> {
        let Node::Object(members) = self.node else { return Err("payload is no object".to_owned()) };
        match members.iter().find(|(name, _)| !self.read.contains(&name.as_ref())) {
            Some((name, _)) => Err(format!("payload.{name} does not belong there")),
            None => Ok(()),
        }
    }
}

fn text_of(node: &Node<'_>) -> Option<Text> {
    node.text().map(Text::from)
}

/// Reads the user and the event; the error says what is wrong with which field.
pub(super) fn read(event_type: &str, node: &Node<'_>) -> Result<(u64, Event), String> {
    let mut payload = Payload { node, read: Vec::with_capacity(8) };
    let user = payload.unsigned("userId")?;
    if !matches!(event_type, "DebitFailed" | "CommandRejected") {
        payload.account(user)?;
    }
    let event = event(event_type, &mut payload)?;
    payload.end()?;
    Ok((user, event))
}

fn event(event_type: &str, payload: &mut Payload<'_, '_>) -> Result<Event, String> {
    Ok(match event_type {
        "AccountOpened" => Event::Opened {
            currency: payload.currency()?,
            overdraft: payload.signed("overdraftFen")?,
            version: payload.unsigned("accountVersion")?,
        },
        "AccountCredited" => {
            Event::Credited { reference: payload.text("reference")?, change: payload.change()? }
        }
        "AccountDebited" => {
            let order = payload.absentable("orderId", Node::unsigned)?;
            let purpose = match (order, payload.absentable("reference", text_of)?) {
                (Some(order), None) => Purpose::Order(order),
                (None, Some(reference)) => Purpose::Withdrawal(reference),
                _ => return Err("payload needs one of orderId and reference".to_owned()),
            };
            Event::Debited { purpose, change: payload.change()? }
        }
        "DebitFailed" => Event::DebitFailed {
            order: payload.unsigned("orderId")?,
            amount: payload.signed("amountFen")?,
            reason: payload.text("reason")?,
            balance: payload.nullable("balanceFen", Node::integer)?,
        },
        "AccountRefunded" => Event::Refunded {
            order: payload.unsigned("orderId")?,
            refund: payload.nullable("refundId", text_of)?,
            refunded_total: payload.signed("refundedTotalFen")?,
            change: payload.change()?,
        },
        "AccountFrozen" => became(Status::Frozen, payload)?,
        "AccountUnfrozen" => became(Status::Open, payload)?,
        "AccountClosed" => became(Status::Closed, payload)?,
        "CommandRejected" => Event::Rejected {
            command: payload.text("command")?,
            reference: payload.absentable("reference", text_of)?,
            refund: payload.absentable("refundId", text_of)?,
            order: payload.absentable("orderId", Node::unsigned)?,
            reason: payload.text("reason")?,
        },
        other => return Err(format!("unknown eventType {other}")),
    })
}

fn became(status: Status, payload: &mut Payload<'_, '_>) -> Result<Event, String> {
    let reason = payload.nullable("reason", text_of)?;
    Ok(Event::Became { status, reason, version: payload.unsigned("accountVersion")? })
}
