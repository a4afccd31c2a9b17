//! `cargo xtask fuzz [SECONDS]`: the property tests whose names begin with `fuzz_`, again and again with other seeds. The
//! same tests run with every `cargo xtask test`, few cases with one seed; nothing else is needed for it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell;

/// The crates that read what others wrote.
const PACKAGES: [&str; 3] = ["stack", "localcloud", "llama-deploy"];
const CASES: &str = "4000";
const DEFAULT_SECONDS: u64 = 60;

pub fn run(arguments: &[String]) -> Result<()> {
    let seconds = match arguments {
        [] => DEFAULT_SECONDS,
        [seconds] => seconds
            .parse()
            .with_context(|| format!("'{seconds}' is no number of seconds"))?,
        _ => bail!("one number of seconds at most"),
    };
    let packages: Vec<&str> = PACKAGES.iter().flat_map(|package| ["-p", package]).collect();
    let test = || {
        shell::command(
            "cargo",
            &[
                &["test", "--ignore-rust-version", "--lib", "--bins", "--tests"],
                packages.as_slice(),
            ]
            .concat(),
        )
    };
    shell::run(test().arg("--no-run"))?;
    let started = Instant::now();
    // Another seed every time, which one can type again.
    let mut seed = u64::from(std::process::id()) << 16;
    loop {
        seed += 1;
        eprintln!("xtask fuzz: again with PROPTEST_CASES={CASES} PROPTEST_RNG_SEED={seed} cargo test fuzz_");
        shell::run(
            test()
                .arg("fuzz_")
                .env("PROPTEST_CASES", CASES)
                .env("PROPTEST_RNG_SEED", seed.to_string()),
        )?;
        if started.elapsed() >= Duration::from_secs(seconds) {
            return Ok(());
        }
    }
}
