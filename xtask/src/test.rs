//! `cargo xtask test`: everything that shows that main works, with what it needs installed first.

use anyhow::Result;

use crate::{shell, tools};

pub fn run(arguments: &[String]) -> Result<()> {
    let python = tools::python()?;
    let postgres = tools::postgres()?;
    let node = tools::node()?;
    let (has_small_disks, has_pgbouncer) = (tools::has_small_disks(), tools::has_pgbouncer());
    // The end-to-end tests run the binary and the platform's functions as a user has them.
    shell::run(&mut shell::command(
        "cargo",
        &["build", "--ignore-rust-version", "--workspace", "--bins"],
    ))?;
    let runner: &[&str] = if shell::on_path("cargo-nextest") {
        &[
            "nextest",
            "run",
            "--workspace",
            "--ignore-rust-version",
            "--no-fail-fast",
        ]
    } else {
        eprintln!("cargo-nextest is not installed: using cargo test");
        &["test", "--workspace", "--ignore-rust-version", "--no-fail-fast"]
    };
    let mut tests = shell::command("cargo", runner);
    tests
        .args(arguments)
        .env("LLAMA_TEST_PYTHON", python)
        .env("LLAMA_TEST_POSTGRES_BIN", postgres)
        .env("LLAMA_TEST_NODE", node);
    if !has_small_disks {
        tests.env("LLAMA_TEST_NO_SMALL_DISK", "1");
    }
    if !has_pgbouncer {
        tests.env("LLAMA_TEST_NO_PGBOUNCER", "1");
    }
    shell::run(&mut tests)
}
