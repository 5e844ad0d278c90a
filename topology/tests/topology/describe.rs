//! The description, in the grammar of Kafka Streams' `Topology.describe()`.

use millpond_topology::{BincodeCodec, Builder, SourceSpec, Str, Topology, U64PairKey, processor};

use crate::connections::{Pass, Upper};
use crate::support::Amount;

fn sample() -> Topology {
    let mut builder = Builder::new("shop");
    builder.sub_topology("totals", |sub| {
        let totals = sub.store(2, "totals", U64PairKey, BincodeCodec::<Amount>::new());
        let seen = sub.store(1, "seen", U64PairKey, BincodeCodec::<Amount>::new());
        let per_user = sub.sink("per-user", "totals.by.user", Str, Str);
        let audit = sub.sink("audit", "audit.events", Str, Str);
        sub.dead_letters("dead-letters", "deadletter.events");
        let (last, to_audit) = (per_user.clone(), audit.clone());
        let sum = processor("sum", || Pass).store(&totals).store(&seen).store(&seen);
        // Said twice, shown once.
        let sum = sum.sends_to(&audit).sends_to(&audit).then(last);
        let upper = processor("upper", move || Upper(to_audit.clone())).sends_to(&audit);
        let dedupe = processor("dedupe", || Pass).store(&seen).then(sum).then(upper).then(per_user);
        sub.source(SourceSpec::new("orders", &["order.events", "order.archive"], Str, Str), dedupe);
        sub.source(SourceSpec::new("refunds", &["refund.events"], Str, Str), audit);
    });
    builder.sub_topology("mirror", |sub| {
        let copy = sub.sink("copy", "totals.copy", Str, Str);
        sub.source(
            SourceSpec::new("totals-in", &["totals.by.user"], Str, Str),
            processor("check", || Pass).then(copy),
        );
        sub.source(SourceSpec::new("ignored", &["noise"], Str, Str), processor("ignore", || Pass));
    });
    builder.build().unwrap()
}

#[test]
fn two_sub_topologies_read_as_in_kafka_streams() {
    insta::assert_snapshot!(sample().describe(), @r"
    Topologies:
       Sub-topology: 0
        Source: orders (topics: [order.events, order.archive])
          --> dedupe, dead-letters
        Source: refunds (topics: [refund.events])
          --> audit, dead-letters
        Processor: dedupe (stores: [seen])
          --> sum, upper, per-user
          <-- orders
        Processor: sum (stores: [totals, seen])
          --> audit, per-user
          <-- dedupe
        Processor: upper (stores: [])
          --> audit
          <-- dedupe
        Sink: per-user (topic: totals.by.user)
          <-- sum, dedupe
        Sink: audit (topic: audit.events)
          <-- sum, upper, refunds
        Sink: dead-letters (topic: deadletter.events)
          <-- orders, refunds

      Sub-topology: 1
        Source: totals-in (topics: [totals.by.user])
          --> check
        Source: ignored (topics: [noise])
          --> ignore
        Processor: check (stores: [])
          --> copy
          <-- totals-in
        Processor: ignore (stores: [])
          --> none
          <-- ignored
        Sink: copy (topic: totals.copy)
          <-- check
    ");
}

/// `Topologies:\n ` and two spaces for each sub-topology, an empty line after each: only the first has three
/// spaces.
#[test]
fn spaces_and_empty_lines_are_kafka_streams_own() {
    let text = sample().describe().to_string();
    assert!(text.starts_with("Topologies:\n   Sub-topology: 0\n    Source: orders (topics: [order.events, "));
    assert!(text.contains(
        "\n\n  Sub-topology: 1\n    Source: totals-in (topics: [totals.by.user])\n      --> check\n"
    ));
    assert!(text.ends_with("    Sink: copy (topic: totals.copy)\n      <-- check\n\n"), "{text:?}");
}

/// Each edge is said at both of its ends.
#[test]
fn arrows_meet() {
    let text = sample().describe().to_string();
    let (mut node, mut forth, mut back) = (String::new(), Vec::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        let names = |names: &str| -> Vec<String> {
            names.split(", ").filter(|name| *name != "none").map(str::to_owned).collect()
        };
        if let Some(after) =
            ["Source: ", "Processor: ", "Sink: "].iter().find_map(|kind| line.strip_prefix(kind))
        {
            node = after.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(children) = line.strip_prefix("--> ") {
            forth.extend(names(children).into_iter().map(|child| (node.clone(), child)));
        } else if let Some(parents) = line.strip_prefix("<-- ") {
            back.extend(names(parents).into_iter().map(|parent| (parent, node.clone())));
        }
    }
    forth.sort();
    back.sort();
    assert_eq!(forth, back);
    assert_eq!(forth.len(), 13);
}
