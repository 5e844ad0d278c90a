//! A record of either input through a task of the ledger, and before the oracle: both accept it or both name the same code,
//! both read the same from it, and a dead letter carries the record's own bytes.
//!
//! Input: a byte of choices (which topic, partition, timestamp, what is null), the key's length, the key, the value.
#![no_main]

use std::cell::RefCell;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use millpond_fuzz_judge::{Record, judge_record};
use millpond_ledger::{
    CommandEvent, CommandEventSerde, Currency, DEFAULT_APP_ID, OrderEvent, OrderEventSerde, Topics, topology,
};
use millpond_topology::{
    Deserializer, InputOffset, MemoryState, Now, OwnedRecord, Restored, Task, TaskId, TaskOptions,
    partition_for,
};

const PARTITIONS: u32 = 3;
const WALL_MS: i64 = 1_795_165_954_123;
const AHEAD_MS_MAX: i64 = 24 * 60 * 60 * 1_000;
/// Records after which a task is built anew, so that its state stays small.
const RECORDS_PER_TASK: i64 = 512;
const TOPICS: [&str; 2] = ["order.events", "account.commands"];

/// One task per partition.
struct Bench {
    task: Task<OwnedRecord>,
    state: MemoryState,
    next: [i64; 2],
}

impl Bench {
    fn new(partition: u32) -> Self {
        let topology = topology(DEFAULT_APP_ID, &Topics::default()).expect("a valid topology");
        let sub = topology.sub_topology(0).expect("the one sub-topology");
        let inputs = sub.inputs().map(|(_, topic)| InputOffset {
            topic: topic.to_owned(),
            topic_id: [0; 16],
            next_offset: 0,
        });
        let restored = Restored {
            inputs: inputs.collect(),
            sequence: 0,
            stream_time_ms: -1,
            punctuations: Vec::new(),
            tallies: Vec::new(),
        };
        let options = TaskOptions {
            app: DEFAULT_APP_ID.to_owned(),
            input_partitions: PARTITIONS,
            sink_partitions: vec![1, 1],
            timestamp_max_ahead_ms: AHEAD_MS_MAX,
            dead_letter_value_bytes_max: 65_536,
            held_bytes_max: 1024 * 1024,
        };
        let state = MemoryState::new();
        let id = TaskId::new(0, partition);
        let task = Task::new(id, sub, options, &restored, Box::new(state.clone())).expect("a task");
        Self { task, state, next: [0; 2] }
    }

    /// Processes a record and returns the dead letter that came of it: its code and value.
    fn run(&mut self, topic: &str, mut record: OwnedRecord) -> Option<(String, Option<Vec<u8>>)> {
        let input = self.task.input_topics().position(|known| known == topic).expect("an input");
        record.offset = self.next[input];
        self.next[input] += 1;
        self.task.push(input, record);
        (0..2).for_each(|input| self.task.reached_end(input, self.next[input]));
        self.task.process(Now::new(Duration::ZERO, WALL_MS), usize::MAX).expect("no record stops the task");
        assert_eq!(self.task.input(input).map(|state| state.waiting), Some(0), "the record was processed");
        let sealed = self.task.seal();
        let mut letter = None;
        for (topic, _, run) in sealed.outputs() {
            for view in run.iter().filter(|_| topic == "deadletter.events") {
                let code = view.headers().find(|(name, _)| *name == b"x-dlq-error-code");
                let code = code.and_then(|(_, code)| code).expect("a code");
                let value = view.value().map(<[u8]>::to_vec);
                assert!(letter.is_none(), "one dead letter at most");
                letter = Some((String::from_utf8(code.to_vec()).expect("text"), value));
            }
        }
        for (key, value) in sealed.images() {
            self.state.apply(key, value);
        }
        self.task.apply().expect("applied");
        letter
    }
}

fn currency(named: Option<Currency>) -> String {
    named.map_or("-".to_owned(), |known| format!("{known:?}"))
}

fn read_order(value: &[u8]) -> Option<String> {
    let event = OrderEventSerde.deserialize(value).ok()?;
    let user = event.user().get();
    Some(match event {
        OrderEvent::Created { order, amount, currency: named, .. } => format!(
            "OrderCreated user={user} order={} amount={} currency={}",
            order.get(),
            amount.fen().get(),
            currency(named)
        ),
        OrderEvent::Paid { .. } => format!("OrderPaid user={user} "),
        OrderEvent::Cancelled { order, .. } => format!("OrderCancelled user={user} order={}", order.get()),
        OrderEvent::RefundRequested { order, refund_id, amount, .. } => format!(
            "OrderRefundRequested user={user} order={} refund={refund_id:?} amount={}",
            order.get(),
            amount.fen().get()
        ),
    })
}

fn read_command(value: &[u8]) -> Option<String> {
    let event = CommandEventSerde.deserialize(value).ok()?;
    let user = event.user().get();
    let moved = |name: &str, amount: i64, named, reference: &str| {
        format!("{name} user={user} amount={amount} currency={} reference={reference:?}", currency(named))
    };
    Some(match event {
        CommandEvent::Open { currency: named, overdraft, .. } => {
            format!(
                "OpenAccount user={user} currency={} overdraft={}",
                currency(Some(named)),
                overdraft.get()
            )
        }
        CommandEvent::Deposit { amount, currency: named, reference, .. } => {
            moved("DepositFunds", amount.fen().get(), named, &reference)
        }
        CommandEvent::Withdraw { amount, currency: named, reference, .. } => {
            moved("WithdrawFunds", amount.fen().get(), named, &reference)
        }
        CommandEvent::Freeze { reason, .. } => format!("FreezeAccount user={user} reason={reason:?}"),
        CommandEvent::Unfreeze { reason, .. } => format!("UnfreezeAccount user={user} reason={reason:?}"),
        CommandEvent::Close { reason, .. } => format!("CloseAccount user={user} reason={reason:?}"),
    })
}

thread_local! {
    static BENCHES: RefCell<[Option<Bench>; PARTITIONS as usize]> = const { RefCell::new([None, None, None]) };
}

fuzz_target!(|data: &[u8]| {
    let [choices, key_length, rest @ ..] = data else { return };
    let Some((key, value)) = rest.split_at_checked(usize::from(*key_length)) else { return };
    let is_order = choices & 1 == 0;
    let partition = match (choices >> 1) & 3 {
        3 => partition_for(key, PARTITIONS),
        chosen => u32::from(chosen),
    };
    let timestamp_ms =
        [WALL_MS, -1, WALL_MS + AHEAD_MS_MAX, WALL_MS + AHEAD_MS_MAX + 1][usize::from(choices >> 3) & 3];
    let key = (choices & 0x20 == 0).then_some(key);
    let value = (choices & 0x40 == 0).then_some(value);
    let topic = TOPICS[usize::from(!is_order)];
    let record = OwnedRecord {
        offset: 0,
        timestamp_ms,
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        headers: Vec::new(),
    };
    let found = BENCHES.with_borrow_mut(|benches| {
        let slot = &mut benches[partition as usize];
        if slot.as_ref().is_some_and(|bench| bench.next.iter().sum::<i64>() >= RECORDS_PER_TASK) {
            *slot = None;
        }
        slot.get_or_insert_with(|| Bench::new(partition)).run(topic, record)
    });

    let partition = partition as i32;
    let judged = judge_record(&Record {
        is_order,
        partition,
        partitions: PARTITIONS as i32,
        timestamp_ms,
        key,
        value,
    });
    // The oracle cannot know the clock of the batch; rule 1 comes first.
    let judged = if timestamp_ms > WALL_MS + AHEAD_MS_MAX { Err("INVALID_TIMESTAMP") } else { judged };
    match (&found, &judged) {
        (None, Ok(meant)) => {
            let read = if is_order { read_order } else { read_command };
            assert_eq!(read(value.expect("not null")).as_ref(), Some(meant));
        }
        // What came before decides these two, and the record itself is good.
        (Some((code, _)), Ok(_)) => {
            assert!(["ORDER_CONFLICT", "ARITHMETIC"].contains(&code.as_str()), "{code}")
        }
        (Some((code, _)), Err(expected)) => assert_eq!(code, expected),
        (None, Err(expected)) => panic!("accepted, though it is {expected}"),
    }
    if let Some((_, carried)) = &found {
        let want = value.map(|value| &value[..value.len().min(65_536)]);
        assert_eq!(carried.as_deref(), want, "the dead letter carries the value");
    }
});
