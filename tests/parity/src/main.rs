//! `cargo xtask parity [CASE …]`: our templates beside aws-cdk-lib's.
//!
//! Each case of `oracle/cases` is ported construct by construct in [`cases`]; the port is synthesized into
//! `target/parity/<case>/` and compared with `oracle/expected/<case>/`. `--assembly CASE` writes the assembly of one case
//! where `CDK_OUTDIR` says, as an app of its own, for benchmarks.

mod cases;
mod compare;
mod run;

use std::path::Path;
use std::process::ExitCode;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command of the repository: this is its reporter"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = arguments.as_slice()
        && flag == "--assembly"
    {
        return match cases::find(name) {
            Some(case) => stack::run(case.build),
            None => {
                eprintln!("{}", run::Failure::UnknownCase { name: name.clone() });
                ExitCode::from(2)
            }
        };
    }
    match run::run(&arguments, Path::new("target/parity")) {
        Ok(report) => {
            print!("{report}");
            if report.is_same() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}
