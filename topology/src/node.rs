//! The executable node graph of a task: typed children chained by generics, one virtual call per record at
//! the source.

use crate::context::{Context, Reach};
use crate::error::{DecodeError, ProcessError};
use crate::processor::{Data, Processor, Punctuation, PunctuatorSpec};
use crate::record::{Headers, RawRecord, Record};
use crate::serdes::{Decoded, Deserializer, Serializer};

/// Receives the records that a processor forwards.
pub trait Child<K: Data, V: Data>: Send {
    /// Passes a record on.
    ///
    /// # Errors
    /// What the processors below say.
    fn forward<'a>(
        &mut self,
        record: &Record<'a, K::Of<'a>, V::Of<'a>>,
        ctx: &mut Context<'_>,
    ) -> Result<(), ProcessError>;

    /// Offers a punctuation to the processors below; `true` when one of them owns it.
    ///
    /// # Errors
    /// What the processor says.
    fn punctuate(&mut self, _punctuation: Punctuation, _ctx: &mut Context<'_>) -> Result<bool, ProcessError> {
        Ok(false)
    }
}

/// The end of a chain: forwarding to it does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Leaf;

impl<K: Data, V: Data> Child<K, V> for Leaf {
    fn forward<'a>(
        &mut self,
        _record: &Record<'a, K::Of<'a>, V::Of<'a>>,
        _ctx: &mut Context<'_>,
    ) -> Result<(), ProcessError> {
        Ok(())
    }
}

impl<K: Data, V: Data, A: Child<K, V>, B: Child<K, V>> Child<K, V> for (A, B) {
    fn forward<'a>(
        &mut self,
        record: &Record<'a, K::Of<'a>, V::Of<'a>>,
        ctx: &mut Context<'_>,
    ) -> Result<(), ProcessError> {
        self.0.forward(record, ctx)?;
        self.1.forward(record, ctx)
    }

    fn punctuate(&mut self, punctuation: Punctuation, ctx: &mut Context<'_>) -> Result<bool, ProcessError> {
        Ok(self.0.punctuate(punctuation, ctx)? || self.1.punctuate(punctuation, ctx)?)
    }
}

/// A processor with its children and what it may use.
pub struct ProcessorNode<P, C> {
    pub(crate) processor: P,
    pub(crate) children: C,
    pub(crate) reach: Reach,
    pub(crate) punctuators: Vec<PunctuatorSpec>,
}

impl<P: Processor, C: Child<P::KeyOut, P::ValueOut>> Child<P::KeyIn, P::ValueIn> for ProcessorNode<P, C> {
    fn forward<'a>(
        &mut self,
        record: &Record<'a, <P::KeyIn as Data>::Of<'a>, <P::ValueIn as Data>::Of<'a>>,
        ctx: &mut Context<'_>,
    ) -> Result<(), ProcessError> {
        let mut inner = ctx.within(&self.reach);
        self.processor.process(record, &mut inner, &mut self.children)
    }

    fn punctuate(&mut self, punctuation: Punctuation, ctx: &mut Context<'_>) -> Result<bool, ProcessError> {
        if self.punctuators.iter().any(|own| own.id == punctuation.id) {
            let mut inner = ctx.within(&self.reach);
            self.processor.punctuate(punctuation, &mut inner, &mut self.children)?;
            return Ok(true);
        }
        self.children.punctuate(punctuation, ctx)
    }
}

/// A sink as a child: serializes what is forwarded to it.
pub struct SinkNode<KS, VS, K, V> {
    pub(crate) name: String,
    pub(crate) sink: usize,
    pub(crate) key: KS,
    pub(crate) value: VS,
    pub(crate) data: std::marker::PhantomData<fn() -> (K, V)>,
}

impl<KS, VS, K, V> Child<K, V> for SinkNode<KS, VS, K, V>
where
    K: Data,
    V: Data,
    KS: for<'a> Serializer<K::Of<'a>>,
    VS: for<'a> Serializer<V::Of<'a>>,
{
    fn forward<'a>(
        &mut self,
        record: &Record<'a, K::Of<'a>, V::Of<'a>>,
        ctx: &mut Context<'_>,
    ) -> Result<(), ProcessError> {
        let emitted = ctx.emit(
            self.sink,
            record.timestamp_ms,
            |out| self.key.try_serialize(&record.key, out),
            |out| self.value.try_serialize(&record.value, out),
        );
        emitted
            .map_err(|error| ProcessError::Stop { message: format!("sink `{}`: output {error}", self.name) })
    }
}

/// The entry of a chain: decodes raw records. One virtual call per record.
pub(crate) trait Entry: Send {
    fn process(&mut self, raw: &dyn RawRecord, ctx: &mut Context<'_>) -> Result<(), ProcessError>;
    fn punctuate(&mut self, punctuation: Punctuation, ctx: &mut Context<'_>) -> Result<bool, ProcessError>;
}

/// Decodes key and value and hands them to the first processor.
pub(crate) struct SourceNode<KD, VD, C> {
    pub(crate) key: KD,
    pub(crate) value: VD,
    pub(crate) value_bytes_max: usize,
    pub(crate) child: C,
}

impl<KD, VD, C> Entry for SourceNode<KD, VD, C>
where
    KD: Deserializer,
    VD: Deserializer,
    C: Child<Decoded<KD>, Decoded<VD>>,
{
    fn process(&mut self, raw: &dyn RawRecord, ctx: &mut Context<'_>) -> Result<(), ProcessError> {
        let value = raw.value();
        let absent = if value.is_none() { Some(self.value.absent("NULL_VALUE")?) } else { None };
        if let Some(value) = value.filter(|value| value.len() > self.value_bytes_max) {
            let message = format!("value of {} bytes, {} are allowed", value.len(), self.value_bytes_max);
            return Err(DecodeError::new("TOO_LARGE", message).into());
        }
        let key = match raw.key() {
            Some(key) => self.key.deserialize(key)?,
            None => self.key.absent("MISSING_KEY")?,
        };
        let value = match (value, absent) {
            (Some(value), _) => self.value.deserialize(value)?,
            (None, Some(absent)) => absent,
            (None, None) => return Ok(()),
        };
        let record = Record { key, value, timestamp_ms: raw.timestamp_ms(), headers: Headers::of(raw) };
        self.child.forward(&record, ctx)
    }

    fn punctuate(&mut self, punctuation: Punctuation, ctx: &mut Context<'_>) -> Result<bool, ProcessError> {
        self.child.punctuate(punctuation, ctx)
    }
}
