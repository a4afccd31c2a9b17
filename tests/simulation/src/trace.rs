//! What happened, line by line, and a hash of it all: the same seed has to give the same.

use jiff::Timestamp;

use crate::executor::Time;

#[derive(Debug, Clone)]
pub struct Trace {
    time: Time,
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub fn new(time: Time) -> Trace {
        Trace {
            time,
            hash: 0xCBF2_9CE4_8422_2325,
            lines: None,
        }
    }

    /// From now on the lines are kept, too.
    pub fn keep(&mut self) {
        self.lines.get_or_insert_with(Vec::new);
    }

    pub fn line(&mut self, text: impl FnOnce() -> String) {
        let now = self.time.now();
        let text = text();
        // FNV-1a.
        for byte in now.as_millisecond().to_le_bytes().iter().chain(text.as_bytes()) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{} {text}", clock(now)));
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

/// Minutes, seconds and milliseconds since the beginning.
pub fn clock(at: Timestamp) -> String {
    let since = at.duration_since(crate::executor::start()).as_millis();
    format!("{:>3}:{:02}.{:03}", since / 60_000, since / 1000 % 60, since % 1000)
}
