//! What a member is willing to run.

use std::fmt;

/// The kind of work a sub-topology is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Stateful stream processing.
    Processor,
    /// Writing output topics to PostgreSQL.
    Sink,
}

impl Role {
    /// Every role there is.
    pub const ALL: [Self; 2] = [Self::Processor, Self::Sink];

    const fn bit(self) -> u8 {
        match self {
            Self::Processor => 1,
            Self::Sink => 2,
        }
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Roles {
    /// Returns the empty set.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// Returns both roles.
    #[must_use]
    pub const fn all() -> Self {
        Self::none().with(Role::Processor).with(Role::Sink)
    }

    /// Returns this set and `role`.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | role.bit())
    }

    /// Tells whether `role` is in the set.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// Builds the set from wire bits; unknown roles of a newer member are dropped, we have no tasks for them.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::all().0)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Processor => "processor",
            Self::Sink => "sink",
        })
    }
}
