//! Events of `account.events` as the sink reads them: borrowed from the record, checked, typed.
//!
//! Independent of the code that writes them, on purpose: the contract between the two is the JSON.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

/// Text without NUL characters (PostgreSQL cannot hold them), borrowed where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        let text = deserializer.deserialize_str(TextVisitor)?;
        if text.contains('\0') {
            return Err(D::Error::custom("a NUL character"));
        }
        Ok(Self(text))
    }
}

/// Deserializes from a JSON object only: serde's derived structs would also take an array, by position.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct ObjectVisitor<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

/// The envelope every output event has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) event_type: Text<'a>,
    #[serde(borrow)]
    pub(super) event_id: Text<'a>,
    #[serde(borrow)]
    pub(super) occurred_at: Text<'a>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) source: Source<'a>,
    #[serde(borrow, deserialize_with = "object")]
    pub(super) payload: Payload<'a>,
}

/// The record an event was made from.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow)]
    pub(super) topic: Text<'a>,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// All fields of all payloads; which of them an event type requires is decided in `kinds`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload<'a> {
    pub(super) account_id: Option<i64>,
    pub(super) user_id: Option<i64>,
    #[serde(borrow)]
    pub(super) currency: Option<Text<'a>>,
    pub(super) overdraft_fen: Option<i64>,
    pub(super) account_version: Option<i64>,
    #[serde(borrow)]
    pub(super) reference: Option<Text<'a>>,
    pub(super) delta_fen: Option<i64>,
    pub(super) balance_after_fen: Option<i64>,
    pub(super) order_id: Option<i64>,
    pub(super) amount_fen: Option<i64>,
    #[serde(borrow)]
    pub(super) reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) refund_id: Option<Text<'a>>,
    pub(super) refunded_total_fen: Option<i64>,
    #[serde(borrow)]
    pub(super) command: Option<Text<'a>>,
}
