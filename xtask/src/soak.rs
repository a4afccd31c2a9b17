//! `cargo xtask soak [--rollouts 200] [--seed S] [--first N]`: rollouts in a row on the embedded cloud with random faults,
//! under constant traffic. It ends with the figures that no test asserts, and fails where they are above what is promised:
//! from a breach's data to weight 0 at most 5 s at a poll of one second, a rollback's switch below 1 s. The work is
//! `tests/e2e/src/soak`; this builds it and the binary that it drives.

use anyhow::Result;

use crate::shell;

pub fn run(arguments: &[String]) -> Result<()> {
    let build = [
        "build",
        "--ignore-rust-version",
        "-p",
        "llama-deploy",
        "-p",
        "e2e",
        "--bins",
    ];
    shell::run(&mut shell::command("cargo", &build))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), Into::into);
    let soak = target.join("debug/soak");
    shell::run(shell::command(&soak.to_string_lossy(), &[]).args(arguments))
}
