//! The same test once more, in a process of its own: one that can be killed, or that sees a disk of its own.

use std::process::Command;

const MARK: &str = "LLAMA_TEST_AGAIN";

/// What the first process told, in the second one.
pub fn told() -> Option<String> {
    std::env::var_os(MARK).map(|told| told.into_string().unwrap())
}

/// Starts the test of this name (`module::function`) again, through `through` (a program with its arguments, or nothing).
pub fn command(through: &[&str], test: &str, tell: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = match through {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    command.args([test, "--exact", "--nocapture"]).env(MARK, tell);
    command
}
