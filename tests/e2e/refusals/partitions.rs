//! Partition counts that changed while the application was stopped.

use super::operator::grow;
use super::{refused, settled};

#[test]
fn added_partitions_are_refused_and_no_setting_moves_the_state_along() {
    let world = settled("partitions");
    // The configuration is what changed.
    insta::assert_snapshot!("configured", refused(&world, &[("MILLPOND_TOPICS__ORDERS__PARTITIONS", "4")]));
    let (mut extra, names) = (Vec::new(), ["account.events", "order.events", "account.commands"]);
    for name in names {
        grow(&world, &world.topic(name), 3);
        insta::assert_snapshot!(name.replace('.', "_"), refused(&world, &[]));
    }
    grow(&world, &world.changelog(), 3);
    insta::assert_snapshot!("changelog", refused(&world, &[]));
    for key in ["ORDERS", "COMMANDS", "ACCOUNTS"] {
        extra.push((format!("MILLPOND_TOPICS__{key}__PARTITIONS"), "3"));
    }
    let extra: Vec<(&str, &str)> = extra.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    insta::assert_snapshot!("followed", refused(&world, &extra));
}
