//! The test driver: tasks by partition, headers, several sub-topologies, what it refuses.

use millpond_topology::{
    Builder, Child, Context, Decoded, DriverError, NoData, OwnedRecord, ProcessError, Processor, Record,
    SourceSpec, Str, TaskId, TestDriver, partition_for, processor,
};

use crate::connections::Pass;
use crate::support::{AMOUNTS, Out, WALL_MS, record, text, topology};

#[test]
fn each_partition_is_a_task_with_a_state_of_its_own() {
    let mut driver = TestDriver::new(topology(), 3, WALL_MS).unwrap();
    let keys = ["a", "b", "c", "d", "e", "f", "g"];
    let partitions: Vec<u32> = keys.iter().map(|key| partition_for(key.as_bytes(), 3)).collect();
    assert!((0..3).all(|partition| partitions.contains(&partition)), "{partitions:?}");
    let mut next = [0; 3];
    for (key, &partition) in keys.iter().zip(&partitions) {
        let offset = driver.pipe("left", record(WALL_MS, key, "add 1 7 7 1; get 1 7 7")).unwrap();
        next[partition as usize] += 1;
        assert_eq!(offset, next[partition as usize] - 1);
    }
    for out in driver.outputs() {
        assert_eq!(out.partition, partition_for(&out.record.key.unwrap(), 3));
        let value = text(&out.record.value.unwrap());
        assert_eq!(
            value,
            format!("left@{}.0 {}", out.record.offset, out.record.offset + 1),
            "its task's own count"
        );
    }
    let key = [&AMOUNTS.to_be_bytes()[..], &7u64.to_be_bytes(), &7u64.to_be_bytes()].concat();
    for partition in 0..3 {
        let id = TaskId::new(0, partition);
        let count = next[partition as usize];
        assert_eq!(driver.state(id).get(&key), Some(&[&[1], &count.to_le_bytes()[..]].concat()));
        let marker = driver.marker(id).unwrap();
        assert_eq!(marker.next_offset("left"), Some(count));
    }
    assert_eq!(driver.crash().unwrap()[&("left".to_owned(), partitions[0])], next[partitions[0] as usize]);
}

#[test]
fn a_topic_that_no_source_reads_is_refused() {
    let mut driver = TestDriver::new(topology(), 1, WALL_MS).unwrap();
    let refused = driver.pipe("elsewhere", record(WALL_MS, "k", "say x"));
    assert_eq!(refused, Err(DriverError::UnknownTopic("elsewhere".to_owned())));
}

#[test]
fn what_one_sub_topology_writes_the_next_one_reads() {
    let mut builder = Builder::new("app");
    builder.sub_topology("first", |sub| {
        let middle = sub.sink("to-middle", "middle", Str, Str);
        sub.source(SourceSpec::new("in", &["in"], Str, Str), processor("a", || Pass).then(middle));
    });
    builder.sub_topology("second", |sub| {
        let out = sub.sink("to-out", "out", Str, Str);
        sub.source(SourceSpec::new("from-middle", &["middle"], Str, Str), processor("b", || Pass).then(out));
    });
    let mut driver = TestDriver::new(builder.build().unwrap(), 2, WALL_MS).unwrap();
    driver.pipe("in", record(5, "k", "one")).unwrap();
    driver.begin();
    driver.pipe("in", record(6, "k", "two")).unwrap();
    let shown = |driver: &mut TestDriver| -> Vec<(String, String, i64)> {
        let all = driver.outputs().into_iter();
        all.map(|out| (out.topic, text(&out.record.value.unwrap()), out.record.offset)).collect()
    };
    let row = |topic: &str, value: &str, offset| (topic.to_owned(), value.to_owned(), offset);
    assert_eq!(shown(&mut driver), [row("middle", "one", 0), row("out", "one", 0)], "nothing uncommitted");
    driver.commit().unwrap();
    assert_eq!(shown(&mut driver), [row("middle", "two", 1), row("out", "two", 1)]);
    let partition = partition_for(b"k", 2);
    let next = driver.crash().unwrap();
    assert_eq!(next[&("middle".to_owned(), partition)], 2);
    driver.pipe("in", record(7, "k", "three")).unwrap();
    assert_eq!(shown(&mut driver), [row("middle", "three", 2), row("out", "three", 2)]);
}

/// Sends the headers that it sees.
struct Echo(Out);

impl Processor for Echo {
    type KeyIn = Decoded<Str>;
    type ValueIn = Decoded<Str>;
    type KeyOut = NoData;
    type ValueOut = NoData;

    fn process<'a>(
        &mut self,
        record: &Record<'a, &'a str, &'a str>,
        ctx: &mut Context<'_>,
        _children: &mut impl Child<NoData, NoData>,
    ) -> Result<(), ProcessError> {
        let all = record.headers.iter().map(|(name, value)| format!("{}={:?}", text(name), value.map(text)));
        ctx.send(&self.0, record.key, &all.collect::<Vec<_>>().join(" "));
        ctx.send(&self.0, record.key, &format!("{:?}", record.headers.last("a").map(text)));
        Ok(())
    }
}

#[test]
fn processors_see_all_headers_and_traceparent_travels_on() {
    let mut builder = Builder::new("app");
    builder.sub_topology("sub", |sub| {
        let out = sub.sink("out", "out", Str, Str);
        let to = out.clone();
        let echo = processor("echo", move || Echo(to.clone())).sends_to(&out);
        sub.source(SourceSpec::new("in", &["in"], Str, Str), processor("pass", || Pass).then(echo).then(out));
    });
    let mut driver = TestDriver::new(builder.build().unwrap(), 1, WALL_MS).unwrap();
    let header = |name: &str, value: &str| (name.as_bytes().to_vec(), Some(value.as_bytes().to_vec()));
    let headers = vec![
        header("a", "1"),
        header("traceparent", "old"),
        (b"b".to_vec(), None),
        header("a", "2"),
        header("traceparent", "new"),
    ];
    driver.pipe("in", OwnedRecord { headers, ..record(5, "k", "v") }).unwrap();
    driver.pipe("in", record(6, "k", "v")).unwrap();
    let out = driver.outputs();
    let values: Vec<_> = out.iter().map(|out| text(out.record.value.as_deref().unwrap())).collect();
    let seen = r#"a=Some("1") traceparent=Some("old") b=None a=Some("2") traceparent=Some("new")"#;
    assert_eq!(values, [seen, r#"Some("2")"#, "v", "", "None", "v"]);
    for (at, out) in out.iter().enumerate() {
        let want = if at < 3 { vec![header("traceparent", "new")] } else { vec![] };
        assert_eq!(out.record.headers, want, "output {at}");
    }
}

#[test]
fn a_stopped_task_reports_every_time_and_goes_on_after_a_crash() {
    let mut driver = TestDriver::new(topology(), 1, WALL_MS).unwrap();
    driver.pipe("left", record(WALL_MS, "k", "put 1 1 1 5")).unwrap();
    let stopped = driver.pipe("left", record(WALL_MS, "k", "put 1 1 1 6; stop")).unwrap_err().to_string();
    assert_eq!(stopped, "task 0_0, left-0@1: stop: the script says so");
    assert!(driver.pipe("left", record(WALL_MS, "k", "say x")).is_err(), "the record is still the next one");
    assert_eq!(driver.crash().unwrap()[&("left".to_owned(), 0)], 1);
    driver.pipe("left", record(WALL_MS, "k", "get 1 1 1")).unwrap();
    let values: Vec<_> = driver.outputs().into_iter().map(|out| text(&out.record.value.unwrap())).collect();
    assert_eq!(values, ["left@1.0 5"]);
}
