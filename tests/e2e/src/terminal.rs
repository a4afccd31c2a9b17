//! A command on a pseudo-terminal, as somebody sees it who sits there and types.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    pub fn start(command: &Command) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/terminal.py");
        let mut on_terminal = Command::new("python3");
        on_terminal
            .arg(script)
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().expect("a project's command has a folder"))
            .env("TERM", "xterm")
            // Set, it would mean that nobody is there.
            .env_remove("CI")
            .env_remove("DATABASE_URL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = on_terminal.spawn().expect("python3 runs");
        let mut output = child.stdout.take().expect("stdout is piped");
        let keyboard = child.stdin.take().expect("stdin is piped");
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                // Nobody may look any more; the pipe is emptied all the same.
                let _ = sender.send(buffer[..length].to_vec());
            }
        });
        Self {
            child,
            keyboard,
            screen,
            shown: String::new(),
        }
    }

    /// Waits until `marker` is shown; what was shown up to it is not looked at again.
    #[track_caller]
    pub fn wait_for(&mut self, marker: &str) {
        loop {
            if let Some(at) = self.shown.find(marker) {
                self.shown.drain(..at + marker.len());
                return;
            }
            match self.screen.recv() {
                Ok(more) => self.shown.push_str(&String::from_utf8_lossy(&more)),
                Err(_) => panic!("'{marker}' was not shown:\n{}", self.shown),
            }
        }
    }

    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal is open");
    }

    pub fn control_c(&mut self) {
        self.type_in("\x03");
    }

    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("it can be waited for")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already; with the terminal gone, so is what ran on it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
