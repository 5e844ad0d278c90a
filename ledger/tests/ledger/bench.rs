//! One task of the ledger over a state of the test's choice, for what the driver cannot be asked: any
//! partition, any timestamp, any stored bytes.

use millpond_ledger::{DEFAULT_APP_ID, Topics, topology};
use millpond_topology::{
    InputOffset, MemoryState, Now, OwnedRecord, Restored, Sealed, Task, TaskError, TaskId, TaskOptions,
};

use crate::input::WALL_MS;

/// An output: topic and record.
pub(crate) type Out = (String, OwnedRecord);

pub(crate) struct Bench {
    task: Task<OwnedRecord>,
    state: MemoryState,
    next: Vec<i64>,
}

impl Bench {
    pub(crate) fn over(state: MemoryState, partitions: u32, partition: u32) -> Self {
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
            input_partitions: partitions,
            sink_partitions: vec![1, 1],
            timestamp_max_ahead_ms: 24 * 60 * 60 * 1000,
            dead_letter_value_bytes_max: 65_536,
            held_bytes_max: 16 * 1024 * 1024,
        };
        let id = TaskId::new(0, partition);
        let mut task = Task::new(id, sub, options, &restored, Box::new(state.clone())).expect("a task");
        task.reached_end(0, 0);
        task.reached_end(1, 0);
        Self { task, state, next: vec![0, 0] }
    }

    /// Processes records of one topic in one transaction and returns what `read` makes of it.
    fn process<T>(
        &mut self,
        topic: &str,
        records: Vec<OwnedRecord>,
        read: impl FnOnce(&Sealed<'_, OwnedRecord>) -> T,
    ) -> Result<T, TaskError> {
        let input = self.task.input_topics().position(|known| known == topic).expect("an input topic");
        for mut record in records {
            record.offset = self.next[input];
            self.next[input] += 1;
            self.task.push(input, record);
        }
        let now = Now::new(std::time::Duration::ZERO, WALL_MS);
        self.task.process(now, usize::MAX)?;
        self.task.reached_end(input, self.next[input]);
        let sealed = self.task.seal();
        let out = read(&sealed);
        for (key, value) in sealed.images() {
            self.state.apply(key, value);
        }
        self.task.apply()?;
        Ok(out)
    }

    /// Processes records of one topic in one transaction and returns how many came out.
    pub(crate) fn transaction(&mut self, topic: &str, records: Vec<OwnedRecord>) -> usize {
        let count =
            |sealed: &Sealed<'_, OwnedRecord>| sealed.outputs().map(|(_, _, run)| run.iter().count()).sum();
        self.process(topic, records, count).expect("no input stops the task")
    }

    /// Processes one record in a transaction of its own and returns what came out.
    pub(crate) fn run(&mut self, topic: &str, record: OwnedRecord) -> Result<Vec<Out>, TaskError> {
        self.process(topic, vec![record], outputs)
    }
}

fn outputs(sealed: &Sealed<'_, OwnedRecord>) -> Vec<Out> {
    let mut outputs = Vec::new();
    for (topic, _, run) in sealed.outputs() {
        outputs.extend(run.iter().map(|view| {
            let headers = view.headers().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)));
            let record = OwnedRecord {
                offset: 0,
                timestamp_ms: view.timestamp_ms(),
                key: view.key().map(<[u8]>::to_vec),
                value: view.value().map(<[u8]>::to_vec),
                headers: headers.collect(),
            };
            (topic.to_owned(), record)
        }));
    }
    outputs
}
