//! What a process is willing to run.

use std::fmt;

use millpond_membership::{Role, Roles};
use serde::{Serialize, Serializer};

use crate::config::setting::Setting;

/// One or more roles, `processor,sink`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoleSet(pub Roles);

impl fmt::Display for RoleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Role::ALL.into_iter().filter(|role| self.0.has(*role));
        for (index, role) in held.enumerate() {
            write!(f, "{}{role}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl Serialize for RoleSet {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl Setting for RoleSet {
    fn read(text: &str) -> Result<Self, String> {
        let mut roles = Roles::none();
        for word in text.split(',').map(str::trim) {
            let role = Role::ALL.into_iter().find(|role| role.to_string() == word);
            roles = roles.with(role.ok_or("must be processor, sink or processor,sink")?);
        }
        Ok(Self(roles))
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_a_set() {
        assert_eq!(RoleSet::read("sink, processor").unwrap().to_string(), "processor,sink");
        assert_eq!(RoleSet::read("sink").unwrap().to_string(), "sink");
        assert!(RoleSet::read("").is_err() && RoleSet::read("processor,").is_err());
    }
}
