//! `cargo xtask simulate`: the simulator of rollouts, optimized. All arguments go to it.

use anyhow::Result;

use crate::shell;

pub fn run(arguments: &[String]) -> Result<()> {
    let words = [
        "run",
        "--quiet",
        "--release",
        "--ignore-rust-version",
        "--package",
        "simulation",
        "--bin",
        "simulate",
        "--",
    ];
    shell::run(shell::command("cargo", &words).args(arguments))
}
