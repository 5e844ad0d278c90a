//! What the demo reads of the child's `/status`.

use serde_json::Value;

/// One input partition, as the child sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    /// Topic.
    pub(super) topic: String,
    /// Partition.
    pub(super) partition: i32,
    /// Next offset to be read.
    pub(super) position: i64,
    /// Next offset as committed; 0 before the first commit.
    pub(super) committed: i64,
}

impl Input {
    /// Returns how many offsets were read beyond the committed one.
    pub(super) fn ahead(&self) -> u64 {
        u64::try_from(self.position - self.committed).unwrap_or_default()
    }
}

/// Returns the input partitions of the processor's tasks; none while the child has no tasks.
pub(super) fn inputs(body: &str) -> Vec<Input> {
    let Ok(status) = serde_json::from_str::<Value>(body) else {
        return Vec::new();
    };
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let processors = list(&status, "tasks").into_iter().filter(|task| {
        // The sink's tasks read outputs; their lag is told apart.
        task.get("role").and_then(Value::as_str) != Some("sink")
    });
    let inputs = processors.flat_map(|task| list(&task, "inputs"));
    inputs
        .filter_map(|input| {
            let number = |name: &str| input.get(name).and_then(Value::as_i64);
            Some(Input {
                topic: input.get("topic")?.as_str()?.to_owned(),
                partition: i32::try_from(number("partition")?).ok()?,
                position: number("position")?,
                committed: number("committed").unwrap_or_default(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Input, inputs};

    #[test]
    fn inputs_of_processors_are_read() {
        let body = r#"{"state":"running","tasks":[
            {"id":"0_1","role":"processor","state":{"phase":"running"},"inputs":[
                {"topic":"o","partition":1,"position":9,"committed":5,"lag":3},
                {"topic":"c","partition":1,"position":4,"committed":null},
                {"topic":"d","partition":1,"position":null,"committed":null}]},
            {"id":"1_1","role":"sink","inputs":[{"topic":"a","partition":1,"position":9,"committed":5}]}]}"#;
        let input = |topic: &str, position, committed| Input {
            topic: topic.to_owned(),
            partition: 1,
            position,
            committed,
        };
        let found = inputs(body);
        assert_eq!(found, [input("o", 9, 5), input("c", 4, 0)]);
        assert_eq!(found.iter().map(Input::ahead).sum::<u64>(), 8);
        assert_eq!(inputs("starting"), []);
    }
}
