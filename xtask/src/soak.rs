//! `cargo xtask soak [--rollouts 200] [--seed S] [--first N]`: rollouts in a row on the embedded cloud with random faults,
//! under constant traffic. The work is `tests/e2e/src/soak`; this builds it and the binary that it drives.

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
