//! `cargo xtask simulate`: the simulator of rollouts, optimized. All arguments go to it, but `--planted`: the simulator's
//! own test, which says for each planted bug how soon it is found.

use anyhow::Result;

use crate::shell;

pub fn run(arguments: &[String]) -> Result<()> {
    if arguments == ["--planted"] {
        let words = [
            "test",
            "--quiet",
            "--ignore-rust-version",
            "--package",
            "simulation",
            "--test",
            "planted",
            "--",
            "--nocapture",
        ];
        return shell::run(&mut shell::command("cargo", &words));
    }
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
