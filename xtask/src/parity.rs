//! `cargo xtask parity`: our templates beside aws-cdk-lib's.

use anyhow::Result;

use crate::shell;

pub fn run(arguments: &[String]) -> Result<()> {
    if arguments.first().is_some_and(|first| first == "--npm") {
        let oracle = shell::root().join("tests/parity/oracle");
        shell::run(shell::command("npm", &["ci", "--no-audit", "--no-fund"]).current_dir(&oracle))?;
        return shell::run(
            shell::command("npm", &["run", "synth", "--"])
                .args(&arguments[1..])
                .current_dir(&oracle),
        );
    }
    shell::run(
        shell::command(
            "cargo",
            &["run", "--quiet", "--ignore-rust-version", "-p", "parity", "--"],
        )
        .args(arguments),
    )
}
