//! The typed handle of a key-value store.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::reader::scan_bounds;
use super::set::Presence;
use crate::codec::Codec;
use crate::context::Context;
use crate::error::StoreError;
use crate::key::KeyCodec;

/// The handle of a key-value store, given out by the builder and kept by processors. Cheap to clone.
#[derive(Debug)]
pub struct KeyValueStore<K, V> {
    /// Number of the sub-topology, so that a handle cannot reach another one's store of the same id.
    subtopology: u32,
    id: u16,
    codecs: Arc<(K, V)>,
}

impl<K, V> Clone for KeyValueStore<K, V> {
    fn clone(&self) -> Self {
        Self { subtopology: self.subtopology, id: self.id, codecs: Arc::clone(&self.codecs) }
    }
}

impl<K: KeyCodec, V: Codec> KeyValueStore<K, V> {
    pub(crate) fn new((subtopology, id): (u32, u16), key: K, value: V) -> Self {
        Self { subtopology, id, codecs: Arc::new((key, value)) }
    }

    /// Returns the number of its sub-topology and its id.
    pub(crate) fn address(&self) -> (u32, u16) {
        (self.subtopology, self.id)
    }

    /// Returns the store's id.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.id
    }

    fn decode(&self, bytes: &[u8]) -> Result<V::Value, StoreError> {
        self.codecs.1.decode(bytes).map_err(|source| StoreError::Codec { store: self.id, source })
    }

    /// Returns the value of `key`: the transaction's own write, else the committed one.
    ///
    /// # Errors
    /// [`StoreError`] when the store is not connected, fails, or holds bytes that cannot be decoded.
    pub fn get(&self, ctx: &mut Context<'_>, key: &K::Key<'_>) -> Result<Option<V::Value>, StoreError> {
        let stores = ctx.stores(self.address())?;
        stores.get(self.id, |out| self.codecs.0.encode(key, out), |bytes| self.decode(bytes))
    }

    /// Sets the value of `key`.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn put(&self, ctx: &mut Context<'_>, key: &K::Key<'_>, value: &V::Value) -> Result<(), StoreError> {
        let stores = ctx.stores(self.address())?;
        stores.put(
            self.id,
            |out| self.codecs.0.encode(key, out),
            |out| {
                let encoded = self.codecs.1.try_encode(value, out);
                encoded.map_err(|source| StoreError::Codec { store: self.id, source })?;
                Ok(Presence::Present)
            },
        )
    }

    /// Deletes `key`; a tombstone goes to the changelog.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn delete(&self, ctx: &mut Context<'_>, key: &K::Key<'_>) -> Result<(), StoreError> {
        let stores = ctx.stores(self.address())?;
        stores.put(self.id, |out| self.codecs.0.encode(key, out), |_| Ok(Presence::Deleted))
    }

    /// Visits keys from `from` (inclusive) to `to` (exclusive) in byte order of their encoding until `visit`
    /// breaks.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn range(
        &self,
        ctx: &mut Context<'_>,
        from: &K::Key<'_>,
        to: &K::Key<'_>,
        visit: impl FnMut(K::Key<'_>, V::Value) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let bound = |key: &K::Key<'_>| {
            let mut out = self.id.to_be_bytes().to_vec();
            self.codecs.0.encode(key, &mut out);
            out
        };
        self.visit(ctx, &bound(from), Some(&bound(to)), visit)
    }

    /// Visits the keys whose encoding begins with `prefix` in byte order until `visit` breaks.
    ///
    /// # Errors
    /// As [`KeyValueStore::get`].
    pub fn prefix(
        &self,
        ctx: &mut Context<'_>,
        prefix: &[u8],
        visit: impl FnMut(K::Key<'_>, V::Value) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut from = self.id.to_be_bytes().to_vec();
        from.extend_from_slice(prefix);
        let to = scan_bounds(&from);
        self.visit(ctx, &from, to.as_deref(), visit)
    }

    fn visit(
        &self,
        ctx: &mut Context<'_>,
        from: &[u8],
        to: Option<&[u8]>,
        mut visit: impl FnMut(K::Key<'_>, V::Value) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut failed = None;
        ctx.stores(self.address())?.scan(from, to, &mut |key, value| {
            let key = key.get(2..).unwrap_or_default();
            let key =
                self.codecs.0.decode(key).map_err(|source| StoreError::Codec { store: self.id, source });
            match (key, self.decode(value)) {
                (Ok(key), Ok(value)) => visit(key, value),
                (Err(error), _) | (_, Err(error)) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}
