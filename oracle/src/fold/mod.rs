//! What the input must lead to: the semantics of the accounts topology, folded user by user.
//!
//! An account's history depends on nobody else's, so each user is folded alone. Inputs with an output are
//! taken in the order of the outputs; all others are taken as soon as everything before them in their own
//! topic is done, which is as good as any other place (`docs/validation.md`, section 3).

mod decide;
mod history;
mod holdings;
mod orders;

pub(crate) use history::{History, Notes, fold_user};
pub(crate) use holdings::Holdings;

#[cfg(test)]
mod tests;
