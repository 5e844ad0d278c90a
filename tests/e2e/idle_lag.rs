//! Lag reads 0 when drained, also behind the markers of a transactional input producer.

use std::time::Duration;

use crate::support::{Node, World, group_lag, wait_drained, wait_until};

#[test]
fn lag_reads_zero_when_a_transactional_input_is_drained() {
    let world = World::new("idle");
    let mut node = Node::start(&world, "one", &[]);
    node.wait_ready(Duration::from_secs(30));
    world.load(&["--users", "50", "--orders", "2000", "--rate", "0", "--transactional", "--seed", "3"]);
    wait_until("kafka-consumer-groups would show lag 0", Duration::from_secs(30), || group_lag(&world) == 0);
    wait_until("metrics show lag 0", Duration::from_secs(10), || {
        node.metric("millpond_source_lag_offsets") == 0.0
            && node.metric("millpond_source_committed_offset") > 0.0
    });
    let committed = node.metric("millpond_transactions_total");
    std::thread::sleep(Duration::from_secs(2));
    let idle = node.metric("millpond_transactions_total");
    assert_eq!(committed, idle, "an idle instance must not go on committing");
    wait_drained(&world, Duration::from_secs(30));
    assert_eq!(node.stop().code(), Some(0), "{}", node.log());
    world.verify(&["one"]);
}
