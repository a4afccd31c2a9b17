//! What people and programs read: data on stdout, everything else on stderr.
//!
//! On a terminal the last line of stderr says what is going on and for how long; without one, or where `CI` is set,
//! every change of it is a plain line. With `--json` stdout carries one JSON document a line.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::paint::Paint;

#[derive(Clone)]
pub struct Console {
    json: bool,
    /// Present on a terminal.
    line: Option<ProgressBar>,
    questions: Arc<Questions>,
}

#[derive(Default)]
struct Questions {
    standing: AtomicUsize,
    given_up: watch::Sender<bool>,
}

impl Console {
    pub fn new(json: bool) -> Self {
        let interactive = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Self {
            json,
            line: interactive.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())),
            questions: Arc::default(),
        }
    }

    /// Colours for stdout, on a terminal and unless `NO_COLOR` is set (<https://no-color.org>).
    pub fn paint(&self) -> Paint {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Paint {
            colours: !self.json && std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !dumb,
        }
    }

    /// Whether stdout carries JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether what goes on is drawn on one line.
    pub fn is_terminal(&self) -> bool {
        self.line.is_some()
    }

    /// Whether somebody can be asked.
    pub fn can_ask(&self) -> bool {
        self.line.is_some() && std::io::stdin().is_terminal()
    }

    /// Data for people, on stdout; nothing when they asked for JSON.
    pub fn print(&self, text: &str) {
        if !self.json {
            self.aside(|| write_line(std::io::stdout().lock(), text));
        }
    }

    /// Data for programs, on stdout; nothing when they did not ask for it.
    pub fn print_json(&self, document: &impl Serialize) {
        if self.json {
            match serde_json::to_string(document) {
                Ok(text) => self.aside(|| write_line(std::io::stdout().lock(), &text)),
                Err(error) => self.say(&format!("cannot write the answer as JSON: {error}")),
            }
        }
    }

    /// One lasting line on stderr.
    pub fn say(&self, text: &str) {
        self.aside(|| write_line(std::io::stderr().lock(), text));
    }

    /// What is going on from now on.
    pub fn waiting(&self, text: &str) {
        match &self.line {
            Some(line) => {
                line.reset_elapsed();
                draw(line, text);
            }
            None => write_line(std::io::stderr().lock(), text),
        }
    }

    /// What is going on, told again and again: drawn on a terminal, left out elsewhere.
    pub fn ticking(&self, text: &str) {
        if let Some(line) = &self.line {
            draw(line, text);
        }
    }

    /// Nothing is going on any more.
    pub fn clear(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }

    pub fn failure(&self, failure: &Failure) {
        self.print_json(&failure.to_json());
        self.say(&failure.to_string());
    }

    /// Whether a question stands on the terminal: what is typed next is its answer, and a second one would get none.
    pub fn is_asking(&self) -> bool {
        self.questions.standing.load(Ordering::Relaxed) > 0
    }

    /// A question on the terminal; what was typed, without the line's end. An error where the input has ended.
    pub fn ask(&self, question: &str) -> std::io::Result<String> {
        self.questions.standing.fetch_add(1, Ordering::Relaxed);
        let answer = self.read_answer(question);
        self.questions.standing.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// What somebody else asks is not waited for any more, now or later: the command is about to end.
    pub fn give_up_questions(&self) {
        self.questions.given_up.send_replace(true);
    }

    pub fn gives_up_questions(&self) -> bool {
        *self.questions.given_up.borrow()
    }

    /// Waits for [`Console::give_up_questions`].
    pub async fn questions_given_up(&self) {
        // The sender is our own, so it cannot be gone.
        let _ = self.questions.given_up.subscribe().wait_for(|given_up| *given_up).await;
    }

    fn read_answer(&self, question: &str) -> std::io::Result<String> {
        self.aside(|| write_line(std::io::stderr().lock(), question));
        let mut answer = String::new();
        if std::io::stdin().read_line(&mut answer)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.trim().to_owned())
    }

    fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.line {
            Some(line) => line.suspend(write),
            None => write(),
        }
    }
}

/// Whoever reads may have gone, such as `head` or a closed terminal. That must not end a rollout half way, so what
/// cannot be written is not written.
fn write_line(mut to: impl Write, text: &str) {
    let _ = writeln!(to, "{text}");
}

/// The line is made hidden, so that a command that waits for nothing draws nothing; and it is cleared between steps.
fn draw(line: &ProgressBar, text: &str) {
    if line.is_hidden() {
        line.set_draw_target(ProgressDrawTarget::stderr());
        line.set_style(spinner());
    }
    if line.is_finished() {
        line.reset();
    }
    line.enable_steady_tick(Duration::from_millis(120));
    line.set_message(text.to_owned());
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// A bar of twenty cells: `██████░░░░`.
pub fn bar(share: f64) -> String {
    let filled = (share.clamp(0.0, 1.0) * 20.0).round() as usize;
    format!("{}{}", "█".repeat(filled), "░".repeat(20 - filled))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_never_overflows() {
        assert_eq!(bar(0.0).chars().filter(|cell| *cell == '█').count(), 0);
        assert_eq!(bar(0.5).chars().filter(|cell| *cell == '█').count(), 10);
        assert_eq!(bar(7.0).chars().count(), 20);
    }
}
