//! A command that runs on while the test goes on. It ends with the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

pub struct Background {
    child: Child,
    lines: Receiver<String>,
    /// The lines of stderr that were waited for.
    said: Vec<String>,
}

impl Background {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // Nobody may listen any more; the pipe is emptied all the same.
                let _ = sender.send(line);
            }
        });
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until stderr has a line with `marker`.
    #[track_caller]
    pub fn wait_for(mut self, marker: &str) -> Self {
        for line in &self.lines {
            let found = line.contains(marker);
            self.said.push(line);
            if found {
                return self;
            }
        }
        panic!("no line with '{marker}':\n{}", self.said.join("\n"));
    }

    /// Waits for its end, which has to be with this status; all that it said on stderr.
    #[track_caller]
    pub fn expect(mut self, status: i32) -> String {
        self.said.extend(&self.lines);
        let said = std::mem::take(&mut self.said).join("\n");
        assert_eq!(self.wait().code(), Some(status), "\n--- stderr\n{said}");
        said
    }

    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("it can be waited for")
    }

    /// As `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.wait();
    }

    /// As a cancelled job of a CI does.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// As `kill SIGNAL` does.
    pub fn signal(&self, signal: &str) {
        let killed = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(killed.success());
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
