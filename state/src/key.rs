//! The two keys of store id 0, and what may not be written under it.

use millpond_topology::{CHANGELOG_MARKER_KEY, split_changelog_key};

/// Key of the metadata. It sorts behind the marker and before every store, whose ids are at least 1.
pub const METADATA_KEY: [u8; 3] = [0, 0, 1];

/// What a changelog key addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressed {
    /// The marker.
    Marker,
    /// A key of a store.
    Store,
    /// Anything else: too short, or an unknown record of store id 0.
    Nothing,
}

/// Returns what `key` addresses.
pub(crate) fn addressed(key: &[u8]) -> Addressed {
    match split_changelog_key(key) {
        Some((0, _)) if key == CHANGELOG_MARKER_KEY => Addressed::Marker,
        Some((0, _)) | None => Addressed::Nothing,
        Some(_) => Addressed::Store,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_id_zero_belongs_to_the_marker_alone() {
        assert_eq!(addressed(&[0, 0]), Addressed::Marker);
        assert_eq!(addressed(&[0, 1]), Addressed::Store);
        assert_eq!(addressed(&[1, 0, 7]), Addressed::Store);
        for key in [&METADATA_KEY[..], &[0, 0, 2], &[0], &[]] {
            assert_eq!(addressed(key), Addressed::Nothing, "{key:?}");
        }
    }
}
