//! What both processors do: admit a record, read and write accounts with their invariants, emit events.

use millpond_topology::{
    Context, KeyValueStore, ProcessError, SinkRef, SourcePosition, U64Key, partition_for,
};

use crate::counter::of_rejection;
use crate::decimal::is_decimal_of;
use crate::ids::UserId;
use crate::money::Overflow;
use crate::output::{AccountEvent, AccountEventSerde, Outgoing, Subject, UserKey};
use crate::reason::{DeadLetter, Rejection};
use crate::state::{Account, AccountCodec};

impl From<Overflow> for DeadLetter {
    fn from(_: Overflow) -> Self {
        Self::Arithmetic
    }
}

/// Returns the dead letter of an input whose sum would leave 64 bits. The task undoes what the input did so
/// far.
pub(super) fn arithmetic(overflow: Overflow) -> ProcessError {
    ProcessError::dead_letter(DeadLetter::from(overflow).name(), overflow.to_string())
}

/// Stops the task: the state is not what this program wrote.
pub(super) fn stop(what: &str, user: UserId, why: &str) -> ProcessError {
    let user = user.get();
    let cure =
        "Going on would spread the damage: run `millpond verify`, then rebuild the state from the changelog.";
    ProcessError::Stop { message: format!("{what} of user {user} is impossible: {why}. {cure}") }
}

/// The account store and the event sink.
#[derive(Clone)]
pub(crate) struct Desk {
    accounts: KeyValueStore<U64Key, AccountCodec>,
    events: SinkRef<UserKey, AccountEventSerde>,
}

impl Desk {
    pub(crate) fn new(
        accounts: KeyValueStore<U64Key, AccountCodec>,
        events: SinkRef<UserKey, AccountEventSerde>,
    ) -> Self {
        Self { accounts, events }
    }

    fn source<'a>(ctx: &Context<'a>) -> Result<SourcePosition<'a>, ProcessError> {
        ctx.source()
            .ok_or_else(|| ProcessError::Stop { message: "a record without a source position".to_owned() })
    }

    /// Checks that a record is where its user's records are: an account has one owner, the task of its
    /// partition.
    pub(super) fn admit(&self, key: &[u8], user: UserId, ctx: &Context<'_>) -> Result<(), ProcessError> {
        if !is_decimal_of(key, user.get()) {
            let message = "the key is not the decimal form of payload.userId";
            return Err(ProcessError::dead_letter(DeadLetter::KeyMismatch.name(), message));
        }
        let (is, should) = (Self::source(ctx)?.partition, partition_for(key, ctx.input_partitions()));
        if is != should {
            let message = format!("the record is in partition {is}, its key belongs to partition {should}");
            return Err(ProcessError::dead_letter(DeadLetter::WrongPartition.name(), message));
        }
        Ok(())
    }

    /// Returns the user's account.
    pub(super) fn account(
        &self,
        ctx: &mut Context<'_>,
        user: UserId,
    ) -> Result<Option<Account>, ProcessError> {
        let account = self.accounts.get(ctx, &user.get())?;
        match account.and_then(|account| account.fault()) {
            Some(fault) => Err(stop("the stored account", user, fault)),
            None => Ok(account),
        }
    }

    /// Writes the user's account after exactly one change.
    pub(super) fn save(
        &self,
        ctx: &mut Context<'_>,
        user: UserId,
        before: Option<&Account>,
        after: &Account,
    ) -> Result<(), ProcessError> {
        if before.map_or(0, |before| before.version).checked_add(1) != Some(after.version) {
            return Err(stop("the changed account", user, "the version did not grow by 1"));
        }
        if let Some(fault) = after.fault() {
            return Err(stop("the changed account", user, fault));
        }
        Ok(self.accounts.put(ctx, &user.get(), after)?)
    }

    /// Emits an event with the source position of the record in hand.
    pub(super) fn emit(
        &self,
        ctx: &mut Context<'_>,
        user: UserId,
        event: AccountEvent<'_>,
    ) -> Result<(), ProcessError> {
        let source = Self::source(ctx)?;
        let outgoing = Outgoing {
            event,
            user,
            source,
            index: ctx.next_output_index(),
            timestamp_ms: ctx.timestamp_ms(),
        };
        ctx.send(&self.events, &user, &outgoing);
        Ok(())
    }

    /// Emits and counts a CommandRejected. A rejected command changes nothing and is not remembered.
    pub(super) fn reject(
        &self,
        ctx: &mut Context<'_>,
        user: UserId,
        (command, subject): (&'static str, Subject<'_>),
        reason: Rejection,
    ) -> Result<(), ProcessError> {
        ctx.count(of_rejection(reason), 1);
        self.emit(ctx, user, AccountEvent::Rejected { command, subject, reason })
    }
}
