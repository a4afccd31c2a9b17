//! `llama-deploy migrate …`: the environment's database against its folder of migrations. One file a verb.

mod baseline;
mod down;
mod lint;
mod make;
mod rehearsal;
mod repair;
mod status;
mod up;
mod verify;

use super::database::{OpenDatabase, no_database};
use crate::arguments::Migrate;
use crate::console::Console;
use crate::failure::Outcome;
use crate::settings::Settings;

pub fn run(command: &Migrate, settings: &Settings, console: &Console) -> Outcome<u8> {
    match command {
        Migrate::Up(options) => up::run(options, settings, console),
        Migrate::Down(options) => down::down(options, settings, console),
        Migrate::Rollback(options) => down::rollback(options, settings, console),
        Migrate::Status(options) => status::run(options, settings, console),
        Migrate::Make(options) => make::run(options, settings, console),
        Migrate::Lint(options) => lint::run(options, settings, console),
        Migrate::Repair(options) => repair::run(options, settings, console),
        Migrate::Verify(options) => verify::run(options, settings, console),
        Migrate::Baseline(options) => baseline::run(options, settings, console),
    }
}
