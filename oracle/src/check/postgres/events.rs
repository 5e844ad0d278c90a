//! The rows that single outputs lead to.

use super::accounts::signed;
use crate::event::{Event, Output, Purpose};
use crate::output::Identity;
use crate::place::Names;
use crate::postgres::{ChangeRow, RejectionRow};

/// Returns the row of `balance_changes`; `None` when the output changes no balance.
pub(super) fn change(output: &Output, identity: &Identity, names: &Names) -> Option<ChangeRow> {
    let change = output.event.change()?;
    let (mut order, mut refund, mut reference) = (None, None, None);
    match &output.event {
        Event::Credited { reference: of, .. } | Event::Debited { purpose: Purpose::Withdrawal(of), .. } => {
            reference = Some(of.to_string());
        }
        Event::Debited { purpose: Purpose::Order(of), .. } => order = Some(signed(*of)),
        Event::Refunded { order: of, refund: by, .. } => {
            order = Some(signed(*of));
            refund = by.as_ref().map(ToString::to_string);
        }
        _ => return None,
    }
    Some(ChangeRow {
        at: (output.partition, output.offset),
        event_id: identity.event_id(output.source).to_string(),
        kind: output.event.name().to_owned(),
        user: signed(output.user),
        delta: change.delta,
        balance_after: change.balance_after,
        currency: change.currency.to_string(),
        version: signed(change.version),
        order,
        refund,
        reference,
        source: source(output, names),
        occurred_ms: output.timestamp_ms,
    })
}

/// Returns the row of `command_rejections`; `None` when the output is none.
pub(super) fn rejection(output: &Output, identity: &Identity, names: &Names) -> Option<RejectionRow> {
    let Event::Rejected { command, reference, refund, order, reason } = &output.event else { return None };
    let owned = |text: &Option<Box<str>>| text.as_ref().map(ToString::to_string);
    Some(RejectionRow {
        at: (output.partition, output.offset),
        event_id: identity.event_id(output.source).to_string(),
        user: signed(output.user),
        command: command.to_string(),
        reason: reason.to_string(),
        reference: owned(reference),
        refund: owned(refund),
        order: order.map(signed),
        source: source(output, names),
        occurred_ms: output.timestamp_ms,
    })
}

fn source(output: &Output, names: &Names) -> (String, i32, i64) {
    let source = output.source;
    (names.topic(source.side).to_owned(), source.partition, source.offset)
}
