//! The proof of group membership that every transaction carries.

use thiserror::Error;

/// Names one member of one generation of a group.
///
/// The broker accepts the offsets of generation -1 and member `""` without looking at the group at all, also
/// while the group has live members. Such a fence cannot be built: the fields are private and [`Fence::new`]
/// refuses both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    group: String,
    member: String,
    instance: Option<String>,
    generation: i32,
}

/// Why a fence was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FenceError {
    /// The generation is negative: the broker would not check it.
    #[error("generation {0} is negative: the broker would accept such a commit unfenced")]
    NegativeGeneration(i32),
    /// The member id is empty: the broker would not check it.
    #[error("the member id is empty: the broker would accept such a commit unfenced")]
    EmptyMember,
    /// The group id is empty.
    #[error("the group id is empty")]
    EmptyGroup,
}

impl Fence {
    /// Builds a fence.
    ///
    /// # Errors
    /// A negative generation, an empty member id or an empty group id.
    pub fn new(
        group: &str,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<Self, FenceError> {
        if group.is_empty() {
            return Err(FenceError::EmptyGroup);
        }
        if member.is_empty() {
            return Err(FenceError::EmptyMember);
        }
        if generation < 0 {
            return Err(FenceError::NegativeGeneration(generation));
        }
        let instance = instance.map(str::to_owned);
        Ok(Self { group: group.to_owned(), member: member.to_owned(), instance, generation })
    }

    /// Returns the group id.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Returns the member id that the coordinator gave, never empty.
    #[must_use]
    pub fn member(&self) -> &str {
        &self.member
    }

    /// Returns the static instance id, if this member has one.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// Returns the generation, never negative.
    #[must_use]
    pub fn generation(&self) -> i32 {
        self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfenced_identity_cannot_be_built() {
        assert_eq!(Fence::new("g", "", None, -1), Err(FenceError::EmptyMember));
        assert_eq!(Fence::new("g", "", None, 4), Err(FenceError::EmptyMember));
        assert_eq!(Fence::new("g", "m", None, -1), Err(FenceError::NegativeGeneration(-1)));
        assert_eq!(Fence::new("", "m", None, 1), Err(FenceError::EmptyGroup));
        let fence = Fence::new("g", "m", Some("i"), 0).unwrap();
        assert_eq!((fence.group(), fence.member(), fence.generation()), ("g", "m", 0));
        assert_eq!(fence.instance(), Some("i"));
    }
}
