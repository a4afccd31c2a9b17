//! Writes an empty migration file with the next version.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::LoadError;
use crate::files::Migrator;
use crate::phase::Phase;

/// Makes `VERSION_NAME.PHASE.up.sql` in the folder, and the down file beside it if `with_down`. `version` is usually the
/// time as `YYYYMMDDhhmmss`; one that is not above every version there is raised to the next.
///
/// # Errors
/// When the folder's files cannot be read, the name is none, or a file cannot be written.
pub fn make(folder: &Path, version: i64, name: &str, phase: Phase, with_down: bool) -> Result<Vec<PathBuf>, LoadError> {
    let words: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() {
        return Err(LoadError::Name { file: name.to_owned() });
    }
    let newest = Migrator::load(folder)?.files().last().map_or(0, |file| file.version);
    let version = version.max(newest + 1);
    let stem = format!("{version}_{}.{phase}", words.join("_"));
    let mut files = vec![(folder.join(format!("{stem}.up.sql")), up(phase))];
    if with_down {
        files.push((
            folder.join(format!("{stem}.down.sql")),
            "-- Takes the file above back.\n",
        ));
    }
    for (path, text) in &files {
        let written = std::fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| LoadError::File {
            file: path.display().to_string(),
            source,
        })?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

fn up(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "-- Only adds: the version that runs now must not notice.\n",
        Phase::Backfill => {
            "-- Runs after all traffic is on the new version.\n\
             -- For a table in batches, $1 and $2 are the first and last key, and the head says:\n\
             -- (batch: table=users key=id rows=1000 pause=50ms)\n"
        }
        Phase::Contract => "-- Takes away what the old version needed: runs after it is gone.\n",
        Phase::Seed => "-- Sample rows, for environments that ask for them.\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_file_is_a_migration_once_it_has_a_statement() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("30000101000000_future.expand.sql"), "SELECT 1").unwrap();
        let made = make(
            folder.path(),
            20_261_123_000_000,
            "Add e-mail: lower case",
            Phase::Backfill,
            true,
        )
        .unwrap();
        let names: Vec<_> = made
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "30000101000001_add_e_mail_lower_case.backfill.up.sql",
                "30000101000001_add_e_mail_lower_case.backfill.down.sql"
            ]
        );
        assert!(Migrator::load(folder.path()).is_err(), "an empty migration is none");
        for path in &made {
            let text = std::fs::read_to_string(path).unwrap();
            std::fs::write(path, format!("{text}SELECT 1;\n")).unwrap();
        }
        let loaded = Migrator::load(folder.path()).unwrap();
        assert_eq!(loaded.files()[1].phase, Some(Phase::Backfill));
        assert!(make(folder.path(), 1, "…", Phase::Expand, false).is_err());
    }
}
