//! A command that runs on while the test goes on. It ends with the test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

pub struct Background {
    child: Child,
    lines: Receiver<String>,
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
        Self { child, lines }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until stderr has a line with `marker`.
    pub fn wait_for(self, marker: &str) -> Self {
        let mut said = Vec::new();
        for line in &self.lines {
            let found = line.contains(marker);
            said.push(line);
            if found {
                return self;
            }
        }
        panic!("no line with '{marker}':\n{}", said.join("\n"));
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
