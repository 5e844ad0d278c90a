//! Seeded sequences of sound events of every type, as a ledger would write them.

use std::collections::BTreeMap;

use super::cluster::Record;

/// Accounts as the generator sees them.
#[derive(Default)]
struct Account {
    balance: i64,
    version: i64,
    /// Orders debited: amount and refunded so far.
    orders: BTreeMap<i64, (i64, i64)>,
}

/// Writes a plausible history. Clone it before a transaction that will be aborted.
#[derive(Clone)]
pub(crate) struct Generator {
    partitions: i32,
    users: u64,
    random: u64,
    next_id: i64,
    accounts: BTreeMap<i64, Account>,
}

impl Clone for Account {
    fn clone(&self) -> Self {
        Self { balance: self.balance, version: self.version, orders: self.orders.clone() }
    }
}

impl Generator {
    pub(crate) fn new(seed: u64, users: u64, partitions: i32) -> Self {
        Self { partitions, users, random: seed | 1, next_id: 0, accounts: BTreeMap::new() }
    }

    /// xorshift64.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    pub(crate) fn events(&mut self, count: usize) -> Vec<Record> {
        (0..count).map(|_| self.event()).collect()
    }

    fn event(&mut self) -> Record {
        let user = i64::try_from(self.random(self.users)).unwrap() + 1;
        let amount = i64::try_from(self.random(1000)).unwrap() + 1;
        let choice = self.random(20);
        self.next_id += 1;
        let id = self.next_id;
        let Some(account) = self.accounts.get_mut(&user) else {
            let account = self.accounts.entry(user).or_default();
            account.version = 1;
            if choice < 10 {
                return self.record(user, "AccountOpened", r#""currency":"CNY","overdraftFen":500"#, 1);
            }
            account.balance = amount;
            let payload = moved(amount, amount, &format!(r#""reference":"first-{id}""#));
            return self.record(user, "AccountCredited", &payload, 1);
        };
        let refundable = account.orders.iter().find(|(_, (amount, refunded))| amount > refunded);
        match choice {
            0 | 1 => {
                let payload = format!(
                    r#""orderId":{id},"amountFen":{amount},"reason":"INSUFFICIENT_BALANCE","balanceFen":{}"#,
                    account.balance
                );
                self.record(user, "DebitFailed", &payload, 0)
            }
            2 => {
                let payload =
                    r#""command":"WithdrawFunds","reference":"w \"1\" é","reason":"INSUFFICIENT_BALANCE""#;
                self.record(user, "CommandRejected", payload, 0)
            }
            3 | 4 => {
                account.version += 1;
                let version = account.version;
                let event_type = ["AccountFrozen", "AccountUnfrozen", "AccountClosed"]
                    [usize::try_from(amount % 3).unwrap()];
                self.record(user, event_type, r#""reason":null"#, version)
            }
            5..=8 if refundable.is_some() => {
                let (&order, &(debited, refunded)) = refundable.unwrap();
                let delta = amount.min(debited - refunded);
                account.orders.insert(order, (debited, refunded + delta));
                account.balance += delta;
                account.version += 1;
                let (after, version) = (account.balance, account.version);
                let refund_id = if choice == 5 { "null".to_owned() } else { format!("\"refund-{id}\"") };
                let rest = format!(
                    r#""orderId":{order},"refundId":{refund_id},"refundedTotalFen":{}"#,
                    refunded + delta
                );
                self.record(user, "AccountRefunded", &moved(delta, after, &rest), version)
            }
            9..=13 if account.balance >= amount => {
                account.balance -= amount;
                account.version += 1;
                let (after, version) = (account.balance, account.version);
                let rest = if choice == 9 {
                    format!(r#""reference":"withdrawal-{id}""#)
                } else {
                    account.orders.insert(id, (amount, 0));
                    format!(r#""orderId":{id}"#)
                };
                self.record(user, "AccountDebited", &moved(-amount, after, &rest), version)
            }
            _ => {
                account.balance += amount;
                account.version += 1;
                let (after, version) = (account.balance, account.version);
                let rest = format!(r#""reference":"deposit-{id}""#);
                self.record(user, "AccountCredited", &moved(amount, after, &rest), version)
            }
        }
    }

    /// `version` 0: the event is about no account.
    fn record(&mut self, user: i64, event_type: &str, payload: &str, version: i64) -> Record {
        let id =
            uuid::Uuid::from_u64_pair(u64::try_from(user).unwrap(), u64::try_from(self.next_id).unwrap());
        let account = if version == 0 {
            String::new()
        } else {
            format!(r#""accountId":{user},"accountVersion":{version},"#)
        };
        let millis = self.next_id % 1000;
        let value = format!(
            r#"{{"eventType":"{event_type}","eventId":"{id}","occurredAt":"2026-11-20T09:12:34.{millis:03}Z",
            "source":{{"topic":"order.events","partition":1,"offset":{}}},
            "payload":{{{account}"userId":{user},{payload}}}}}"#,
            self.next_id
        );
        Record {
            partition: i32::try_from(user % i64::from(self.partitions)).unwrap(),
            key: user.to_string(),
            value: Some(value.into_bytes()),
            headers: vec![(
                "traceparent",
                b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec(),
            )],
        }
    }
}

fn moved(delta: i64, after: i64, rest: &str) -> String {
    format!(r#""deltaFen":{delta},"balanceAfterFen":{after},"currency":"CNY",{rest}"#)
}
