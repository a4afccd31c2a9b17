//! `cargo xtask characteristics`: the gates' operating characteristics in `docs/gates.md` and the plot beside it, made again
//! by the simulation in `crates/orchestrator/examples/characteristics`. It is seeded, so without a change to the gates
//! nothing changes.

use anyhow::{Result, bail};

use crate::shell;

const EXAMPLE: [&str; 7] = [
    "run",
    "--release",
    "--ignore-rust-version",
    "-p",
    "orchestrator",
    "--example",
    "characteristics",
];
const PAGE: &str = "docs/gates.md";
const PLOT: &str = "docs/operating-characteristics.svg";

pub fn run(arguments: &[String]) -> Result<()> {
    if !arguments.is_empty() {
        bail!("it takes no arguments");
    }
    shell::run(&mut shell::command(
        "cargo",
        &[&EXAMPLE[..], &["--", PAGE, PLOT]].concat(),
    ))
}
