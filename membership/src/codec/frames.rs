//! Cutting a byte stream into answers.

use crate::codec::bytes::Malformed;

/// Largest answer taken, in bytes: a leader's JoinGroup answer with 1,000 members of 16 kB each.
pub(crate) const FRAME_BYTES_MAX: usize = 16 << 20;

/// Bytes received and not yet used; never more than one frame and one read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames(Vec<u8>);

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// Takes the next whole frame, without its length.
    ///
    /// # Errors
    /// A length that is negative or above the limit: the other side does not speak Kafka's protocol.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, Malformed> {
        let Some((length, rest)) = self.0.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| Malformed("frame length"))?;
        if length > FRAME_BYTES_MAX {
            return Err(Malformed("frame length"));
        }
        let Some((frame, rest)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        let frame = frame.to_vec();
        self.0 = rest.to_vec();
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_wherever_the_stream_was_split() {
        let mut frames = Frames::default();
        let stream = [0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9];
        let mut cut = Vec::new();
        for byte in stream {
            frames.push(&[byte]);
            cut.extend(frames.next().unwrap());
        }
        assert_eq!(cut, [vec![7, 8], vec![], vec![9]]);
    }

    #[test]
    fn a_length_no_broker_sends_is_refused_before_memory_is_taken() {
        for start in [*b"HTTP", [0xff; 4], [1, 0, 0, 1]] {
            let mut frames = Frames::default();
            frames.push(&start);
            assert_eq!(frames.next(), Err(Malformed("frame length")));
        }
    }
}
