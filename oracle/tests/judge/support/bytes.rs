//! Encoders of `docs/formats.md`, written anew.

use sha2::{Digest, Sha256};

/// `str`: length and bytes.
pub(crate) fn text(text: &str) -> Vec<u8> {
    [&u64::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat()
}

fn count(count: usize) -> [u8; 8] {
    u64::try_from(count).unwrap().to_le_bytes()
}

fn longs(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn account_key(user: u64) -> Vec<u8> {
    [&[0, 1][..], &user.to_be_bytes()].concat()
}

pub(crate) fn order_key(user: u64, order: u64) -> Vec<u8> {
    [&[0, 2][..], &user.to_be_bytes(), &order.to_be_bytes()].concat()
}

/// `kind`: 0 deposit, 1 withdrawal.
pub(crate) fn reference_key(user: u64, kind: u8, reference: &str) -> Vec<u8> {
    [&[0, 3][..], &user.to_be_bytes(), &[kind], reference.as_bytes()].concat()
}

/// `money`: balance, overdraft, total credited, total debited.
pub(crate) fn account(money: [i64; 4], status: u8, version: u64) -> Vec<u8> {
    let [balance, overdraft, credited, debited] = money;
    let (front, totals) = (longs(&[balance, overdraft]), longs(&[credited, debited]));
    [&[1][..], &front, b"CNY", &[status], &version.to_le_bytes(), &totals].concat()
}

pub(crate) fn order(outcome: u8, amount: i64, refunded: i64, refund_ids: &[&str]) -> Vec<u8> {
    let ids: Vec<u8> = refund_ids.iter().flat_map(|id| text(id)).collect();
    [&[1, outcome][..], &longs(&[amount, refunded]), &count(refund_ids.len()), &ids].concat()
}

pub(crate) fn reference(amount: i64) -> Vec<u8> {
    [&[1][..], &amount.to_le_bytes(), &[0]].concat()
}

/// What a marker says.
pub(crate) struct Marker<'a> {
    pub(crate) sequence: u64,
    /// Topic and next offset, by topic name.
    pub(crate) inputs: &'a [(String, i64)],
    pub(crate) live_accounts: u64,
    pub(crate) sums: [i128; 3],
}

pub(crate) fn marker(marker: &Marker<'_>) -> Vec<u8> {
    let source = |topic: &str| if topic.contains("commands") { "account-commands" } else { "order-events" };
    let line = |(topic, _): &(String, i64)| format!("input {} {topic}\n", source(topic));
    let mut lines: Vec<String> = marker.inputs.iter().map(line).collect();
    lines.sort_unstable();
    let lines = lines.concat();
    let base = Sha256::digest(format!("millpond/2\n{lines}partitioner murmur2\n"));
    let mut bytes = vec![1];
    bytes.extend(&base[..16]);
    bytes.extend(count(STORES.len()));
    for (id, name) in STORES {
        bytes.extend(id.to_le_bytes());
        bytes.extend(&Sha256::digest(format!("{id} {name} {CODEC}"))[..8]);
    }
    bytes.extend(marker.sequence.to_le_bytes());
    bytes.extend(count(marker.inputs.len()));
    for (topic, next) in marker.inputs {
        bytes.extend(text(topic));
        bytes.extend([7; 16]);
        bytes.extend(next.to_le_bytes());
    }
    bytes.extend((-1_i64).to_le_bytes());
    bytes.extend(count(0));
    bytes.extend(count(1));
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(marker.live_accounts.to_le_bytes());
    bytes.extend(count(3));
    bytes.extend(marker.sums.iter().flat_map(|sum| sum.to_le_bytes()));
    bytes
}

const STORES: [(u16, &str); 3] = [(1, "accounts"), (2, "orders"), (3, "references")];
const CODEC: &str = "bincode/1";

/// Metadata of a store whose changelog position is `position`.
pub(crate) fn metadata(
    app: &str,
    changelog: &str,
    partition: u32,
    partitions: u32,
    position: i64,
) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend([text(app), text("accounts")].concat());
    bytes.extend(partition.to_le_bytes());
    bytes.extend(partitions.to_le_bytes());
    bytes.extend(text("murmur2"));
    bytes.extend(count(STORES.len()));
    for (id, name) in STORES {
        bytes.extend(id.to_le_bytes());
        bytes.extend([text(name), text(CODEC)].concat());
    }
    bytes.extend(text(changelog));
    bytes.extend([9; 16]);
    bytes.extend(position.to_le_bytes());
    bytes.extend(0_i64.to_le_bytes());
    bytes
}
