//! `sqlx`, as `cargo install sqlx-cli` makes it: what the tests hold this repository's migrations against.
//!
//! No `.env` is read, so that nobody's settings reach a test.
#![expect(clippy::print_stdout, reason = "where sqlx-cli itself says what went wrong")]

use clap::Parser;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    sqlx::any::install_default_drivers();
    match sqlx_cli::run(sqlx_cli::Opt::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
