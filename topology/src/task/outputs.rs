//! Outputs of the open transaction, collected in runs per destination partition.

use crate::context::Part;
use crate::partitioner::partition_for;
use crate::record::RawRecord;

/// Name of the header that travels from input to outputs.
const TRACEPARENT: &[u8] = b"traceparent";

#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: usize,
    len: usize,
}

impl Span {
    fn of<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        arena.get(self.start..self.start + self.len).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy)]
struct Out {
    key: Option<Span>,
    value: Option<Span>,
    timestamp_ms: i64,
    /// First and one past the last header in the run's list.
    headers: (usize, usize),
}

/// The outputs for one partition of one sink, in order.
#[derive(Debug, Default)]
pub struct OutputRun {
    arena: Vec<u8>,
    records: Vec<Out>,
    headers: Vec<(Span, Option<Span>)>,
}

/// One output record, borrowed from its run.
#[derive(Debug, Clone, Copy)]
pub struct OutputView<'a> {
    run: &'a OutputRun,
    out: Out,
}

impl<'a> OutputView<'a> {
    /// Returns the key.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.out.key.map(|span| span.of(&self.run.arena))
    }

    /// Returns the value.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.out.value.map(|span| span.of(&self.run.arena))
    }

    /// Returns the timestamp, ms since the epoch.
    #[must_use]
    pub fn timestamp_ms(&self) -> i64 {
        self.out.timestamp_ms
    }

    /// Iterates over header names and values.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let run = self.run;
        let headers = run.headers.get(self.out.headers.0..self.out.headers.1).unwrap_or_default();
        headers.iter().map(|(name, value)| (name.of(&run.arena), value.map(|span| span.of(&run.arena))))
    }
}

impl OutputRun {
    /// Iterates over the records in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = OutputView<'_>> {
        self.records.iter().map(|out| OutputView { run: self, out: *out })
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns the bytes of keys, values and headers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    fn append(&mut self, bytes: &[u8]) -> Span {
        let start = self.arena.len();
        self.arena.extend_from_slice(bytes);
        Span { start, len: bytes.len() }
    }

    /// Appends a record; `write_value` appends the value to the buffer.
    fn push(&mut self, key: Option<&[u8]>, timestamp_ms: i64, write_value: impl FnOnce(&mut Vec<u8>)) {
        let key = key.map(|key| self.append(key));
        let start = self.arena.len();
        write_value(&mut self.arena);
        let value = Some(Span { start, len: self.arena.len() - start });
        let at = self.headers.len();
        self.records.push(Out { key, value, timestamp_ms, headers: (at, at) });
    }

    /// Adds a header to the last record.
    fn header(&mut self, name: &[u8], value: Option<&[u8]>) {
        let name = self.append(name);
        let value = value.map(|value| self.append(value));
        self.headers.push((name, value));
        if let Some(last) = self.records.last_mut() {
            last.headers.1 = self.headers.len();
        }
    }

    fn clear(&mut self) {
        self.arena.clear();
        self.records.clear();
        self.headers.clear();
    }
}

/// Lengths of a run before the current record added to it.
#[derive(Debug, Clone, Copy)]
struct Touched {
    run: usize,
    arena: usize,
    records: usize,
    headers: usize,
}

/// All output runs of a task.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    /// Per sink: index of its first run and its partition count.
    sinks: Vec<(usize, u32)>,
    runs: Vec<OutputRun>,
    touched: Vec<Touched>,
    key: Vec<u8>,
    traceparent: Option<Span>,
    scratch: Vec<u8>,
    records: usize,
    bytes: usize,
}

/// A raw output, for dead letters.
pub(crate) struct RawOutput<'a> {
    pub(crate) key: Option<&'a [u8]>,
    /// Partition of a record without a key, modulo the sink's partition count.
    pub(crate) keyless_partition: u32,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp_ms: i64,
}

impl Outputs {
    /// Returns empty runs for sinks with these partition counts.
    pub(crate) fn new(partition_counts: &[u32]) -> Self {
        let mut outputs = Self::default();
        for &count in partition_counts {
            outputs.sinks.push((outputs.runs.len(), count.max(1)));
            outputs.runs.extend((0..count.max(1)).map(|_| OutputRun::default()));
        }
        outputs
    }

    /// Begins a record: what is emitted from here on can be undone; its `traceparent` travels along.
    pub(crate) fn begin_record(&mut self, raw: Option<&dyn RawRecord>) {
        self.touched.clear();
        self.traceparent = None;
        let Some(raw) = raw.filter(|raw| raw.header_count() > 0) else { return };
        let found =
            (0..raw.header_count()).filter_map(|at| raw.header(at)).filter(|(name, _)| *name == TRACEPARENT);
        if let Some((_, Some(value))) = found.last() {
            self.scratch.clear();
            self.scratch.extend_from_slice(value);
            self.traceparent = Some(Span { start: 0, len: value.len() });
        }
    }

    /// Returns the run that `partition` chooses from the sink's partition count.
    fn run_of(&mut self, sink: usize, partition: impl FnOnce(u32) -> u32) -> Option<usize> {
        let &(first, count) = self.sinks.get(sink)?;
        let at = first + partition(count) as usize;
        let run = self.runs.get(at)?;
        if !self.touched.iter().any(|touched| touched.run == at) {
            self.touched.push(Touched {
                run: at,
                arena: run.arena.len(),
                records: run.records.len(),
                headers: run.headers.len(),
            });
        }
        Some(at)
    }

    /// Emits a record whose parts `write` appends.
    pub(crate) fn emit(&mut self, sink: usize, timestamp_ms: i64, write: &mut dyn FnMut(Part, &mut Vec<u8>)) {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        write(Part::Key, &mut key);
        if let Some(run) =
            self.run_of(sink, |count| partition_for(&key, count)).and_then(|at| self.runs.get_mut(at))
        {
            let before = run.arena.len();
            run.push(Some(&key), timestamp_ms, |out| write(Part::Value, out));
            if let Some(span) = self.traceparent {
                run.header(TRACEPARENT, Some(span.of(&self.scratch)));
            }
            self.records += 1;
            self.bytes += run.arena.len() - before;
        }
        self.key = key;
    }

    /// Emits ready bytes with headers.
    pub(crate) fn emit_raw<'h>(
        &mut self,
        sink: usize,
        output: &RawOutput<'_>,
        headers: impl Iterator<Item = (&'h [u8], Option<&'h [u8]>)>,
    ) {
        let at = self.run_of(sink, |count| match output.key {
            Some(key) => partition_for(key, count),
            None => output.keyless_partition % count,
        });
        let Some(run) = at.and_then(|at| self.runs.get_mut(at)) else { return };
        let before = run.arena.len();
        run.push(output.key, output.timestamp_ms, |out| {
            out.extend_from_slice(output.value.unwrap_or_default())
        });
        if output.value.is_none()
            && let Some(last) = run.records.last_mut()
        {
            last.value = None;
        }
        for (name, value) in headers {
            run.header(name, value);
        }
        self.records += 1;
        self.bytes += run.arena.len() - before;
    }

    /// Undoes what the current record emitted.
    pub(crate) fn undo_record(&mut self) {
        for touched in self.touched.drain(..) {
            if let Some(run) = self.runs.get_mut(touched.run) {
                self.records -= run.records.len() - touched.records;
                self.bytes -= run.arena.len() - touched.arena;
                run.arena.truncate(touched.arena);
                run.records.truncate(touched.records);
                run.headers.truncate(touched.headers);
            }
        }
    }

    pub(crate) fn records(&self) -> usize {
        self.records
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Iterates over the non-empty runs as (sink, partition, run).
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, u32, &OutputRun)> {
        self.sinks.iter().enumerate().flat_map(move |(sink, &(first, count))| {
            (0..count).filter_map(move |partition| {
                let run = self.runs.get(first + partition as usize)?;
                (!run.is_empty()).then_some((sink, partition, run))
            })
        })
    }

    pub(crate) fn clear(&mut self) {
        self.touched.clear();
        self.runs.iter_mut().for_each(OutputRun::clear);
        (self.records, self.bytes) = (0, 0);
    }
}
