//! Events of `account.commands`.

use std::borrow::Cow;

use millpond_topology::{DecodeError, Deserializer};

use super::document::{Document, Payload};
use super::fault::Fault;
use crate::ids::UserId;
use crate::money::{Amount, Currency, Fen};

/// Why an operator froze, unfroze or closed an account, where it is said.
pub type AccountReason<'a> = Option<Cow<'a, str>>;

/// A command to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandEvent<'a> {
    /// Opens the user's account.
    Open {
        /// Owner.
        user: UserId,
        /// Currency, CNY unless named.
        currency: Currency,
        /// How far the balance may fall below 0, 0 unless named.
        overdraft: Fen,
    },
    /// Puts money in.
    Deposit {
        /// Owner.
        user: UserId,
        /// How much.
        amount: Amount,
        /// The currency that the command names; `None` means the account's.
        currency: Option<Currency>,
        /// Which deposit of the account this is; each is applied once.
        reference: Cow<'a, str>,
    },
    /// Takes money out.
    Withdraw {
        /// Owner.
        user: UserId,
        /// How much.
        amount: Amount,
        /// The currency that the command names; `None` means the account's.
        currency: Option<Currency>,
        /// Which withdrawal of the account this is; each is applied once.
        reference: Cow<'a, str>,
    },
    /// Stops debits.
    Freeze {
        /// Owner.
        user: UserId,
        /// Why.
        reason: AccountReason<'a>,
    },
    /// Allows debits again.
    Unfreeze {
        /// Owner.
        user: UserId,
        /// Why.
        reason: AccountReason<'a>,
    },
    /// Ends the account, which must be empty.
    Close {
        /// Owner.
        user: UserId,
        /// Why.
        reason: AccountReason<'a>,
    },
}

impl CommandEvent<'_> {
    /// Returns the user whose account is meant.
    #[must_use]
    pub fn user(&self) -> UserId {
        match *self {
            Self::Open { user, .. }
            | Self::Deposit { user, .. }
            | Self::Withdraw { user, .. }
            | Self::Freeze { user, .. }
            | Self::Unfreeze { user, .. }
            | Self::Close { user, .. } => user,
        }
    }
}

/// Reads what is left of a payload once its event type is known.
type Read = for<'a> fn(&Payload<'a>) -> Result<CommandEvent<'a>, Fault>;

fn open<'a>(payload: &Payload<'a>) -> Result<CommandEvent<'a>, Fault> {
    let user = payload.user_id().user_id()?;
    let currency = payload.currency().optional_currency()?.unwrap_or(Currency::CNY);
    let overdraft = payload.overdraft().optional_limit()?.unwrap_or(Fen::ZERO);
    Ok(CommandEvent::Open { user, currency, overdraft })
}

/// A movement of money: who, how much, in which currency, under which reference.
type Movement<'a> = (UserId, Amount, Option<Currency>, Cow<'a, str>);

fn movement<'a>(payload: &Payload<'a>) -> Result<Movement<'a>, Fault> {
    let user = payload.user_id().user_id()?;
    let amount = payload.amount().amount()?;
    let currency = payload.currency().optional_currency()?;
    Ok((user, amount, currency, payload.reference().text()?))
}

fn deposit<'a>(payload: &Payload<'a>) -> Result<CommandEvent<'a>, Fault> {
    let (user, amount, currency, reference) = movement(payload)?;
    Ok(CommandEvent::Deposit { user, amount, currency, reference })
}

fn withdraw<'a>(payload: &Payload<'a>) -> Result<CommandEvent<'a>, Fault> {
    let (user, amount, currency, reference) = movement(payload)?;
    Ok(CommandEvent::Withdraw { user, amount, currency, reference })
}

fn freeze<'a>(payload: &Payload<'a>) -> Result<CommandEvent<'a>, Fault> {
    let user = payload.user_id().user_id()?;
    Ok(CommandEvent::Freeze { user, reason: payload.reason().optional_text()? })
}

fn unfreeze<'a>(payload: &Payload<'a>) -> Result<CommandEvent<'a>, Fault> {
    let user = payload.user_id().user_id()?;
    Ok(CommandEvent::Unfreeze { user, reason: payload.reason().optional_text()? })
}

fn close<'a>(payload: &Payload<'a>) -> Result<CommandEvent<'a>, Fault> {
    let user = payload.user_id().user_id()?;
    Ok(CommandEvent::Close { user, reason: payload.reason().optional_text()? })
}

fn reader_of(event_type: &str) -> Option<Read> {
    Some(match event_type {
        "OpenAccount" => open,
        "DepositFunds" => deposit,
        "WithdrawFunds" => withdraw,
        "FreezeAccount" => freeze,
        "UnfreezeAccount" => unfreeze,
        "CloseAccount" => close,
        _ => return None,
    })
}

/// Decodes events of `account.commands`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandEventSerde;

impl Deserializer for CommandEventSerde {
    type Out<'a> = CommandEvent<'a>;

    fn deserialize<'a>(&self, bytes: &'a [u8]) -> Result<CommandEvent<'a>, DecodeError> {
        let (read, payload) = Document::read(bytes)?.open(reader_of)?;
        Ok(read(&payload)?)
    }
}
