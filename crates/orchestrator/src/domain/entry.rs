//! What calls a function through its live alias, in words for people and as a kind for the rollout.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    HttpApi,
    /// Its connections outlive a switch: a rollout waits for the calls that the old version still answers.
    WebSocketApi,
    /// An event source mapping of a queue.
    Queue,
    /// An event source mapping of a stream.
    Stream,
    Schedule,
    Other,
}

impl EntryKind {
    const NAMED: [EntryKind; 5] = [
        EntryKind::HttpApi,
        EntryKind::WebSocketApi,
        EntryKind::Queue,
        EntryKind::Stream,
        EntryKind::Schedule,
    ];

    /// The word that stands before the name; empty for [`EntryKind::Other`].
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::HttpApi => "HTTP API",
            EntryKind::WebSocketApi => "WebSocket API",
            EntryKind::Queue => "queue",
            EntryKind::Stream => "stream",
            EntryKind::Schedule => "schedule",
            EntryKind::Other => "",
        }
    }
}

/// One caller of a live alias. Written as people read it: `HTTP API orders`, `queue jobs`; what begins with no known
/// kind is of kind [`EntryKind::Other`] and all of it is the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ServedEntry {
    pub kind: EntryKind,
    pub name: String,
}

impl From<&str> for ServedEntry {
    fn from(text: &str) -> ServedEntry {
        let text = text.trim();
        for kind in EntryKind::NAMED {
            let word = kind.as_str();
            if let Some((begin, rest)) = text.split_at_checked(word.len())
                && begin.eq_ignore_ascii_case(word)
                && rest.starts_with(' ')
            {
                return ServedEntry {
                    kind,
                    name: rest.trim_start().to_owned(),
                };
            }
        }
        ServedEntry {
            kind: EntryKind::Other,
            name: text.to_owned(),
        }
    }
}

impl From<String> for ServedEntry {
    fn from(text: String) -> ServedEntry {
        ServedEntry::from(text.as_str())
    }
}

impl From<ServedEntry> for String {
    fn from(entry: ServedEntry) -> String {
        entry.to_string()
    }
}

impl fmt::Display for ServedEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            EntryKind::Other => formatter.write_str(&self.name),
            kind => write!(formatter, "{} {}", kind.as_str(), self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_writes() {
        for (text, kind, name) in [
            ("HTTP API Orders", EntryKind::HttpApi, "Orders"),
            ("WebSocket API events", EntryKind::WebSocketApi, "events"),
            ("queue jobs", EntryKind::Queue, "jobs"),
            ("stream changes", EntryKind::Stream, "changes"),
            ("schedule every night", EntryKind::Schedule, "every night"),
            ("topic alarms", EntryKind::Other, "topic alarms"),
            ("queueing", EntryKind::Other, "queueing"),
            ("äöü", EntryKind::Other, "äöü"),
        ] {
            let entry = ServedEntry::from(text);
            assert_eq!((entry.kind, entry.name.as_str()), (kind, name));
            assert_eq!(entry.to_string(), text);
        }
        assert_eq!(ServedEntry::from("Queue jobs"), ServedEntry::from("queue jobs"));
    }
}
