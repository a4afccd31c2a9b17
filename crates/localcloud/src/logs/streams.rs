//! Log streams: their newest events in memory, each stream appended to a file of its own.
//!
//! A stream keeps its newest ten thousand events; a group its newest five hundred streams. What a crash tears off the
//! end of a file is one line at most.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const EVENTS_PER_STREAM: usize = 10_000;
pub(super) const STREAMS_PER_GROUP: usize = 500;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Epoch milliseconds.
    #[serde(rename = "t")]
    pub timestamp: i64,
    #[serde(rename = "i")]
    pub ingestion: i64,
    #[serde(rename = "m")]
    pub message: String,
}

#[derive(Debug)]
pub struct Stream {
    /// Epoch milliseconds.
    pub created: i64,
    pub events: VecDeque<Event>,
    file: PathBuf,
    /// Lines in the file, which may be more than are kept.
    lines: usize,
}

#[derive(Serialize, Deserialize)]
struct Head {
    stream: String,
    created: i64,
}

impl Stream {
    pub fn create(folder: &Path, name: &str, created: i64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join(format!("{}.jsonl", hex::encode(Sha256::digest(name))));
        let stream = Self {
            created,
            events: VecDeque::new(),
            file,
            lines: 0,
        };
        stream.write_anew(name)?;
        Ok(stream)
    }

    /// The name and the stream that a file holds; `None` for what a crash left before the head was written.
    fn load(file: PathBuf) -> io::Result<Option<(String, Self)>> {
        let mut lines = io::BufReader::new(fs::File::open(&file)?).split(b'\n');
        let head = lines
            .next()
            .transpose()?
            .and_then(|head| serde_json::from_slice::<Head>(&head).ok());
        let Some(Head { stream: name, created }) = head else {
            fs::remove_file(file)?;
            return Ok(None);
        };
        let mut stream = Self {
            created,
            events: VecDeque::new(),
            file,
            lines: 0,
        };
        let mut torn = false;
        for line in lines {
            match serde_json::from_slice(&line?) {
                Ok(event) => {
                    stream.lines += 1;
                    stream.keep(event);
                }
                Err(_) => torn = true,
            }
        }
        if torn {
            // Else the next line would be glued to it.
            stream.write_anew(&name)?;
        }
        Ok(Some((name, stream)))
    }

    pub fn load_all(folder: &Path) -> io::Result<BTreeMap<String, Self>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        };
        let mut streams = BTreeMap::new();
        for entry in entries {
            streams.extend(Self::load(entry?.path())?);
        }
        Ok(streams)
    }

    pub fn append(&mut self, name: &str, events: Vec<Event>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for event in &events {
            serde_json::to_writer(&mut bytes, event)?;
            bytes.push(b'\n');
        }
        fs::OpenOptions::new()
            .append(true)
            .open(&self.file)?
            .write_all(&bytes)?;
        self.lines += events.len();
        events.into_iter().for_each(|event| self.keep(event));
        if self.lines > 2 * EVENTS_PER_STREAM {
            self.write_anew(name)?;
            self.lines = self.events.len();
        }
        Ok(())
    }

    fn keep(&mut self, event: Event) {
        if self.events.len() == EVENTS_PER_STREAM {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn write_anew(&self, name: &str) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&Head {
            stream: name.to_owned(),
            created: self.created,
        })?;
        bytes.push(b'\n');
        for event in &self.events {
            serde_json::to_writer(&mut bytes, event)?;
            bytes.push(b'\n');
        }
        // Functions may print what only the owner should read.
        let next = self.file.with_extension("next");
        let mut options = fs::OpenOptions::new();
        options
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)?
            .write_all(&bytes)?;
        fs::rename(next, &self.file)
    }

    pub fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.file)
    }

    pub fn first_event(&self) -> Option<i64> {
        self.events.iter().map(|event| event.timestamp).min()
    }

    pub fn last_event(&self) -> Option<i64> {
        self.events.iter().map(|event| event.timestamp).max()
    }

    pub fn last_ingestion(&self) -> Option<i64> {
        self.events.back().map(|event| event.ingestion)
    }
}
