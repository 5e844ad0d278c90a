//! What the builder refuses; every message names the node.

use millpond_topology::{
    BincodeCodec, Builder, KeyValueStore, ProcessorSpec, PunctuationClock, PunctuatorSpec, SinkRef,
    SourceSpec, Str, SubBuilder, TopologyError, U64Key, U64PairKey, processor,
};

use crate::connections::Pass;
use crate::support::Amount;

type Store = KeyValueStore<U64Key, BincodeCodec<Amount>>;

fn source(name: &str, topics: &[&str]) -> SourceSpec<Str, Str> {
    SourceSpec::new(name, topics, Str, Str)
}

fn pass(name: &str) -> ProcessorSpec<impl Fn() -> Pass + Send + Sync + 'static, millpond_topology::Leaf> {
    processor(name, || Pass)
}

fn store(sub: &mut SubBuilder, id: u16, name: &str) -> Store {
    sub.store(id, name, U64Key, BincodeCodec::<Amount>::new())
}

/// The error of a topology of one sub-topology `sub` and the message, which names `node`.
fn refused(node: &str, declare: impl FnOnce(&mut SubBuilder)) -> TopologyError {
    let mut builder = Builder::new("app");
    builder.sub_topology("sub", declare);
    named(node, builder)
}

fn named(node: &str, builder: Builder) -> TopologyError {
    let error = builder.build().unwrap_err();
    assert!(error.to_string().contains(&format!("`{node}`")), "{error}");
    error
}

#[test]
fn names_are_those_that_topics_and_directories_can_have() {
    let long = "x".repeat(101);
    for bad in ["", " ", "a b", "ä", "a/b", ".", "..", &long] {
        let name = |kind| TopologyError::Name { kind, name: bad.to_owned(), max: 100 };
        let mut builder = Builder::new(bad);
        builder.sub_topology("sub", |sub| sub.source(source("s", &["t"]), pass("p")));
        assert_eq!(named(bad, builder), name("application"));
        let mut builder = Builder::new("app");
        builder.sub_topology(bad, |sub| sub.source(source("s", &["t"]), pass("p")));
        assert_eq!(named(bad, builder), name("sub-topology"));
        assert_eq!(refused(bad, |sub| sub.source(source(bad, &["t"]), pass("p"))), name("source"));
        assert_eq!(refused(bad, |sub| sub.source(source("s", &["t"]), pass(bad))), name("processor"));
        let error = refused(bad, |sub| {
            let sink = sub.sink(bad, "t2", Str, Str);
            sub.source(source("s", &["t"]), pass("p").then(sink));
        });
        assert_eq!(error, name("sink"));
        let error = refused(bad, |sub| {
            sub.dead_letters(bad, "t2");
            sub.source(source("s", &["t"]), pass("p"));
        });
        assert_eq!(error, name("sink"));
        let error = refused(bad, |sub| {
            let store = store(sub, 1, bad);
            sub.source(source("s", &["t"]), pass("p").store(&store));
        });
        assert_eq!(error, name("store"));
    }
}

#[test]
fn topics_are_those_that_kafka_can_have() {
    let (longest, longer) = ("t".repeat(249), "t".repeat(250));
    for bad in ["", "a:b", "..", &longer] {
        let want = TopologyError::Name { kind: "topic", name: bad.to_owned(), max: 249 };
        assert_eq!(refused(bad, |sub| sub.source(source("s", &["t", bad]), pass("p"))), want);
        let error = refused(bad, |sub| {
            let sink = sub.sink("k", bad, Str, Str);
            sub.source(source("s", &["t"]), pass("p").then(sink));
        });
        assert_eq!(error, want);
    }
    let mut builder = Builder::new("app");
    builder.sub_topology("sub", |sub| sub.source(source("s", &[&longest]), pass("p")));
    assert!(builder.build().is_ok());
}

#[test]
fn names_are_unique_in_the_whole_topology() {
    let twice = |name: &str| TopologyError::DuplicateName { name: name.to_owned() };
    assert_eq!(refused("s", |sub| sub.source(source("s", &["t"]), pass("s"))), twice("s"));
    assert_eq!(refused("sub", |sub| sub.source(source("sub", &["t"]), pass("p"))), twice("sub"));
    let error = refused("p", |sub| sub.source(source("s", &["t"]), pass("p").then(pass("p"))));
    assert_eq!(error, twice("p"));
    let error = refused("p", |sub| {
        sub.dead_letters("p", "dead");
        sub.source(source("s", &["t"]), pass("p"));
    });
    assert_eq!(error, twice("p"));
    let mut builder = Builder::new("app");
    builder.sub_topology("one", |sub| sub.source(source("s", &["t"]), pass("p")));
    builder.sub_topology("two", |sub| sub.source(source("s2", &["t2"]), pass("p")));
    assert_eq!(named("p", builder), twice("p"));
    let mut builder = Builder::new("app");
    for (name, topic) in [("one", "t1"), ("two", "t2")] {
        builder.sub_topology(name, |sub| {
            let store = store(sub, 1, "balances");
            sub.source(source(&format!("s-{name}"), &[topic]), pass(&format!("p-{name}")).store(&store));
        });
    }
    assert_eq!(named("balances", builder), twice("balances"));
}

#[test]
fn store_ids_are_at_least_one_and_unique_in_the_sub_topology() {
    let error = refused("zero", |sub| {
        let zero = store(sub, 0, "zero");
        sub.source(source("s", &["t"]), pass("p").store(&zero));
    });
    let why = "reserved for the marker".to_owned();
    assert_eq!(error, TopologyError::StoreId { name: "zero".to_owned(), id: 0, why });
    let error = refused("second", |sub| {
        let (first, second) = (store(sub, 7, "first"), store(sub, 7, "second"));
        sub.source(source("s", &["t"]), pass("p").store(&first).store(&second));
    });
    let why = "used by store `first`".to_owned();
    assert_eq!(error, TopologyError::StoreId { name: "second".to_owned(), id: 7, why });
}

#[test]
fn what_is_connected_to_nothing_is_refused() {
    let error = refused("lonely", |sub| {
        store(sub, 1, "lonely");
        sub.source(source("s", &["t"]), pass("p"));
    });
    assert_eq!(error, TopologyError::Unused { kind: "store", name: "lonely".to_owned() });
    let error = refused("lonely", |sub| {
        sub.sink("lonely", "t2", Str, Str);
        sub.source(source("s", &["t"]), pass("p"));
    });
    assert_eq!(error, TopologyError::Unused { kind: "sink", name: "lonely".to_owned() });
    assert_eq!(refused("sub", |_| {}), TopologyError::NoSource { name: "sub".to_owned() });
}

#[test]
fn sources_read_topics_of_their_own() {
    let refuse = |node: &str, why: &str| TopologyError::Source { node: node.to_owned(), why: why.to_owned() };
    assert_eq!(refused("s", |sub| sub.source(source("s", &[]), pass("p"))), refuse("s", "it reads no topic"));
    let why = "topic `t` is already read by source `s`";
    assert_eq!(refused("s", |sub| sub.source(source("s", &["t", "t"]), pass("p"))), refuse("s", why));
    let error = refused("s2", |sub| {
        sub.source(source("s", &["t"]), pass("p"));
        sub.source(source("s2", &["t"]), pass("p2"));
    });
    assert_eq!(error, refuse("s2", why));
    let mut builder = Builder::new("app");
    builder.sub_topology("one", |sub| sub.source(source("s", &["t"]), pass("p")));
    builder.sub_topology("two", |sub| sub.source(source("s2", &["u", "t"]), pass("p2")));
    assert_eq!(named("s2", builder), refuse("s2", why));
}

#[test]
fn punctuators_have_an_interval_and_an_id_of_their_own() {
    let ticker = |id, interval_ms| PunctuatorSpec { id, clock: PunctuationClock::WallClock, interval_ms };
    let refuse = |node: &str, id, why: &str| TopologyError::Punctuator {
        node: node.to_owned(),
        id,
        why: why.to_owned(),
    };
    for interval_ms in [0, -1, i64::MIN] {
        let error =
            refused("p", |sub| sub.source(source("s", &["t"]), pass("p").punctuator(ticker(3, interval_ms))));
        assert_eq!(error, refuse("p", 3, "the interval must be at least 1 ms"));
    }
    let error = refused("p2", |sub| {
        sub.source(
            source("s", &["t"]),
            pass("p").punctuator(ticker(3, 1)).then(pass("p2").punctuator(ticker(3, 1))),
        );
    });
    assert_eq!(error, refuse("p2", 3, "the id is used twice in this sub-topology"));
}

/// Declares a second sub-topology, given the handles of the first.
type Declare<'a> = &'a dyn Fn(&mut SubBuilder, &Store, &SinkRef<Str, Str>);

/// A first sub-topology with store 1 and a sink, and their handles.
fn other(builder: &mut Builder) -> (Store, SinkRef<Str, Str>) {
    let mut handles = None;
    builder.sub_topology("other", |sub| {
        let (store, sink) = (store(sub, 1, "theirs"), sub.sink("their-sink", "their-topic", Str, Str));
        sub.source(source("their-source", &["their-in"]), pass("their-p").store(&store).then(sink.clone()));
        handles = Some((store, sink));
    });
    handles.unwrap()
}

#[test]
fn handles_of_another_sub_topology_are_refused_also_where_their_numbers_mean_something() {
    let foreign = |node: &str, kind, name: &str| TopologyError::Foreign {
        node: node.to_owned(),
        kind,
        name: name.to_owned(),
        subtopology: "sub".to_owned(),
    };
    let two = |declare: Declare<'_>| {
        let mut builder = Builder::new("app");
        let (store, sink) = other(&mut builder);
        builder.sub_topology("sub", |sub| declare(sub, &store, &sink));
        builder
    };
    let builder = two(&|sub, theirs, _| sub.source(source("s", &["t"]), pass("p").store(theirs)));
    assert_eq!(named("p", builder), foreign("p", "store", "1"));
    // The same id is a store here, of another codec; the same index is a sink here, of another topic.
    let builder = two(&|sub, theirs, _| {
        let own = sub.store(1, "own", U64PairKey, BincodeCodec::<Amount>::new());
        sub.source(source("s", &["t"]), pass("p").store(&own).store(theirs));
    });
    assert_eq!(named("p", builder), foreign("p", "store", "1"));
    let builder = two(&|sub, _, theirs| {
        let own = sub.sink("own", "own", Str, Str);
        sub.source(source("s", &["t"]), pass("p").sends_to(&own).sends_to(theirs));
    });
    assert_eq!(named("p", builder), foreign("p", "sink", "their-sink"));
    let builder = two(&|sub, _, theirs| {
        let own = sub.sink("own", "own", Str, Str);
        sub.source(source("s", &["t"]), pass("p").then(own).then(theirs.clone()));
    });
    assert_eq!(named("p", builder), foreign("p", "sink", "their-sink"));
    let builder = two(&|sub, _, theirs| {
        let own = sub.sink("own", "own", Str, Str);
        sub.source(source("s", &["t"]), (pass("p").then(own), theirs.clone()));
    });
    assert_eq!(named("s", builder), foreign("s", "sink", "their-sink"));
}

#[test]
fn a_tally_is_of_an_own_store_and_names_what_it_can_keep() {
    let codec = BincodeCodec::<Amount>::new;
    let error = refused("1", |sub| {
        let own = store(sub, 1, "own");
        sub.tally(&own, codec(), &["a", "b", "c", "d", "e"], |_| [0; 4]);
        sub.source(source("s", &["t"]), pass("p").store(&own));
    });
    let why = "its tally names 5 sums, 4 are kept".to_owned();
    assert_eq!(error, TopologyError::Tally { store: "1".to_owned(), why });
    let mut builder = Builder::new("app");
    let (theirs, _) = other(&mut builder);
    builder.sub_topology("sub", |sub| {
        let own = store(sub, 1, "own");
        sub.tally(&theirs, codec(), &["a"], |_| [0; 4]);
        sub.source(source("s", &["t"]), pass("p").store(&own));
    });
    let why = "it is not part of sub-topology `sub`".to_owned();
    assert_eq!(named("1", builder), TopologyError::Tally { store: "1".to_owned(), why });
}
