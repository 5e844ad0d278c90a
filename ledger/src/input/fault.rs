//! What is wrong with a field.

use std::borrow::Cow;

use millpond_topology::DecodeError;

use crate::reason::DeadLetter;

/// A fault of one field. It is copied and becomes text only when the record is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: DeadLetter,
    pub(super) field: &'static str,
    pub(super) why: &'static str,
}

impl Fault {
    pub(super) const fn missing(field: &'static str) -> Self {
        Self { code: DeadLetter::MissingField, field, why: "is missing" }
    }

    pub(super) const fn bad(field: &'static str, why: &'static str) -> Self {
        Self { code: DeadLetter::BadField, field, why }
    }

    pub(super) const fn out_of_range(field: &'static str, why: &'static str) -> Self {
        Self { code: DeadLetter::AmountOutOfRange, field, why }
    }
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.code.name(), format!("field `{}` {}", fault.field, fault.why))
    }
}

/// Returns the error of a record as a whole.
pub(super) fn refuse(code: DeadLetter, message: impl Into<Cow<'static, str>>) -> DecodeError {
    DecodeError::new(code.name(), message)
}
