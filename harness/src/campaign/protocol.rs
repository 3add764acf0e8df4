//! What a supervisor and its worker processes say to each other.
//!
//! Messages are frames: a length in four bytes, then a postcard value. Requests go to the worker, responses come back,
//! both over one socket. Which case runs, and which engine, is *announced* beside that, in a small file that both have open (the board):
//! a write there wakes nobody, so it may be done at every step of every case, and it survives the death of the
//! writer, which is when the supervisor reads it.

use std::io::{self, Read};

use moonphase_vm::Schedule;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::{Activity, Role};

/// Longer frames are taken for garbage.
const MAX_FRAME: usize = 256 << 20;

/// What a case is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseInput {
    /// The number of a case that the worker generates.
    Number(u64),
    /// A given input: the text of a file.
    Bytes(Vec<u8>),
    /// A candidate of the minimizer, and the schedule to run it under.
    Scheduled {
        /// The candidate.
        text: Vec<u8>,
        /// The schedule.
        #[serde(with = "crate::text")]
        schedule: Schedule,
    },
}

/// Supervisor to worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The first message: the job, encoded by its own type, and the cap on the worker's address space in bytes.
    Start { job: Vec<u8>, memory: Option<u64> },
    /// Cases to run in this order, each with its key.
    Cases(Vec<(u64, CaseInput)>),
}

/// Worker to supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Response<R> {
    /// The job is set up. What the worker has to say of it, encoded by its own type.
    Ready { greeting: Vec<u8> },
    /// The job cannot be done, for this reason.
    Refused(String),
    /// A case is done.
    Done { key: u64, report: R },
}

/// Appends a frame with `message` to `out`.
pub(super) fn append_frame<T: Serialize>(out: &mut Vec<u8>, message: &T) -> io::Result<()> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let encoded = postcard::to_extend(message, std::mem::take(out)).map_err(io::Error::other)?;
    *out = encoded;
    let length = out.len() - start - 4;
    if length > MAX_FRAME {
        out.truncate(start);
        return Err(io::Error::other(format!("a message of {length} bytes is too long")));
    }
    // The length is below `MAX_FRAME`, so it fits.
    out[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(())
}

/// Decodes one postcard value that must fill `bytes`.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a message has trailing bytes")),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

/// Cuts a byte stream into frames. Reading may stop at any byte and go on later.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    bytes: Vec<u8>,
    start: usize,
}

impl FrameReader {
    /// Reads once from `stream`; returns the number of bytes, 0 at its end.
    pub(super) fn fill(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        let mut chunk = [0; 16 << 10];
        let count = stream.read(&mut chunk)?;
        self.bytes.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    /// The next whole frame, if it is there.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let rest = &self.bytes[self.start..];
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_FRAME {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let value = decode(payload)?;
        self.start += 4 + length;
        Ok(Some(value))
    }
}

/// What the board says: the case that was started last, and how far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) key: u64,
    pub(super) activity: Activity,
}

impl Announcement {
    pub(super) const BYTES: usize = 10;

    pub(super) fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.key.to_le_bytes());
        // From one, so that zeros are no announcement.
        (bytes[8], bytes[9]) = match self.activity {
            Activity::Prepare => (1, 0),
            Activity::Compare => (2, 0),
            Activity::Run(Role::Subject) => (3, 0),
            Activity::Run(Role::Reference(number)) => (4, number),
        };
        bytes
    }

    pub(super) fn decode(bytes: [u8; Self::BYTES]) -> Option<Announcement> {
        let (key, activity) = bytes.split_first_chunk::<8>()?;
        let activity = match *activity {
            [1, 0] => Activity::Prepare,
            [2, 0] => Activity::Compare,
            [3, 0] => Activity::Run(Role::Subject),
            [4, number] => Activity::Run(Role::Reference(number)),
            _ => return None,
        };
        Some(Announcement { key: u64::from_le_bytes(*key), activity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let cases = Request::Cases(vec![(7, CaseInput::Number(7)), (8, CaseInput::Bytes(b"abc".to_vec()))]);
        let mut stream = Vec::new();
        append_frame(&mut stream, &Request::Start { job: vec![1, 2], memory: None }).unwrap();
        append_frame(&mut stream, &cases).unwrap();
        for cut in 0..=stream.len() {
            let mut reader = FrameReader::default();
            let mut seen = Vec::new();
            for mut part in [&stream[..cut], &stream[cut..]] {
                while reader.fill(&mut part).unwrap() > 0 {}
                while let Some(request) = reader.next::<Request>().unwrap() {
                    seen.push(format!("{request:?}"));
                }
            }
            assert_eq!(seen.len(), 2, "cut at {cut}");
            assert_eq!(seen[1], format!("{cases:?}"));
        }
    }

    #[test]
    fn garbage_is_an_error_and_not_a_panic() {
        let mut reader = FrameReader::default();
        reader.fill(&mut &[0xff; 64][..]).unwrap();
        assert!(reader.next::<Request>().is_err());
        let mut reader = FrameReader::default();
        reader.fill(&mut &[2, 0, 0, 0, 9, 9][..]).unwrap();
        assert!(reader.next::<Request>().is_err());
        assert!(decode::<u8>(&[1, 2]).is_err());
    }

    #[test]
    fn announcements_round_trip() {
        let references = [0, 1, u8::MAX].map(Role::Reference);
        let runs = references.into_iter().chain([Role::Subject]).map(Activity::Run);
        for activity in runs.chain([Activity::Prepare, Activity::Compare]) {
            let announcement = Announcement { key: u64::MAX - 1, activity };
            assert_eq!(Announcement::decode(announcement.encode()), Some(announcement));
        }
        assert_eq!(Announcement::decode([9; Announcement::BYTES]), None);
        assert_eq!(Announcement::decode([0; Announcement::BYTES]), None);
    }
}
