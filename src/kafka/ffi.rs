//! Every `unsafe` line of the project: librdkafka by its C API, behind types whose methods are safe to call; the end of
//! the process, and the arenas of its allocator.
//!
//! Why not the safe wrapper: its flush and commit cost 100 ms a call, its group metadata cannot be made from a generation
//! of one's own, its messages cannot be kept without a copy (`docs/adr/0002-librdkafka-by-ffi.md`).
//!
//! Ownership, relied on below:
//! - [`Handle`] owns a `rd_kafka_t` and destroys it last: messages, queues and topics hold an `Arc` of it.
//! - librdkafka copies every string, list and payload that it is given (`RD_KAFKA_MSG_F_COPY`), except the topic
//!   configuration and configuration objects, which it takes over.
//! - Error codes are read as `i32`: a code that the bindings' enum does not know would be undefined behaviour.
#![expect(unsafe_code, reason = "this is the one file that may; every block says why it is sound")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

// SAFETY: as in POSIX.
unsafe extern "C" {
    #[link_name = "_exit"]
    fn exit_at_once(code: c_int) -> !;
}

/// Ends the process without running what C and C++ libraries have registered for its end: after a failure, threads may still
/// be at work in stores whose locks that would take away, and abort instead of ending with `code`.
pub fn end_process(code: u8) -> ! {
    // SAFETY: it may be called at any time and does not return.
    unsafe { exit_at_once(c_int::from(code)) }
}

#[cfg(target_env = "gnu")]
// SAFETY: as in glibc's `malloc.h`.
unsafe extern "C" {
    fn mallopt(parameter: c_int, value: c_int) -> c_int;
}

/// Keeps the allocator of the C library from holding memory that was freed. For the start of `main`, before there are threads;
/// does nothing with another C library. The variables named here win.
///
/// One arena per core (`MALLOC_ARENA_MAX`) instead of eight: each keeps what was freed in it, and a process has three dozen
/// threads. What is larger than 128 KiB is given back at once (`MALLOC_MMAP_THRESHOLD_`): glibc raises that limit to the
/// largest that was ever freed, and then the answers of brokers, which come and go by the megabyte among blocks of a cache that
/// stay, leave holes (2,000,000 accounts with a budget of 64 MiB: 217 to 236 MiB at most, 201 so, in the same time). A limit
/// that is set also keeps glibc from raising the one above which it gives back the end of its heap. `GLIBC_TUNABLES` is not
/// looked at.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    {
        /// `M_ARENA_MAX` and `M_MMAP_THRESHOLD` of glibc.
        const ARENA_MAX: c_int = -8;
        const MMAP_THRESHOLD: c_int = -3;
        const LARGE_BYTES: c_int = 128 * 1024;
        let cores = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        let arenas = c_int::try_from(cores).unwrap_or(c_int::MAX);
        let settings = [
            ("MALLOC_ARENA_MAX", ARENA_MAX, arenas),
            ("MALLOC_MMAP_THRESHOLD_", MMAP_THRESHOLD, LARGE_BYTES),
        ];
        for (name, parameter, value) in settings {
            if std::env::var_os(name).is_none() {
                // SAFETY: it only sets a number, and there is no other thread yet.
                unsafe { mallopt(parameter, value) };
            }
        }
    }
}

// SAFETY: signatures as in librdkafka's `rdkafka.h`, with error codes as the C `int` that they are.
unsafe extern "C" {
    #[link_name = "rd_kafka_error_code"]
    fn error_code(error: *const sys::rd_kafka_error_t) -> c_int;
    #[link_name = "rd_kafka_committed"]
    fn committed(
        rk: *mut sys::rd_kafka_t,
        list: *mut sys::rd_kafka_topic_partition_list_t,
        timeout_ms: c_int,
    ) -> c_int;
    #[link_name = "rd_kafka_metadata"]
    fn metadata(
        rk: *mut sys::rd_kafka_t,
        all: c_int,
        only: *mut sys::rd_kafka_topic_t,
        out: *mut *const sys::rd_kafka_metadata,
        timeout_ms: c_int,
    ) -> c_int;
    #[link_name = "rd_kafka_flush"]
    fn flush(rk: *mut sys::rd_kafka_t, timeout_ms: c_int) -> c_int;
    #[link_name = "rd_kafka_event_error"]
    fn event_error(event: *mut sys::rd_kafka_event_t) -> c_int;
    #[link_name = "rd_kafka_fatal_error"]
    fn fatal_error(rk: *mut sys::rd_kafka_t, why: *mut c_char, size: usize) -> c_int;
    #[link_name = "rd_kafka_err2name"]
    fn err2name(code: c_int) -> *const c_char;
}

/// Error codes that the project names.
pub mod code {
    /// End of partition reached.
    pub const PARTITION_EOF: i32 = -191;
    /// Timed out.
    pub const TIMED_OUT: i32 = -185;
    /// Fenced by a newer instance of the same transactional id.
    pub const FENCED: i32 = -144;
    /// `auto.offset.reset=error` hit.
    pub const AUTO_OFFSET_RESET: i32 = -140;
    /// Refused because another record of the same batch is.
    pub const INVALID_DIFFERENT_RECORD: i32 = -138;
    /// Another live member has the same static instance id.
    pub const FENCED_INSTANCE_ID: i32 = 82;
    /// Purged from the queue by an abort.
    pub const PURGE_QUEUE: i32 = -152;
    /// Purged in flight by an abort.
    pub const PURGE_INFLIGHT: i32 = -151;
    /// The broker refuses the record's timestamp.
    pub const INVALID_TIMESTAMP: i32 = 32;
    /// A fetched batch fails its checksum; the client skips it.
    pub const BAD_MSG: i32 = -199;
    /// A fetched batch cannot be decompressed.
    pub const BAD_COMPRESSION: i32 = -198;
    /// A fetched batch has a format that the client does not know; it skips it.
    pub const NOT_IMPLEMENTED: i32 = -170;
    /// A fetched batch is larger than the client takes, or a produced one than the broker does.
    pub const MSG_SIZE_TOO_LARGE: i32 = 10;
    /// A batch is larger than a segment.
    pub const RECORD_LIST_TOO_LARGE: i32 = 18;
    /// A committed offset is pinned by an open transaction.
    pub const UNSTABLE_OFFSET_COMMIT: i32 = 88;
}

fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka returns NUL-terminated strings that live at least as long as the object just asked.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

fn c_string(value: &str) -> CString {
    // A NUL in a name cannot be expressed in C; cutting there makes the broker refuse the name.
    let end = value.find('\0').unwrap_or(value.len());
    CString::new(value.get(..end).unwrap_or_default()).unwrap_or_default()
}

fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

/// Returns librdkafka's name of an error code.
pub(crate) fn code_name(code: i32) -> String {
    // SAFETY: takes any code and returns a static string.
    text(unsafe { err2name(code) })
}

/// An error of a transactional call, with the flags that say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} ({code}): {message}")]
pub struct CallError {
    /// librdkafka's code.
    pub code: i32,
    /// Its name.
    pub name: String,
    /// Its text.
    pub message: String,
    /// The client instance is finished.
    pub fatal: bool,
    /// The same call may be made again.
    pub retriable: bool,
    /// The transaction must be aborted.
    pub abortable: bool,
}

impl CallError {
    /// Returns an error without flags.
    #[must_use]
    pub fn plain(code: i32, message: String) -> Self {
        Self { code, name: code_name(code), message, fatal: false, retriable: false, abortable: false }
    }

    /// Takes over an error object; null is success.
    fn take(error: *mut sys::rd_kafka_error_t) -> Result<(), Self> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: `error` is a live error object that we own; it is destroyed exactly once, after the last read.
        unsafe {
            let found = Self {
                code: error_code(error),
                name: text(sys::rd_kafka_error_name(error)),
                message: text(sys::rd_kafka_error_string(error)),
                fatal: sys::rd_kafka_error_is_fatal(error) != 0,
                retriable: sys::rd_kafka_error_is_retriable(error) != 0,
                abortable: sys::rd_kafka_error_txn_requires_abort(error) != 0,
            };
            sys::rd_kafka_error_destroy(error);
            Err(found)
        }
    }
}

/// What kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Consumer; manual assignment only.
    Consumer,
    /// Producer.
    Producer,
}

/// A client instance.
#[derive(Debug)]
pub(crate) struct Handle {
    rk: NonNull<sys::rd_kafka_t>,
    kind: Kind,
}

// SAFETY: librdkafka's API is thread-safe (INTRODUCTION.md, "Threads and callbacks").
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the last owner; messages, topics and queues of this handle hold an `Arc` of it and are gone.
        unsafe {
            match self.kind {
                // Without a group there is nothing to leave; closing would wait for the main queue to be served.
                Kind::Consumer => {
                    sys::rd_kafka_destroy_flags(self.rk.as_ptr(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
                }
                Kind::Producer => sys::rd_kafka_destroy(self.rk.as_ptr()),
            }
        }
    }
}

impl Handle {
    /// Creates a client from librdkafka configuration keys.
    ///
    /// # Errors
    /// librdkafka's text for a key that it refuses, with the key named.
    pub(crate) fn new<'c>(
        kind: Kind,
        config: impl Iterator<Item = (&'c str, &'c str)>,
    ) -> Result<Arc<Self>, CallError> {
        let mut why = [0 as c_char; 512];
        // SAFETY: `conf` is owned here until `rd_kafka_new` succeeds, which takes it over; every failing path destroys
        // it. The buffer's length is passed along.
        unsafe {
            let conf = sys::rd_kafka_conf_new();
            for (key, value) in config {
                let (name, text_value) = (c_string(key), c_string(value));
                let set = sys::rd_kafka_conf_set(
                    conf,
                    name.as_ptr(),
                    text_value.as_ptr(),
                    why.as_mut_ptr(),
                    why.len(),
                );
                if set != sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                    sys::rd_kafka_conf_destroy(conf);
                    return Err(CallError::plain(-186, format!("{key}: {}", text(why.as_ptr()))));
                }
            }
            let events = match kind {
                Kind::Producer => {
                    sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR | sys::RD_KAFKA_EVENT_LOG
                }
                Kind::Consumer => sys::RD_KAFKA_EVENT_ERROR | sys::RD_KAFKA_EVENT_LOG,
            };
            sys::rd_kafka_conf_set_events(conf, events);
            let c_kind = match kind {
                Kind::Producer => sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
                Kind::Consumer => sys::rd_kafka_type_t::RD_KAFKA_CONSUMER,
            };
            let rk = sys::rd_kafka_new(c_kind, conf, why.as_mut_ptr(), why.len());
            let Some(rk) = NonNull::new(rk) else {
                sys::rd_kafka_conf_destroy(conf);
                return Err(CallError::plain(-186, text(why.as_ptr())));
            };
            // Log lines go to the main queue (`log.queue`), from where they are traced.
            let _ = sys::rd_kafka_set_log_queue(rk.as_ptr(), ptr::null_mut());
            Ok(Arc::new(Self { rk, kind }))
        }
    }

    fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// Returns the error that finished the instance, if one did.
    pub(crate) fn fatal_error(&self) -> Option<CallError> {
        let mut why = [0 as c_char; 512];
        // SAFETY: reads into a buffer whose length is passed along.
        let found = unsafe { fatal_error(self.ptr(), why.as_mut_ptr(), why.len()) };
        (found != 0).then(|| CallError { fatal: true, ..CallError::plain(found, text(why.as_ptr())) })
    }

    /// Asks for the metadata of one topic: partition count. Also what makes the first fetch or transaction quick.
    ///
    /// # Errors
    /// When no broker answers in `timeout`, or the topic does not exist.
    pub(crate) fn partition_count(
        self: &Arc<Self>,
        topic: &str,
        timeout: Duration,
    ) -> Result<u32, CallError> {
        let handle = Topic::new(self, topic)?;
        let mut out: *const sys::rd_kafka_metadata = ptr::null();
        // SAFETY: `out` is written on success and destroyed once; its arrays have the lengths that it names.
        unsafe {
            let failed = metadata(self.ptr(), 0, handle.rkt.as_ptr(), &raw mut out, millis(timeout));
            if failed != 0 || out.is_null() {
                return Err(CallError::plain(failed, format!("metadata of topic {topic}")));
            }
            let topics = (*out).topics;
            let found = if (*out).topic_cnt < 1 || topics.is_null() {
                Err(CallError::plain(3, format!("topic {topic}")))
            } else {
                let failed = (&raw const (*topics).err).cast::<i32>().read();
                if failed == 0 {
                    Ok(u32::try_from((*topics).partition_cnt).unwrap_or(0))
                } else {
                    Err(CallError::plain(failed, format!("topic {topic}")))
                }
            };
            sys::rd_kafka_metadata_destroy(out);
            found
        }
    }

    /// Returns the end of a partition as the last fetch reported it, without asking a broker; `None` when unknown.
    pub(crate) fn cached_end(&self, topic: &CStr, partition: i32) -> Option<i64> {
        let (mut low, mut high) = (-1i64, -1i64);
        // SAFETY: reads two integers.
        let failed = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                self.ptr(),
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            ) as i32
        };
        (failed == 0 && high >= 0).then_some(high)
    }
}

/// A topic of a client.
#[derive(Debug)]
pub(crate) struct Topic {
    rkt: NonNull<sys::rd_kafka_topic_t>,
    _handle: Arc<Handle>,
}

// SAFETY: topic objects are reference-counted and thread-safe in librdkafka.
unsafe impl Send for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: created by `rd_kafka_topic_new`, destroyed once.
        unsafe { sys::rd_kafka_topic_destroy(self.rkt.as_ptr()) }
    }
}

impl Topic {
    /// Returns the topic `name` of `handle`.
    ///
    /// # Errors
    /// When librdkafka refuses the name.
    pub(crate) fn new(handle: &Arc<Handle>, name: &str) -> Result<Self, CallError> {
        let c_name = c_string(name);
        // SAFETY: the name is copied; a null configuration means defaults.
        let rkt = unsafe { sys::rd_kafka_topic_new(handle.ptr(), c_name.as_ptr(), ptr::null_mut()) };
        let rkt = NonNull::new(rkt).ok_or_else(|| CallError::plain(-186, format!("topic {name}")))?;
        Ok(Self { rkt, _handle: Arc::clone(handle) })
    }
}

/// A topic-partition with an offset, as lists carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset; negative values are librdkafka's logical offsets.
    pub offset: i64,
    /// Metadata of a committed offset.
    pub metadata: Option<String>,
    /// Error of this partition; 0 = none.
    pub err: i32,
}

impl Position {
    /// Returns a position without metadata.
    pub fn new(topic: &str, partition: u32, offset: i64) -> Self {
        Self { topic: topic.to_owned(), partition, offset, metadata: None, err: 0 }
    }
}

/// A topic-partition list of librdkafka.
struct List(NonNull<sys::rd_kafka_topic_partition_list_t>);

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: created by `rd_kafka_topic_partition_list_new` or handed over; destroyed once.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}

impl List {
    fn new(positions: &[Position]) -> Result<Self, CallError> {
        // SAFETY: each added element is returned as a valid pointer; its metadata is allocated with the allocator that
        // the list frees it with (`rd_kafka_mem_malloc`), and has exactly the length noted.
        unsafe {
            let size = c_int::try_from(positions.len()).unwrap_or(0);
            let list = NonNull::new(sys::rd_kafka_topic_partition_list_new(size))
                .ok_or_else(|| CallError::plain(-194, "out of memory".into()))?;
            let list = Self(list);
            for position in positions {
                let topic = c_string(&position.topic);
                let partition = i32::try_from(position.partition).unwrap_or(-1);
                let element =
                    sys::rd_kafka_topic_partition_list_add(list.0.as_ptr(), topic.as_ptr(), partition);
                (*element).offset = position.offset;
                if let Some(metadata) = &position.metadata {
                    let copy = sys::rd_kafka_mem_malloc(ptr::null_mut(), metadata.len().max(1));
                    if !copy.is_null() {
                        ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast::<u8>(), metadata.len());
                        (*element).metadata = copy;
                        (*element).metadata_size = metadata.len();
                    }
                }
            }
            Ok(list)
        }
    }

    fn read(&self) -> Vec<Position> {
        // SAFETY: the list has `cnt` initialised elements; strings are NUL-terminated, metadata has its noted length.
        unsafe {
            let list = self.0.as_ptr();
            let count = usize::try_from((*list).cnt).unwrap_or(0);
            (0..count).map(|at| Self::element((*list).elems.add(at))).collect()
        }
    }

    /// # Safety
    /// `element` points to an initialised element.
    unsafe fn element(element: *const sys::rd_kafka_topic_partition_t) -> Position {
        // SAFETY: by the caller.
        unsafe {
            let metadata = if (*element).metadata.is_null() || (*element).metadata_size == 0 {
                None
            } else {
                let bytes =
                    std::slice::from_raw_parts((*element).metadata.cast::<u8>(), (*element).metadata_size);
                Some(String::from_utf8_lossy(bytes).into_owned())
            };
            Position {
                topic: text((*element).topic),
                partition: u32::try_from((*element).partition).unwrap_or(u32::MAX),
                offset: (*element).offset,
                metadata,
                err: (&raw const (*element).err).cast::<i32>().read(),
            }
        }
    }
}

/// A fetched message, owned. Its bytes stay in librdkafka's fetch buffer until it is dropped.
#[derive(Debug)]
pub struct Message {
    message: NonNull<sys::rd_kafka_message_t>,
    _handle: Arc<Handle>,
}

// SAFETY: a message is an independent object once handed out; librdkafka lets any thread destroy it.
unsafe impl Send for Message {}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { sys::rd_kafka_message_destroy(self.message.as_ptr()) }
    }
}

/// Identifies the topic of messages of one consumer without comparing names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicTag(usize);

impl Message {
    fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: live until `drop`; nothing writes to it.
        unsafe { self.message.as_ref() }
    }

    /// Returns the error code that the message stands for; 0 = a record.
    pub fn err(&self) -> i32 {
        // SAFETY: the field is an `i32`-sized enum; read as integer because the code may be unknown to the enum.
        unsafe { (&raw const (*self.message.as_ptr()).err).cast::<i32>().read() }
    }

    /// Returns the text of the error that the message stands for.
    pub fn error_text(&self) -> String {
        // SAFETY: a live message.
        text(unsafe { sys::rd_kafka_message_errstr(self.message.as_ptr()) })
    }

    /// Returns the tag of the topic.
    pub fn topic_tag(&self) -> TopicTag {
        TopicTag(self.raw().rkt as usize)
    }

    /// Returns the topic's name.
    pub fn topic(&self) -> String {
        let rkt = self.raw().rkt;
        if rkt.is_null() {
            return String::new();
        }
        // SAFETY: the message holds a reference to its topic.
        text(unsafe { sys::rd_kafka_topic_name(rkt) })
    }

    /// Returns the partition.
    pub fn partition(&self) -> i32 {
        self.raw().partition
    }

    fn bytes(&self, pointer: *mut c_void, len: usize) -> Option<&[u8]> {
        if pointer.is_null() {
            return None;
        }
        // SAFETY: pointer and length come from one live message, which `self` keeps alive and nobody changes.
        Some(unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), len) })
    }

    fn headers(&self) -> Option<NonNull<sys::rd_kafka_headers_t>> {
        let mut headers = ptr::null_mut();
        // SAFETY: the headers stay owned by the message.
        let failed = unsafe { sys::rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) as i32 };
        if failed == 0 { NonNull::new(headers) } else { None }
    }
}

impl millpond_topology::RawRecord for Message {
    fn offset(&self) -> i64 {
        self.raw().offset
    }
    fn timestamp_ms(&self) -> i64 {
        // SAFETY: a live message; a null type pointer is allowed.
        unsafe { sys::rd_kafka_message_timestamp(self.message.as_ptr(), ptr::null_mut()) }
    }
    fn key(&self) -> Option<&[u8]> {
        self.bytes(self.raw().key, self.raw().key_len)
    }
    fn value(&self) -> Option<&[u8]> {
        self.bytes(self.raw().payload, self.raw().len)
    }
    fn header_count(&self) -> usize {
        // SAFETY: headers of a live message.
        self.headers().map_or(0, |headers| unsafe { sys::rd_kafka_header_cnt(headers.as_ptr()) })
    }
    fn header(&self, index: usize) -> Option<(&[u8], Option<&[u8]>)> {
        let headers = self.headers()?;
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0usize);
        // SAFETY: out-pointers into the message's headers, which live as long as `self`.
        unsafe {
            let failed = sys::rd_kafka_header_get_all(
                headers.as_ptr(),
                index,
                &raw mut name,
                &raw mut value,
                &raw mut size,
            ) as i32;
            if failed != 0 || name.is_null() {
                return None;
            }
            let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            Some((CStr::from_ptr(name).to_bytes(), value))
        }
    }
}

/// A queue of messages or events.
#[derive(Debug)]
pub(crate) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    handle: Arc<Handle>,
    buffer: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: queues are thread-safe in librdkafka; the buffer is empty between calls.
unsafe impl Send for Queue {}
// SAFETY: as above; the buffer is only touched through `&mut self`.
unsafe impl Sync for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: owned reference, given up once.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

impl Queue {
    fn wrap(handle: &Arc<Handle>, queue: *mut sys::rd_kafka_queue_t) -> Result<Self, CallError> {
        let queue = NonNull::new(queue).ok_or_else(|| CallError::plain(-190, "no such queue".into()))?;
        Ok(Self { queue, handle: Arc::clone(handle), buffer: Vec::new() })
    }

    /// Returns a new queue of `handle`.
    ///
    /// # Errors
    /// When librdkafka cannot allocate one.
    pub(crate) fn new(handle: &Arc<Handle>) -> Result<Self, CallError> {
        // SAFETY: plain constructor.
        Self::wrap(handle, unsafe { sys::rd_kafka_queue_new(handle.ptr()) })
    }

    /// Returns the main queue of `handle`: errors, logs, delivery reports.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn main(handle: &Arc<Handle>) -> Result<Self, CallError> {
        // SAFETY: returns a new reference.
        Self::wrap(handle, unsafe { sys::rd_kafka_queue_get_main(handle.ptr()) })
    }

    /// Returns the fetch queue of a partition.
    ///
    /// # Errors
    /// When the partition cannot be known.
    pub(crate) fn partition(handle: &Arc<Handle>, topic: &str, partition: u32) -> Result<Self, CallError> {
        let topic = c_string(topic);
        let partition = i32::try_from(partition).unwrap_or(-1);
        // SAFETY: the name is copied; returns a new reference.
        Self::wrap(handle, unsafe {
            sys::rd_kafka_queue_get_partition(handle.ptr(), topic.as_ptr(), partition)
        })
    }

    /// Forwards this queue's content to `to`, or to nobody.
    pub(crate) fn forward(&self, to: Option<&Self>) {
        let to = to.map_or(ptr::null_mut(), |to| to.queue.as_ptr());
        // SAFETY: both queues are alive; librdkafka keeps a reference to the target.
        unsafe { sys::rd_kafka_queue_forward(self.queue.as_ptr(), to) }
    }

    /// Takes one message, waiting up to `wait`.
    pub(crate) fn take_one(&self, wait: Duration) -> Option<Message> {
        // SAFETY: returns an owned message or null.
        let message = unsafe { sys::rd_kafka_consume_queue(self.queue.as_ptr(), millis(wait)) };
        NonNull::new(message).map(|message| Message { message, _handle: Arc::clone(&self.handle) })
    }

    /// Moves up to `max` messages that are there already into `out`, without waiting.
    pub(crate) fn take_ready(&mut self, max: usize, out: &mut Vec<Message>) {
        self.buffer.clear();
        self.buffer.resize(max, ptr::null_mut());
        // SAFETY: writes at most `max` owned messages into a buffer of that length and returns how many.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, self.buffer.as_mut_ptr(), max)
        };
        let count = usize::try_from(count).unwrap_or(0);
        let handle = &self.handle;
        let messages = self.buffer.drain(..).take(count).filter_map(NonNull::new);
        out.extend(messages.map(|message| Message { message, _handle: Arc::clone(handle) }));
    }

    /// Takes one event, waiting up to `wait`.
    pub(crate) fn poll_event(&self, wait: Duration) -> Option<Event> {
        // SAFETY: returns an owned event or null.
        let event = unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), millis(wait)) };
        let event = NonNull::new(event)?;
        // SAFETY: the event is owned, read, and destroyed once; message pointers live as long as the event.
        unsafe {
            let found = Event::read(event.as_ptr());
            sys::rd_kafka_event_destroy(event.as_ptr());
            Some(found)
        }
    }
}

/// A failed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Error code.
    pub code: i32,
}

/// What a client reports on its main queue.
#[derive(Debug)]
pub(crate) enum Event {
    /// Deliveries that failed; successes are not reported.
    Failures(Vec<DeliveryFailure>),
    /// The client lost a broker, or worse.
    Error(CallError),
    /// A log line: syslog level and text.
    Log(i32, String),
    /// Nothing of interest.
    Other,
}

impl Event {
    /// # Safety
    /// `event` is a live event.
    unsafe fn read(event: *mut sys::rd_kafka_event_t) -> Self {
        // SAFETY: by the caller; accessors match the event's type.
        unsafe {
            match sys::rd_kafka_event_type(event) {
                sys::RD_KAFKA_EVENT_DR => {
                    let mut failures = Vec::new();
                    while let Some(message) = sys::rd_kafka_event_message_next(event).as_ref() {
                        let code = (&raw const message.err).cast::<i32>().read();
                        if code != 0 {
                            let topic = text(sys::rd_kafka_topic_name(message.rkt));
                            failures.push(DeliveryFailure { topic, partition: message.partition, code });
                        }
                    }
                    Self::Failures(failures)
                }
                sys::RD_KAFKA_EVENT_ERROR => {
                    let message = text(sys::rd_kafka_event_error_string(event));
                    let fatal = sys::rd_kafka_event_error_is_fatal(event) != 0;
                    Self::Error(CallError { fatal, ..CallError::plain(event_error(event), message) })
                }
                sys::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                    let _ = sys::rd_kafka_event_log(event, &raw mut facility, &raw mut line, &raw mut level);
                    Self::Log(level, text(line))
                }
                _ => Self::Other,
            }
        }
    }
}

/// Consumer calls.
impl Handle {
    /// Adds `positions` to the assignment.
    ///
    /// # Errors
    /// librdkafka's.
    pub(crate) fn incremental_assign(&self, positions: &[Position]) -> Result<(), CallError> {
        let list = List::new(positions)?;
        // SAFETY: the list is copied; the error object is taken over.
        CallError::take(unsafe { sys::rd_kafka_incremental_assign(self.ptr(), list.0.as_ptr()) })
    }

    /// Takes `positions` out of the assignment.
    ///
    /// # Errors
    /// librdkafka's.
    pub(crate) fn incremental_unassign(&self, positions: &[Position]) -> Result<(), CallError> {
        let list = List::new(positions)?;
        // SAFETY: the list is copied; the error object is taken over.
        CallError::take(unsafe { sys::rd_kafka_incremental_unassign(self.ptr(), list.0.as_ptr()) })
    }

    /// Returns the group's committed offsets of `positions`, per partition with its own error. Stable ones when the
    /// client's isolation is read_committed.
    ///
    /// # Errors
    /// When the coordinator does not answer in `timeout`.
    pub(crate) fn committed(
        &self,
        positions: &[Position],
        timeout: Duration,
    ) -> Result<Vec<Position>, CallError> {
        let list = List::new(positions)?;
        // SAFETY: the list is ours and is filled in place.
        let failed = unsafe { committed(self.ptr(), list.0.as_ptr(), millis(timeout)) };
        if failed == 0 { Ok(list.read()) } else { Err(CallError::plain(failed, "committed offsets".into())) }
    }

    /// Serves the consumer's main queue, to which partitions that are not forwarded also deliver; returns its message.
    pub(crate) fn consumer_poll(self: &Arc<Self>, wait: Duration) -> Option<Message> {
        // SAFETY: returns an owned message or null.
        let message = unsafe { sys::rd_kafka_consumer_poll(self.ptr(), millis(wait)) };
        NonNull::new(message).map(|message| Message { message, _handle: Arc::clone(self) })
    }
}

/// A fence as the transaction's offsets carry it. Only [`millpond_membership::Fence`] makes one, so that an unfenced
/// commit cannot be expressed.
pub(crate) struct GroupMetadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

// SAFETY: an immutable value object.
unsafe impl Send for GroupMetadata {}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}

impl GroupMetadata {
    /// Returns the group metadata of `fence`.
    ///
    /// # Errors
    /// When librdkafka cannot allocate it.
    pub(crate) fn new(fence: &millpond_membership::Fence) -> Result<Self, CallError> {
        let (group, member) = (c_string(fence.group()), c_string(fence.member()));
        let instance = fence.instance().map(c_string);
        // SAFETY: strings are copied; a null instance means dynamic membership.
        let made = unsafe {
            sys::rd_kafka_consumer_group_metadata_new_with_genid(
                group.as_ptr(),
                fence.generation(),
                member.as_ptr(),
                instance.as_ref().map_or(ptr::null(), |instance| instance.as_ptr()),
            )
        };
        NonNull::new(made).map(Self).ok_or_else(|| CallError::plain(-194, "group metadata".into()))
    }
}

/// A record to produce.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToProduce<'a> {
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value.
    pub value: Option<&'a [u8]>,
    /// Timestamp, ms since the epoch.
    pub timestamp_ms: i64,
}

fn mem(bytes: Option<&[u8]>) -> sys::rd_kafka_vu_s__bindgen_ty_1 {
    let (pointer, size) = bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
    sys::rd_kafka_vu_s__bindgen_ty_1 {
        mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: pointer.cast_mut().cast(), size },
    }
}

/// Producer calls.
impl Handle {
    /// Queues one record with timestamp and headers.
    ///
    /// # Errors
    /// When the record is refused at once (too large, no transaction).
    pub(crate) fn produce<'h>(
        &self,
        topic: &Topic,
        partition: u32,
        record: &ToProduce<'_>,
        headers: impl ExactSizeIterator<Item = (&'h [u8], Option<&'h [u8]>)>,
    ) -> Result<(), CallError> {
        use sys::rd_kafka_vtype_t as V;
        // SAFETY: all unions are set by the field that their type names; payload, key and headers are copied
        // (`MSG_F_COPY`, `VTYPE_HEADERS` is taken over on success only).
        unsafe {
            let list =
                if headers.len() == 0 { ptr::null_mut() } else { sys::rd_kafka_headers_new(headers.len()) };
            for (name, value) in headers {
                let (pointer, size) = value.map_or((ptr::null(), 0), |value| (value.as_ptr(), value.len()));
                let name_len = isize::try_from(name.len()).unwrap_or(0);
                let size = isize::try_from(size).unwrap_or(0);
                let _ = sys::rd_kafka_header_add(list, name.as_ptr().cast(), name_len, pointer.cast(), size);
            }
            let vu = |vtype, u| sys::rd_kafka_vu_t { vtype, u };
            let partition = i32::try_from(partition).unwrap_or(-1);
            let fields = [
                vu(V::RD_KAFKA_VTYPE_RKT, sys::rd_kafka_vu_s__bindgen_ty_1 { rkt: topic.rkt.as_ptr() }),
                vu(V::RD_KAFKA_VTYPE_PARTITION, sys::rd_kafka_vu_s__bindgen_ty_1 { i32_: partition }),
                vu(
                    V::RD_KAFKA_VTYPE_MSGFLAGS,
                    sys::rd_kafka_vu_s__bindgen_ty_1 { i: sys::RD_KAFKA_MSG_F_COPY },
                ),
                vu(
                    V::RD_KAFKA_VTYPE_TIMESTAMP,
                    sys::rd_kafka_vu_s__bindgen_ty_1 { i64_: record.timestamp_ms },
                ),
                vu(V::RD_KAFKA_VTYPE_KEY, mem(record.key)),
                vu(V::RD_KAFKA_VTYPE_VALUE, mem(record.value)),
                vu(V::RD_KAFKA_VTYPE_HEADERS, sys::rd_kafka_vu_s__bindgen_ty_1 { headers: list }),
            ];
            let count = if list.is_null() { fields.len() - 1 } else { fields.len() };
            let result = CallError::take(sys::rd_kafka_produceva(self.ptr(), fields.as_ptr(), count));
            if result.is_err() && !list.is_null() {
                sys::rd_kafka_headers_destroy(list);
            }
            result
        }
    }

    /// Queues many records for one partition, without timestamps and headers; returns the codes of those refused.
    pub(crate) fn produce_batch<'r>(
        &self,
        topic: &Topic,
        partition: u32,
        records: impl Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
        scratch: &mut Batch,
    ) -> Vec<i32> {
        scratch.0.clear();
        scratch.0.extend(records.map(|(key, value)| sys::rd_kafka_message_t {
            err: sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: ptr::null_mut(),
            partition: 0,
            payload: value.map_or(ptr::null_mut(), |value| value.as_ptr().cast_mut().cast()),
            len: value.map_or(0, <[u8]>::len),
            key: key.as_ptr().cast_mut().cast(),
            key_len: key.len(),
            offset: 0,
            _private: ptr::null_mut(),
        }));
        let count = c_int::try_from(scratch.0.len()).unwrap_or(0);
        let partition = i32::try_from(partition).unwrap_or(-1);
        // SAFETY: the array has `count` initialised messages whose bytes live through the call and are copied.
        let queued = unsafe {
            sys::rd_kafka_produce_batch(
                topic.rkt.as_ptr(),
                partition,
                sys::RD_KAFKA_MSG_F_COPY,
                scratch.0.as_mut_ptr(),
                count,
            )
        };
        if queued == count {
            return Vec::new();
        }
        // SAFETY: the field is an `i32`-sized enum, written by librdkafka.
        let codes = scratch.0.iter().map(|message| unsafe { (&raw const message.err).cast::<i32>().read() });
        codes.filter(|code| *code != 0).collect()
    }

    /// Waits up to `timeout` until nothing is queued or in flight; `true` when so. Delivery reports are left on the
    /// main queue: whoever calls drains it, else failed ones count as outstanding for ever.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        // SAFETY: plain call.
        unsafe { flush(self.ptr(), millis(timeout)) == 0 }
    }

    /// Starts the transactional producer: fences older instances of its transactional id and ends their transactions.
    ///
    /// # Errors
    /// Retriable: call again.
    pub(crate) fn init_transactions(&self, timeout: Duration) -> Result<(), CallError> {
        // SAFETY: the error object is taken over.
        CallError::take(unsafe { sys::rd_kafka_init_transactions(self.ptr(), millis(timeout)) })
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// librdkafka's.
    pub(crate) fn begin_transaction(&self) -> Result<(), CallError> {
        // SAFETY: the error object is taken over.
        CallError::take(unsafe { sys::rd_kafka_begin_transaction(self.ptr()) })
    }

    /// Sends `offsets` with the transaction under `fence`. May hang past `timeout`.
    ///
    /// # Errors
    /// By its flags.
    pub(crate) fn send_offsets(
        &self,
        offsets: &[Position],
        fence: &GroupMetadata,
        timeout: Duration,
    ) -> Result<(), CallError> {
        let list = List::new(offsets)?;
        // SAFETY: list and metadata are copied; the error object is taken over.
        CallError::take(unsafe {
            sys::rd_kafka_send_offsets_to_transaction(
                self.ptr(),
                list.0.as_ptr(),
                fence.0.as_ptr(),
                millis(timeout),
            )
        })
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// Whatever it returns but success, the outcome is unknown (rule R1).
    pub(crate) fn commit_transaction(&self, timeout: Duration) -> Result<(), CallError> {
        // SAFETY: the error object is taken over.
        CallError::take(unsafe { sys::rd_kafka_commit_transaction(self.ptr(), millis(timeout)) })
    }

    /// Aborts the transaction.
    ///
    /// # Errors
    /// Retriable: drain the main queue and call again.
    pub(crate) fn abort_transaction(&self, timeout: Duration) -> Result<(), CallError> {
        // SAFETY: the error object is taken over.
        CallError::take(unsafe { sys::rd_kafka_abort_transaction(self.ptr(), millis(timeout)) })
    }
}

/// Reusable memory of [`Handle::produce_batch`].
#[derive(Default)]
pub(crate) struct Batch(Vec<sys::rd_kafka_message_t>);

// SAFETY: holds dead pointers between calls; they are never read.
unsafe impl Send for Batch {}

/// Which records a query for the end of a partition sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Up to the last stable offset.
    ReadCommitted,
    /// Up to the high watermark.
    ReadUncommitted,
}

/// Logical offset of a partition's start, for [`Handle::list_offsets`].
pub(crate) const EARLIEST: i64 = -2;
/// Logical offset of a partition's end, for [`Handle::list_offsets`].
pub(crate) const LATEST: i64 = -1;

/// Admin calls.
impl Handle {
    /// Returns the offsets that `positions` ask for ([`EARLIEST`] or [`LATEST`] each) in one request per broker.
    ///
    /// # Errors
    /// When no answer comes in `timeout`; a partition's own error is in its position.
    pub(crate) fn list_offsets(
        self: &Arc<Self>,
        positions: &[Position],
        isolation: Isolation,
        timeout: Duration,
    ) -> Result<Vec<Position>, CallError> {
        let list = List::new(positions)?;
        let queue = Queue::new(self)?;
        // SAFETY: options and list are copied by the call; the event is owned, read and destroyed once.
        unsafe {
            let options = self.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, timeout);
            let level = match isolation {
                Isolation::ReadCommitted => {
                    sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
                }
                Isolation::ReadUncommitted => {
                    sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED
                }
            };
            CallError::take(sys::rd_kafka_AdminOptions_set_isolation_level(options, level)).ok();
            sys::rd_kafka_ListOffsets(self.ptr(), list.0.as_ptr(), options, queue.queue.as_ptr());
            sys::rd_kafka_AdminOptions_destroy(options);
            queue.result(timeout, "list offsets", |event| {
                let result = sys::rd_kafka_event_ListOffsets_result(event);
                let mut count = 0usize;
                let infos = sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
                (0..count)
                    .map(|at| {
                        List::element(sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(at)))
                    })
                    .collect()
            })
        }
    }

    /// Returns topic ids and partition counts of `topics`; a topic that does not exist is missing from the answer.
    ///
    /// # Errors
    /// When no answer comes in `timeout`.
    pub(crate) fn describe_topics(
        self: &Arc<Self>,
        topics: &[&str],
        timeout: Duration,
    ) -> Result<Vec<TopicDescription>, CallError> {
        let names: Vec<_> = topics.iter().map(|topic| c_string(topic)).collect();
        let mut pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let queue = Queue::new(self)?;
        // SAFETY: the names live through the call; collection, options and event are destroyed once each.
        unsafe {
            let collection =
                sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            let options = self.options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout);
            sys::rd_kafka_DescribeTopics(self.ptr(), collection, options, queue.queue.as_ptr());
            sys::rd_kafka_AdminOptions_destroy(options);
            sys::rd_kafka_TopicCollection_destroy(collection);
            queue.result(timeout, "describe topics", |event| {
                let result = sys::rd_kafka_event_DescribeTopics_result(event);
                let mut count = 0usize;
                let all = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
                (0..count).filter_map(|at| TopicDescription::read(*all.add(at))).collect()
            })
        }
    }

    /// # Safety
    /// The caller destroys the options.
    unsafe fn options(
        &self,
        operation: sys::rd_kafka_admin_op_t,
        timeout: Duration,
    ) -> *mut sys::rd_kafka_AdminOptions_t {
        let mut why = [0 as c_char; 128];
        // SAFETY: the buffer's length is passed along.
        unsafe {
            let options = sys::rd_kafka_AdminOptions_new(self.ptr(), operation);
            let _ = sys::rd_kafka_AdminOptions_set_request_timeout(
                options,
                millis(timeout),
                why.as_mut_ptr(),
                why.len(),
            );
            options
        }
    }
}

impl Queue {
    /// # Safety
    /// `read` uses accessors of the event type that was asked for.
    unsafe fn result<T>(
        &self,
        timeout: Duration,
        what: &str,
        read: impl FnOnce(*mut sys::rd_kafka_event_t) -> Vec<T>,
    ) -> Result<Vec<T>, CallError> {
        // SAFETY: the event is owned, read and destroyed once.
        unsafe {
            let wait = millis(timeout + Duration::from_secs(1));
            let Some(event) = NonNull::new(sys::rd_kafka_queue_poll(self.queue.as_ptr(), wait)) else {
                return Err(CallError::plain(code::TIMED_OUT, what.to_owned()));
            };
            let failed = event_error(event.as_ptr());
            let found = if failed == 0 {
                Ok(read(event.as_ptr()))
            } else {
                let why = text(sys::rd_kafka_event_error_string(event.as_ptr()));
                Err(CallError::plain(failed, format!("{what}: {why}")))
            };
            sys::rd_kafka_event_destroy(event.as_ptr());
            found
        }
    }
}

/// What the cluster says of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDescription {
    /// Name.
    pub name: String,
    /// Topic id.
    pub id: [u8; 16],
    /// Number of partitions.
    pub partitions: u32,
}

impl TopicDescription {
    /// # Safety
    /// `topic` points to a description of a live result.
    unsafe fn read(topic: *const sys::rd_kafka_TopicDescription_t) -> Option<Self> {
        // SAFETY: by the caller; the id belongs to the description.
        unsafe {
            if !sys::rd_kafka_TopicDescription_error(topic).is_null()
                && error_code(sys::rd_kafka_TopicDescription_error(topic)) != 0
            {
                return None;
            }
            let uuid = sys::rd_kafka_TopicDescription_topic_id(topic);
            let high = sys::rd_kafka_Uuid_most_significant_bits(uuid).to_be_bytes();
            let low = sys::rd_kafka_Uuid_least_significant_bits(uuid).to_be_bytes();
            let mut id = [0; 16];
            for (to, from) in id.iter_mut().zip(high.into_iter().chain(low)) {
                *to = from;
            }
            let mut partitions = 0usize;
            let _ = sys::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
            Some(Self {
                name: text(sys::rd_kafka_TopicDescription_name(topic)),
                id,
                partitions: u32::try_from(partitions).unwrap_or(0),
            })
        }
    }
}
