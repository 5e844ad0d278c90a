//! Store 3, `references`: deposits and withdrawals that were applied.

use bincode::{Decode, Encode};
use millpond_topology::{BincodeCodec, CodecError, KeyCodec, Versioned};

use super::one_byte::one_byte;
use crate::money::{Amount, Fen};

/// The command that a reference belongs to: a deposit and a withdrawal may have the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferenceKind {
    /// DepositFunds.
    Deposit,
    /// WithdrawFunds.
    Withdrawal,
}

/// What became of a command. Only what was applied is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReferenceOutcome {
    Applied,
}

one_byte!(ReferenceOutcome { Applied = 0 });

/// An applied deposit or withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Reference {
    /// How much it moved.
    pub amount: Fen,
    outcome: ReferenceOutcome,
}

impl Reference {
    /// Returns the record of a command that moved `amount`.
    #[must_use]
    pub const fn applied(amount: Amount) -> Self {
        Self { amount: amount.fen(), outcome: ReferenceOutcome::Applied }
    }
}

impl Versioned for Reference {
    const VERSION: u8 = 1;
    const NAME: &'static str = "ledger.reference";
}

/// The codec of references.
pub type ReferenceCodec = BincodeCodec<Reference>;

/// The key of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReferenceKey<'k> {
    /// User id.
    pub user: u64,
    /// Which command.
    pub kind: ReferenceKind,
    /// The reference.
    pub reference: &'k str,
}

/// User id big-endian, kind, then the reference's bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReferenceKeyCodec;

impl KeyCodec for ReferenceKeyCodec {
    type Key<'k> = ReferenceKey<'k>;

    fn encode(&self, key: &ReferenceKey<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.user.to_be_bytes());
        out.push(match key.kind {
            ReferenceKind::Deposit => 0,
            ReferenceKind::Withdrawal => 1,
        });
        out.extend_from_slice(key.reference.as_bytes());
    }

    fn decode<'k>(&self, bytes: &'k [u8]) -> Result<ReferenceKey<'k>, CodecError> {
        let malformed = |why: &str| CodecError::malformed("reference key", why);
        let (user, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| malformed("under 9 bytes"))?;
        let (kind, reference) = rest.split_first().ok_or_else(|| malformed("under 9 bytes"))?;
        let kind = match kind {
            0 => ReferenceKind::Deposit,
            1 => ReferenceKind::Withdrawal,
            _ => return Err(malformed("unknown kind")),
        };
        let reference = std::str::from_utf8(reference).map_err(|_| malformed("not UTF-8"))?;
        Ok(ReferenceKey { user: u64::from_be_bytes(*user), kind, reference })
    }
}
