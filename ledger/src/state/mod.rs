//! What the stores hold. Bytes: `docs/formats.md`.

mod account;
mod one_byte;
mod order;
mod reference;
#[cfg(test)]
mod tests;

pub use account::{Account, AccountCodec, Status};
pub use order::{OrderCodec, OrderOutcome, OrderRecord};
pub use reference::{Reference, ReferenceCodec, ReferenceKey, ReferenceKeyCodec, ReferenceKind};
