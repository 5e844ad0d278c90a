//! The typed builder of topologies.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::codec::Codec;
use crate::context::Reach;
use crate::error::{StoreError, TopologyError};
use crate::graph::{EntryFactory, ProcessorInfo, SinkInfo, SourceInfo, StoreInfo, SubTopology, Topology};
use crate::key::KeyCodec;
use crate::node::{Child, Entry, Leaf, ProcessorNode, SinkNode, SourceNode};
use crate::processor::{Data, Processor, PunctuatorSpec};
use crate::serdes::{Decoded, Deserializer, Serializer};
use crate::store::{KeyValueStore, StoreSpec, TALLY_SUMS, Tally};
use crate::validate;

/// Longest value that a source accepts unless told otherwise, bytes.
const VALUE_BYTES_MAX: usize = 1_048_576;

/// Builds a [`Topology`]; see `README.md` for a whole one.
pub struct Builder {
    app: String,
    subs: Vec<SubBuilder>,
}

impl Builder {
    /// Begins a topology of the application `app`: its group id and the prefix of its internal names.
    #[must_use]
    pub fn new(app: impl Into<String>) -> Self {
        Self { app: app.into(), subs: Vec::new() }
    }

    /// Adds a sub-topology: sources whose topics are co-partitioned, and what they feed. Its number is the
    /// order of declaration.
    pub fn sub_topology(
        &mut self,
        name: impl Into<String>,
        build: impl FnOnce(&mut SubBuilder),
    ) -> &mut Self {
        let number = u32::try_from(self.subs.len()).unwrap_or(u32::MAX);
        let mut sub = SubBuilder::new(number, name.into());
        build(&mut sub);
        self.subs.push(sub);
        self
    }

    /// Validates and returns the topology.
    ///
    /// # Errors
    /// [`TopologyError`], which names the node.
    pub fn build(self) -> Result<Topology, TopologyError> {
        let subs: Vec<_> = self.subs.into_iter().map(SubBuilder::finish).collect::<Result<_, _>>()?;
        validate::topology(&self.app, &subs)?;
        Ok(Topology { app: self.app, subs: subs.into_iter().map(Arc::new).collect() })
    }
}

/// Builds one sub-topology.
pub struct SubBuilder {
    number: u32,
    name: String,
    sources: Vec<SourceInfo>,
    nodes: Vec<ProcessorInfo>,
    sinks: Vec<SinkInfo>,
    stores: Vec<StoreInfo>,
    dead_letters: Option<(String, String)>,
    faults: Vec<TopologyError>,
}

impl SubBuilder {
    fn new(number: u32, name: String) -> Self {
        Self {
            number,
            name,
            sources: Vec::new(),
            nodes: Vec::new(),
            sinks: Vec::new(),
            stores: Vec::new(),
            dead_letters: None,
            faults: Vec::new(),
        }
    }

    /// Adds a key-value store with an explicit `id` (at least 1, never reused) and returns its handle.
    pub fn store<K: KeyCodec, V: Codec>(
        &mut self,
        id: u16,
        name: &str,
        key: K,
        value: V,
    ) -> KeyValueStore<K, V> {
        let spec = StoreSpec { id, name: name.to_owned(), codec: V::NAME, tally: None, is_held: false };
        self.stores.push(StoreInfo { spec });
        KeyValueStore::new((self.number, id), key, value)
    }

    /// Lets the store's committed values be held in memory, as far as `state.memory_budget` goes: for stores whose keys are
    /// read again and again.
    pub fn hold_in_memory<K: KeyCodec, V: Codec>(&mut self, store: &KeyValueStore<K, V>) {
        if let Some(info) = self.stores.iter_mut().find(|info| info.spec.id == store.id()) {
            info.spec.is_held = true;
        }
    }

    /// Lets the store keep live keys and sums in the marker: `of` gives a value's contribution to each named
    /// sum.
    pub fn tally<K: KeyCodec, V: Codec + Clone>(
        &mut self,
        store: &KeyValueStore<K, V>,
        codec: V,
        names: &[&'static str],
        of: impl Fn(&V::Value) -> [i64; TALLY_SUMS] + Send + Sync + 'static,
    ) {
        let id = store.id();
        let mut refuse = |store: String, why: &str| {
            self.faults.push(TopologyError::Tally { store, why: why.to_owned() });
        };
        if names.len() > TALLY_SUMS {
            return refuse(
                id.to_string(),
                &format!("its tally names {} sums, {TALLY_SUMS} are kept", names.len()),
            );
        }
        if store.address().0 != self.number {
            return refuse(id.to_string(), &format!("it is not part of sub-topology `{}`", self.name));
        }
        let of = move |bytes: &[u8]| {
            codec
                .decode(bytes)
                .map(|value| of(&value))
                .map_err(|source| StoreError::Codec { store: id, source })
        };
        if let Some(info) = self.stores.iter_mut().find(|info| info.spec.id == id) {
            info.spec.tally = Some(Tally { names: names.to_vec(), of: Arc::new(of) });
        }
    }

    /// Adds a sink and returns its handle, to be sent to by processors that name it with
    /// [`ProcessorSpec::sends_to`], or used as a child.
    pub fn sink<KS, VS>(&mut self, name: &str, topic: &str, key: KS, value: VS) -> SinkRef<KS, VS> {
        self.sinks.push(SinkInfo { name: name.to_owned(), topic: topic.to_owned(), parents: Vec::new() });
        SinkRef {
            address: (self.number, self.sinks.len() - 1),
            name: name.to_owned(),
            serdes: Arc::new((key, value)),
        }
    }

    /// Names the topic that takes records that cannot be processed. Without one such a record stops the task.
    pub fn dead_letters(&mut self, name: &str, topic: &str) {
        self.dead_letters = Some((name.to_owned(), topic.to_owned()));
    }

    /// Adds a source that reads `topics` and feeds `child`.
    pub fn source<KD, VD, N>(&mut self, source: SourceSpec<KD, VD>, child: N)
    where
        KD: Deserializer + Clone,
        VD: Deserializer + Clone,
        N: NodeSpec<Decoded<KD>, Decoded<VD>>,
    {
        let mut children = Vec::new();
        child.describe(&source.name, &mut self.nodes, &mut self.sinks, &mut children);
        let (key, value, value_bytes_max) = (source.key, source.value, source.value_bytes_max);
        let factory: EntryFactory = Arc::new(move || {
            let node =
                SourceNode { key: key.clone(), value: value.clone(), value_bytes_max, child: child.build() };
            Box::new(node) as Box<dyn Entry>
        });
        self.sources.push(SourceInfo { name: source.name, topics: source.topics, children, factory });
    }

    fn finish(mut self) -> Result<SubTopology, TopologyError> {
        if let Some(fault) = self.faults.into_iter().next() {
            return Err(fault);
        }
        let mut dead_letter_sink = None;
        if let Some((name, topic)) = self.dead_letters {
            let parents = self.sources.iter().map(|source| source.name.clone()).collect();
            self.sources.iter_mut().for_each(|source| connect(&mut source.children, &name));
            self.sinks.push(SinkInfo { name, topic, parents });
            dead_letter_sink = Some(self.sinks.len() - 1);
        }
        self.stores.sort_by_key(|store| store.spec.id);
        let punctuators = self.nodes.iter().flat_map(|node| node.punctuators.iter().cloned()).collect();
        Ok(SubTopology {
            number: self.number,
            name: self.name,
            sources: self.sources,
            processors: self.nodes,
            sinks: self.sinks,
            stores: self.stores,
            punctuators,
            dead_letter_sink,
        })
    }
}

/// A source: its topics and how their records are decoded.
pub struct SourceSpec<KD, VD> {
    name: String,
    topics: Vec<String>,
    key: KD,
    value: VD,
    value_bytes_max: usize,
}

impl<KD, VD> SourceSpec<KD, VD> {
    /// Returns a source that reads `topics` (co-partitioned: same partition count, same partitioner).
    pub fn new(name: &str, topics: &[&str], key: KD, value: VD) -> Self {
        let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
        Self { name: name.to_owned(), topics, key, value, value_bytes_max: VALUE_BYTES_MAX }
    }

    /// Limits the length of values, bytes; a longer one is a dead letter `TOO_LARGE`.
    #[must_use]
    pub fn value_bytes_max(mut self, bytes: usize) -> Self {
        self.value_bytes_max = bytes;
        self
    }
}

/// The handle of a sink.
#[derive(Debug)]
pub struct SinkRef<KS, VS> {
    /// Number of the sub-topology and index among its sinks.
    address: (u32, usize),
    name: String,
    serdes: Arc<(KS, VS)>,
}

impl<KS, VS> Clone for SinkRef<KS, VS> {
    fn clone(&self) -> Self {
        Self { address: self.address, name: self.name.clone(), serdes: Arc::clone(&self.serdes) }
    }
}

impl<KS, VS> SinkRef<KS, VS> {
    pub(crate) fn address(&self) -> (u32, usize) {
        self.address
    }
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    pub(crate) fn key_serde(&self) -> &KS {
        &self.serdes.0
    }
    pub(crate) fn value_serde(&self) -> &VS {
        &self.serdes.1
    }
}

/// A node of a chain, built once per task.
pub trait NodeSpec<K: Data, V: Data>: Send + Sync + 'static {
    /// The executable node.
    type Node: Child<K, V> + 'static;
    /// Builds the node of one task.
    fn build(&self) -> Self::Node;
    #[doc(hidden)]
    fn describe(
        &self,
        parent: &str,
        nodes: &mut Vec<ProcessorInfo>,
        sinks: &mut [SinkInfo],
        children: &mut Vec<String>,
    );
}

impl<K: Data, V: Data> NodeSpec<K, V> for Leaf {
    type Node = Self;
    fn build(&self) -> Self {
        Self
    }
    fn describe(&self, _: &str, _: &mut Vec<ProcessorInfo>, _: &mut [SinkInfo], _: &mut Vec<String>) {}
}

impl<K: Data, V: Data, A: NodeSpec<K, V>, B: NodeSpec<K, V>> NodeSpec<K, V> for (A, B) {
    type Node = (A::Node, B::Node);
    fn build(&self) -> Self::Node {
        (self.0.build(), self.1.build())
    }
    fn describe(
        &self,
        parent: &str,
        nodes: &mut Vec<ProcessorInfo>,
        sinks: &mut [SinkInfo],
        children: &mut Vec<String>,
    ) {
        self.0.describe(parent, nodes, sinks, children);
        self.1.describe(parent, nodes, sinks, children);
    }
}

impl<K, V, KS, VS> NodeSpec<K, V> for SinkRef<KS, VS>
where
    K: Data,
    V: Data,
    KS: for<'a> Serializer<K::Of<'a>> + Clone,
    VS: for<'a> Serializer<V::Of<'a>> + Clone,
{
    type Node = SinkNode<KS, VS, K, V>;
    fn build(&self) -> Self::Node {
        SinkNode {
            name: self.name.clone(),
            sink: self.address.1,
            key: self.serdes.0.clone(),
            value: self.serdes.1.clone(),
            data: PhantomData,
        }
    }
    fn describe(
        &self,
        parent: &str,
        _: &mut Vec<ProcessorInfo>,
        sinks: &mut [SinkInfo],
        children: &mut Vec<String>,
    ) {
        connect(children, &self.name);
        // By name: the sink of another sub-topology has an index that means another sink here.
        if let Some(sink) = sinks.iter_mut().find(|sink| sink.name == self.name) {
            connect(&mut sink.parents, parent);
        }
    }
}

/// Notes a connection in the description, once.
fn connect(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// A processor in a chain: how it is made, what it uses, what follows it.
pub struct ProcessorSpec<F, C> {
    name: String,
    make: F,
    stores: Vec<(u32, u16)>,
    sinks: Vec<((u32, usize), String)>,
    punctuators: Vec<PunctuatorSpec>,
    child: C,
}

/// Begins a processor node; `make` is called once per task.
pub fn processor<P: Processor, F: Fn() -> P + Send + Sync + 'static>(
    name: &str,
    make: F,
) -> ProcessorSpec<F, Leaf> {
    ProcessorSpec {
        name: name.to_owned(),
        make,
        stores: Vec::new(),
        sinks: Vec::new(),
        punctuators: Vec::new(),
        child: Leaf,
    }
}

impl<F, C> ProcessorSpec<F, C> {
    /// Connects a store.
    #[must_use]
    pub fn store<K: KeyCodec, V: Codec>(mut self, store: &KeyValueStore<K, V>) -> Self {
        if !self.stores.contains(&store.address()) {
            self.stores.push(store.address());
        }
        self
    }

    /// Says that the processor sends to this sink by its handle.
    #[must_use]
    pub fn sends_to<KS, VS>(mut self, sink: &SinkRef<KS, VS>) -> Self {
        self.sinks.push((sink.address, sink.name.clone()));
        self
    }

    /// Adds a punctuator.
    #[must_use]
    pub fn punctuator(mut self, punctuator: PunctuatorSpec) -> Self {
        self.punctuators.push(punctuator);
        self
    }

    /// Adds a child that gets what the processor forwards, after those added before.
    #[must_use]
    pub fn then<N>(self, child: N) -> ProcessorSpec<F, (C, N)> {
        let Self { name, make, stores, sinks, punctuators, child: before } = self;
        ProcessorSpec { name, make, stores, sinks, punctuators, child: (before, child) }
    }
}

impl<P, F, C> NodeSpec<P::KeyIn, P::ValueIn> for ProcessorSpec<F, C>
where
    P: Processor,
    F: Fn() -> P + Send + Sync + 'static,
    C: NodeSpec<P::KeyOut, P::ValueOut>,
{
    type Node = ProcessorNode<P, C::Node>;
    fn build(&self) -> Self::Node {
        ProcessorNode {
            processor: (self.make)(),
            children: self.child.build(),
            reach: Reach {
                stores: self.stores.clone(),
                sinks: self.sinks.iter().map(|(address, _)| *address).collect(),
            },
            punctuators: self.punctuators.clone(),
        }
    }
    fn describe(
        &self,
        parent: &str,
        nodes: &mut Vec<ProcessorInfo>,
        sinks: &mut [SinkInfo],
        children: &mut Vec<String>,
    ) {
        children.push(self.name.clone());
        let at = nodes.len();
        nodes.push(ProcessorInfo {
            name: self.name.clone(),
            stores: self.stores.iter().map(|(_, id)| *id).collect(),
            handles: self.stores.clone(),
            parents: vec![parent.to_owned()],
            children: Vec::new(),
            punctuators: self.punctuators.clone(),
        });
        let mut below = Vec::new();
        for (_, name) in &self.sinks {
            connect(&mut below, name);
            if let Some(sink) = sinks.iter_mut().find(|sink| &sink.name == name) {
                connect(&mut sink.parents, &self.name);
            }
        }
        self.child.describe(&self.name, nodes, sinks, &mut below);
        if let Some(node) = nodes.get_mut(at) {
            node.children = below;
        }
    }
}
