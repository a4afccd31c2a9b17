//! `soak [--rollouts 200] [--seed S] [--first 0]`: what `cargo xtask soak` runs.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a repository tool talks to the terminal"
)]

use std::process::ExitCode;

use e2e::soak::{Options, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match options(&arguments) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("soak: {problem}\nusage: soak [--rollouts N] [--seed S] [--first N]");
            return ExitCode::from(2);
        }
    };
    println!("soak: {} rollouts, --seed {}", options.rollouts, options.seed);
    match run(options, &|line| println!("{line}")) {
        Ok(summary) => {
            println!("soak: {summary}");
            match summary.too_slow() {
                None => ExitCode::SUCCESS,
                Some(problem) => {
                    eprintln!("soak: {problem}");
                    ExitCode::FAILURE
                }
            }
        }
        Err(problem) => {
            eprintln!("soak: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        // Another one each time, which is printed.
        seed: u64::from(std::process::id()),
        first: 0,
        rollouts: 200,
        lock_lease_seconds: 3,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
        let number: u64 = value.parse().map_err(|_| format!("'{value}' is no number"))?;
        let size = usize::try_from(number).map_err(|_| format!("{number} is too many"))?;
        match word.as_str() {
            "--rollouts" => options.rollouts = size,
            "--first" => options.first = size,
            "--seed" => options.seed = number,
            other => return Err(format!("no option '{other}'")),
        }
    }
    Ok(options)
}
