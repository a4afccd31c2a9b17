//! The same test once more, in a process of its own: one that can be killed, or that sees disks and files of its own.
//!
//! The latter takes a mount namespace: as root, or where users may make namespaces of their own. Where neither is so the tests
//! fail and say so, unless `cargo xtask test` has said it already.

use std::process::Command;

const MARK: &str = "LLAMA_TEST_AGAIN";

/// As root the namespace alone; another user needs one in which the right to mount is theirs.
const WAYS: [&[&str]; 2] = [
    &["unshare", "--mount"],
    &["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"],
];

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

/// Whether this process may mount what only it sees. If not, the test is run once more in one that may, and has passed.
pub fn may_mount(test: &str) -> bool {
    if told().is_some() {
        return true;
    }
    let may = |way: &&&[&str]| {
        let mut probe = Command::new(way[0]);
        probe.args(&way[1..]).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
        probe.output().is_ok_and(|output| output.status.success())
    };
    let Some(way) = WAYS.iter().find(may) else {
        let excused = std::env::var_os("LLAMA_TEST_NO_SMALL_DISK").is_some();
        assert!(
            excused,
            "the test needs util-linux and the right to mount in a namespace: run the tests as root, \
             or with LLAMA_TEST_NO_SMALL_DISK=1 to go without"
        );
        return false;
    };
    let status = command(way, test, "may mount").status().unwrap();
    assert!(status.success(), "see what it said above");
    false
}
