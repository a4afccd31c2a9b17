//! The repository's own commands: `cargo xtask COMMAND`.
//!
//! Each command is one module with one `run`; what it starts or installs it says. It depends on none of our crates, so
//! that it builds in a second and can check them all.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a repository tool talks to the terminal"
)]

mod bench;
mod characteristics;
mod fuzz;
mod parity;
mod schema;
mod shell;
mod simulate;
mod soak;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  test [ARGUMENTS]    install what the tests need, then run them all (arguments go to the test runner)
  tidy                check the repository's own rules
  parity [CASE …]     synthesize the cases and compare them with aws-cdk-lib's templates
  parity --npm        make the expected templates again with aws-cdk-lib from npm
  schema              make the snapshot of CloudFormation's schema again
  bench [NAME …]      measure what the README claims
  characteristics     simulate the gates, and make the table and the plot in docs/gates.md again
  simulate [--seeds N] [--seed S]
                      rollouts under every fault, from seeds; one seed alone prints its trace
  fuzz [SECONDS]      the readers and the differ over arbitrary input, with other seeds each time (60)
  soak [--rollouts N] [--seed S]  rollouts in a row with random faults under constant traffic (200)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let done = match command.as_str() {
        "test" => test::run(rest),
        "tidy" => tidy::run(),
        "parity" => parity::run(rest),
        "schema" => schema::run(rest),
        "bench" => bench::run(rest),
        "characteristics" => characteristics::run(rest),
        "fuzz" => fuzz::run(rest),
        "simulate" => simulate::run(rest),
        "soak" => soak::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => {
            eprintln!("xtask: no command '{other}'\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
