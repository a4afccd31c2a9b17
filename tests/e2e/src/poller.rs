//! A client that asks one URL again and again until it is stopped, and keeps every answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Far more than an answer takes on a machine that is busy; only a request that is lost meets it.
pub(crate) const LONGEST_ANSWER: Duration = Duration::from_mins(10);

#[derive(Clone, Debug)]
pub struct Answer {
    /// When it was asked for.
    pub began: Instant,
    /// 0 where no answer came.
    pub status: u16,
    pub body: String,
}

pub struct Poller {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Answer>>,
}

impl Poller {
    /// Asks `url` (`http://ADDRESS/PATH`) one request after the other.
    pub fn start(url: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (url, stopped) = (url.to_owned(), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut answers = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let began = Instant::now();
                let (status, body) = get(&url).unwrap_or_default();
                answers.push(Answer { began, status, body });
            }
            answers
        });
        Self { stop, thread }
    }

    pub fn stop(self) -> Vec<Answer> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the poller does not panic")
    }
}

/// One GET with a connection of its own: status and body.
pub fn get(url: &str) -> std::io::Result<(u16, String)> {
    exchange("GET", url, &[], "")
}

/// One POST with a connection of its own: status and body.
pub fn post(url: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<(u16, String)> {
    exchange("POST", url, headers, body)
}

pub(crate) fn exchange(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<(u16, String)> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONGEST_ANSWER))?;
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_default();
    Ok((
        status,
        answer
            .split_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
            .unwrap_or_default(),
    ))
}
