//! Bytes of the group requests and answers, written apart from the membership's own codec.

/// Reads big-endian fields; the model trusts the client's own lengths.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    pub(super) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    pub(super) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()).ok()?;
        Some(String::from_utf8(self.take(length).to_vec()).unwrap())
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let length = usize::try_from(self.i32()).unwrap_or(0);
        self.take(length).to_vec()
    }
}

/// What a member asks.
#[derive(Debug)]
pub(super) enum Request {
    Find,
    Join { session_ms: i32, rebalance_ms: i32, who: Who, metadata: Vec<u8> },
    Sync { generation: i32, who: Who, assignments: Vec<(String, Vec<u8>)> },
    Beat { generation: i32, who: Who },
    Leave { who: Who },
}

/// Member id and static instance id.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) member: String,
    pub(super) instance: Option<String>,
}

fn who(body: &mut Reader<'_>) -> Who {
    let member = body.text().unwrap_or_default();
    Who { member, instance: body.text() }
}

/// Reads a framed request: correlation id and content.
pub(super) fn read(frame: &[u8]) -> (i32, Request) {
    let mut body = Reader::new(frame);
    body.i32();
    let (key, version, correlation) = (body.i16(), body.i16(), body.i32());
    body.text();
    let request = match (key, version) {
        (10, 2) => Request::Find,
        (11, 5) => {
            body.text();
            let (session_ms, rebalance_ms) = (body.i32(), body.i32());
            let who = who(&mut body);
            body.text();
            assert_eq!(body.i32(), 1, "one protocol");
            body.text();
            Request::Join { session_ms, rebalance_ms, who, metadata: body.bytes() }
        }
        (14, 3) => {
            body.text();
            let generation = body.i32();
            let who = who(&mut body);
            let count = body.i32();
            let assignments = (0..count).map(|_| (body.text().unwrap_or_default(), body.bytes()));
            Request::Sync { generation, who, assignments: assignments.collect() }
        }
        (12, 3) => {
            body.text();
            let generation = body.i32();
            Request::Beat { generation, who: who(&mut body) }
        }
        (13, 3) => {
            body.text();
            body.i32();
            Request::Leave { who: who(&mut body) }
        }
        other => panic!("request {other:?} is not modelled"),
    };
    (correlation, request)
}

/// Writes an answer.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(correlation: i32) -> Self {
        let mut out = Self(vec![0; 4]);
        out.i32(correlation);
        out
    }

    pub(super) fn i16(&mut self, value: i16) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn text(&mut self, text: Option<&str>) -> &mut Self {
        let Some(text) = text else { return self.i16(-1) };
        self.i16(i16::try_from(text.len()).unwrap());
        self.0.extend(text.as_bytes());
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.i32(i32::try_from(bytes.len()).unwrap());
        self.0.extend(bytes);
        self
    }

    pub(super) fn frame(mut self) -> Vec<u8> {
        let length = i32::try_from(self.0.len() - 4).unwrap();
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}
