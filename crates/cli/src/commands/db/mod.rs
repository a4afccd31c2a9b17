//! `llama-deploy db …`: backups of the environment's database, of two kinds behind one listing, and its health.

mod backup;
mod dump;
mod entry;
mod health_check;
mod list;
mod restore;
mod snapshot;
mod verify;

pub use self::list::size;
use super::database::OpenDatabase;
use crate::arguments::Db;
use crate::console::Console;
use crate::failure::Outcome;
use crate::settings::Settings;

pub fn run(command: &Db, settings: &Settings, console: &Console) -> Outcome<u8> {
    match command {
        Db::Backup(options) => backup::run(options, settings, console),
        Db::List(options) => list::run(options, settings, console),
        Db::Verify(options) => verify::run(options, settings, console),
        Db::Restore(options) => restore::run(options, settings, console),
        Db::HealthCheck(options) => health_check::run(options, settings, console),
    }
}
