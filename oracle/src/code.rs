//! The closed list of dead-letter reason codes.

use std::fmt;

macro_rules! codes {
    ($($variant:ident $name:literal),+ $(,)?) => {
        /// Why a record is a dead letter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Code { $($variant),+ }

        impl Code {
            /// Every code, in the order of checking.
            #[cfg(test)]
            pub(crate) const ALL: &[Code] = &[$(Code::$variant),+];

            /// Returns the name on the wire.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            /// Returns the code of a name on the wire.
            pub(crate) fn from_name(name: &[u8]) -> Option<Code> {
                match std::str::from_utf8(name).ok()? { $($name => Some(Code::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    InvalidTimestamp "INVALID_TIMESTAMP",
    NullValue "NULL_VALUE",
    TooLarge "TOO_LARGE",
    MissingKey "MISSING_KEY",
    NotJson "NOT_JSON",
    NotAnObject "NOT_AN_OBJECT",
    DuplicateField "DUPLICATE_FIELD",
    MissingField "MISSING_FIELD",
    BadField "BAD_FIELD",
    AmountOutOfRange "AMOUNT_OUT_OF_RANGE",
    UnknownEventType "UNKNOWN_EVENT_TYPE",
    KeyMismatch "KEY_MISMATCH",
    WrongPartition "WRONG_PARTITION",
    OrderConflict "ORDER_CONFLICT",
    Arithmetic "ARITHMETIC",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn names_round_trip_and_unknown_ones_are_refused() {
        assert_eq!(Code::ALL.len(), 15);
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name().as_bytes()), Some(*code));
        }
        assert_eq!(Code::from_name(b"not_json"), None);
    }
}
