//! Reading the sink's tables, all from one snapshot of the database.

mod rows;
mod session;

pub(crate) use rows::{AccountRow, ChangeRow, LetterRow, OrderRow, RejectionRow};
pub(crate) use session::{Session, SinkOffset};
