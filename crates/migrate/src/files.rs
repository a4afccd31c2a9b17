//! Reads a folder of migration files.
//!
//! Names are sqlx's: `VERSION_DESCRIPTION.sql`, or `.up.sql` with an optional `.down.sql`. A file that sqlx would silently
//! pass over or misread is refused here, with its name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha384};
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::batch::Batch;
use crate::error::LoadError;
use crate::phase::Phase;
use crate::refusals::refusal;
use crate::statements::statements;

/// The largest file that is read, in bytes: data belongs elsewhere.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// A migration as its file says it.
#[derive(Clone, Debug)]
pub struct MigrationFile {
    pub version: i64,
    /// The name without version and ending, `_` read as a space; the same text as sqlx records.
    pub description: String,
    /// The file's name within its folder.
    pub file: String,
    /// `None` in projects that came from sqlx; such a file can be applied already, but not any more.
    pub phase: Option<Phase>,
    /// What takes it back, where there is a file for it.
    pub(crate) down: Option<Down>,
    /// Whether it asks to run outside a transaction (`-- no-transaction`).
    pub no_transaction: bool,
    /// How it goes through a table, if it is a backfill in batches.
    pub batch: Option<Batch>,
    /// SHA-384 of the file's bytes, which is sqlx's checksum and what is recorded: sqlx-cli on the same files agrees.
    pub checksum: Vec<u8>,
    /// Without byte order mark and carriage returns.
    sql: String,
    migration_type: MigrationType,
}

impl MigrationFile {
    /// Whether this is the text that was applied under `checksum`, whatever line ends it had then, and with a byte order
    /// mark or without: the same commit has others on another machine (sqlx#2659).
    pub(crate) fn matches(&self, checksum: &[u8]) -> bool {
        let is = |text: &str| Sha384::digest(text).as_slice() == checksum;
        if checksum == self.checksum || is(&self.sql) {
            return true;
        }
        let carriage_returns = self.sql.replace('\n', "\r\n");
        is(&carriage_returns) || is(&format!("\u{feff}{}", self.sql)) || is(&format!("\u{feff}{carriage_returns}"))
    }

    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    pub fn has_down(&self) -> bool {
        self.down.is_some()
    }

    pub(crate) fn as_sqlx(&self) -> Migration {
        let mut migration = Migration::new(
            self.version,
            Cow::Owned(self.description.clone()),
            self.migration_type,
            AssertSqlSafe(self.sql.clone()).into_sql_str(),
            self.no_transaction,
        );
        migration.checksum = Cow::Owned(self.checksum.clone());
        migration
    }
}

/// The migrations of a folder, in order of their versions.
#[derive(Clone, Debug)]
pub struct Migrator {
    pub(crate) files: Vec<MigrationFile>,
}

impl Migrator {
    /// Reads every `.sql` file of the folder; other files and subfolders do not count.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, LoadError> {
        let folder = folder.as_ref();
        let unreadable = |source| LoadError::Folder {
            folder: folder.to_owned(),
            source,
        };
        let mut ups = BTreeMap::new();
        let mut downs = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != "sql") || !path.is_file() {
                continue;
            }
            let name = Name::parse(&path)?;
            let side = if name.migration_type.is_down_migration() {
                &mut downs
            } else {
                &mut ups
            };
            let (version, file) = (name.version, name.file.clone());
            if let Some((Name { file: first, .. }, _)) = side.insert(version, (name, path)) {
                return Err(LoadError::Twice {
                    version,
                    first,
                    second: file,
                });
            }
        }
        if let Some((_, (orphan, _))) = downs.iter().find(|(version, _)| !ups.contains_key(version)) {
            return Err(LoadError::DownWithoutUp {
                file: orphan.file.clone(),
            });
        }
        let files = ups.into_values().map(|(name, path)| {
            let down = downs
                .get(&name.version)
                .map(|(name, path)| Down::read(name, path))
                .transpose()?;
            read(name, &path, down)
        });
        Ok(Self {
            files: files.collect::<Result<_, _>>()?,
        })
    }

    /// The migrations, lowest version first.
    pub fn files(&self) -> &[MigrationFile] {
        &self.files
    }
}

/// The file that takes a migration back.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    pub file: String,
    pub sql: String,
    pub no_transaction: bool,
}

impl Down {
    fn read(name: &Name, path: &Path) -> Result<Self, LoadError> {
        let sql = plain(&read_text(&name.file, path)?);
        let no_transaction = Head::read(&sql).no_transaction;
        check_statements(&name.file, &sql, no_transaction)?;
        Ok(Self {
            file: name.file.clone(),
            sql,
            no_transaction,
        })
    }
}

fn read_text(file: &str, path: &Path) -> Result<String, LoadError> {
    let unreadable = |source| LoadError::File {
        file: file.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST_FILE {
        return Err(LoadError::TooLarge {
            file: file.to_owned(),
            size,
            largest: LARGEST_FILE,
        });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// A byte order mark is a syntax error to the server, and a carriage return would end up in function bodies.
fn plain(raw: &str) -> String {
    raw.strip_prefix('\u{feff}').unwrap_or(raw).replace('\r', "")
}

/// What a file's name says.
struct Name {
    version: i64,
    description: String,
    phase: Option<Phase>,
    file: String,
    migration_type: MigrationType,
}

impl Name {
    fn parse(path: &Path) -> Result<Self, LoadError> {
        let malformed = || LoadError::Name {
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let file = path.file_name().and_then(|name| name.to_str()).ok_or_else(malformed)?;
        let (version, rest) = file.split_once('_').ok_or_else(malformed)?;
        let version = version
            .parse()
            .ok()
            .filter(|version| *version > 0)
            .ok_or_else(malformed)?;
        let migration_type = MigrationType::from_filename(rest);
        let stem = rest
            .strip_suffix(migration_type.suffix())
            .filter(|stem| !stem.is_empty())
            .ok_or_else(malformed)?;
        let phase = stem.rsplit_once('.').and_then(|(_, phase)| phase.parse().ok());
        Ok(Self {
            version,
            description: stem.replace('_', " "),
            phase,
            file: file.to_owned(),
            migration_type,
        })
    }
}

fn read(name: Name, path: &Path, down: Option<Down>) -> Result<MigrationFile, LoadError> {
    let raw = read_text(&name.file, path)?;
    let sql = plain(&raw);
    let head = Head::read(&sql);
    let phase = match (name.phase, head.phase) {
        (Some(named), Some((_, said))) if said.parse() != Ok(named) => {
            return Err(LoadError::PhasesDiffer {
                file: name.file,
                named,
                said,
            });
        }
        (Some(named), _) => Some(named),
        (None, Some((line, said))) => Some(said.parse().map_err(|()| LoadError::UnknownPhase {
            file: name.file.clone(),
            line,
            said,
        })?),
        (None, None) => None,
    };
    check_statements(&name.file, &sql, head.no_transaction)?;
    let batch = match head.batch {
        None => None,
        Some((line, text)) => {
            Some(
                batch(&text, phase, head.no_transaction, &sql).map_err(|problem| LoadError::Batch {
                    file: name.file.clone(),
                    line,
                    problem,
                })?,
            )
        }
    };
    Ok(MigrationFile {
        version: name.version,
        description: name.description,
        phase,
        down,
        no_transaction: head.no_transaction,
        batch,
        checksum: Sha384::digest(&raw).to_vec(),
        sql,
        migration_type: name.migration_type,
        file: name.file,
    })
}

fn batch(text: &str, phase: Option<Phase>, no_transaction: bool, sql: &str) -> Result<Batch, String> {
    let batch = Batch::parse(text)?;
    if phase != Some(Phase::Backfill) {
        return Err("only a backfill has batches".to_owned());
    }
    if no_transaction {
        return Err("each batch is a transaction, so it cannot ask for none".to_owned());
    }
    match Batch::objection(sql) {
        Some(objection) => Err(objection.to_owned()),
        None => Ok(batch),
    }
}

fn check_statements(file: &str, sql: &str, no_transaction: bool) -> Result<(), LoadError> {
    let statements = statements(sql);
    if let Some((statement, reason)) = statements
        .iter()
        .find_map(|statement| Some((statement, refusal(statement)?)))
    {
        return Err(LoadError::Refused {
            file: file.to_owned(),
            line: statement.line,
            reason,
        });
    }
    let Some(first) = statements.first() else {
        return Err(LoadError::Empty { file: file.to_owned() });
    };
    match (no_transaction, statements.get(1)) {
        (true, Some(second)) => Err(LoadError::SecondStatement {
            file: file.to_owned(),
            line: second.line,
        }),
        (false, _) => match statements.iter().find(|statement| is_concurrent(&statement.words)) {
            Some(statement) => Err(LoadError::ConcurrentInTransaction {
                file: file.to_owned(),
                line: statement.line,
            }),
            None => Ok(()),
        },
        (true, None) if first.words.is_empty() => Err(LoadError::Empty { file: file.to_owned() }),
        (true, None) => Ok(()),
    }
}

/// `CREATE INDEX CONCURRENTLY` and its kin, which the server refuses inside a transaction.
fn is_concurrent(words: &[String]) -> bool {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words[..],
        ["create", "index", "concurrently", ..]
            | ["create", "unique", "index", "concurrently", ..]
            | ["drop", "index", "concurrently", ..]
            | ["reindex", _, "concurrently", ..]
    )
}

/// What the comments before the first statement ask for. sqlx sees `-- no-transaction` only as the file's first bytes;
/// here a licence or a phase may stand before it.
struct Head {
    phase: Option<(usize, String)>,
    no_transaction: bool,
    batch: Option<(usize, String)>,
}

impl Head {
    fn read(sql: &str) -> Self {
        let mut head = Self {
            phase: None,
            no_transaction: false,
            batch: None,
        };
        for (index, line) in sql.lines().enumerate() {
            let line = line.trim();
            let Some(comment) = line.strip_prefix("--") else {
                if line.is_empty() {
                    continue;
                }
                break;
            };
            let comment = comment.trim();
            head.no_transaction |= comment.split_whitespace().next() == Some("no-transaction");
            if let Some(phase) = comment.strip_prefix("phase:") {
                head.phase = Some((index + 1, phase.trim().to_owned()));
            }
            if let Some(batch) = comment.strip_prefix("batch:") {
                head.batch = Some((index + 1, batch.trim().to_owned()));
            }
        }
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &str)]) -> Result<Migrator, LoadError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Migrator::load(folder.path())
    }

    #[test]
    fn files_are_read_in_order_of_their_versions() {
        let migrator = load(&[
            ("20_fill.backfill.sql", "UPDATE a SET b = 1"),
            ("10_make_a.expand.up.sql", "CREATE TABLE a (b int)"),
            ("10_make_a.expand.down.sql", "DROP TABLE a"),
            ("9_old.sql", "SELECT 1"),
            ("README.md", "not SQL"),
            ("archive/30_kept.sql", "SELECT 1"),
        ])
        .unwrap();
        let read: Vec<_> = migrator
            .files()
            .iter()
            .map(|file| (file.version, file.phase, file.has_down()))
            .collect();
        assert_eq!(
            read,
            [
                (9, None, false),
                (10, Some(Phase::Expand), true),
                (20, Some(Phase::Backfill), false)
            ]
        );
        assert_eq!(migrator.files()[1].description, "make a.expand");
    }

    #[test]
    fn a_head_is_read_after_a_byte_order_mark_other_comments_and_with_carriage_returns() {
        let text = "\u{feff}-- Copyright\r\n\r\n-- phase: expand\r\n-- no-transaction\r\nCREATE INDEX CONCURRENTLY a ON b (c);\r\n";
        let migrator = load(&[("1_a.sql", text)]).unwrap();
        let file = &migrator.files()[0];
        assert_eq!((file.phase, file.no_transaction), (Some(Phase::Expand), true));
        assert!(file.sql().starts_with("-- Copyright\n"));
        assert_eq!(file.checksum, Sha384::digest(text).to_vec(), "what sqlx records");
        let plain = text.replace(['\r', '\u{feff}'], "");
        let spellings = [
            text.to_owned(),
            text.replace('\r', ""),
            text.replace('\u{feff}', ""),
            plain.clone(),
        ];
        let other_machine = load(&[("1_a.sql", &plain)]).unwrap();
        for spelling in spellings {
            let recorded = Sha384::digest(&spelling);
            assert!(file.matches(&recorded), "{spelling:?}");
            assert!(other_machine.files()[0].matches(&recorded), "{spelling:?}");
        }
        assert!(!file.matches(&Sha384::digest(plain.replace("-- Copyright", "-- copyright"))));
        let late = load(&[("1_a.expand.sql", "SELECT 1;\n-- no-transaction\n")]).unwrap();
        assert!(!late.files()[0].no_transaction);
    }

    #[test]
    fn what_cannot_be_right_is_refused_with_its_file() {
        type Files<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Files, &str); 13] = [
            (&[("users.sql", "SELECT 1")], "users.sql is not named"),
            (&[("0_users.sql", "SELECT 1")], "0_users.sql is not named"),
            (&[("1_.sql", "SELECT 1")], "1_.sql is not named"),
            (
                &[("1_a.sql", "SELECT 1"), ("01_b.sql", "SELECT 1")],
                "have the same version 1",
            ),
            (&[("1_a.down.sql", "SELECT 1")], "1_a.down.sql has no file"),
            (
                &[("1_a.expand.sql", "-- phase: contract\nSELECT 1")],
                "1_a.expand.sql is named expand",
            ),
            (
                &[("1_a.sql", "-- phase: later\nSELECT 1")],
                "1_a.sql:1 names the phase \"later\"",
            ),
            (&[("1_a.sql", "-- only words")], "1_a.sql holds no statement"),
            (&[("1_a.sql", "SELECT 1;\nCOMMIT;")], "1_a.sql:2 cannot be a migration"),
            (
                &[("1_a.sql", "SELECT 1;\n\nSET work_mem = 1;")],
                "1_a.sql:3 cannot be a migration",
            ),
            (
                &[("1_a.sql", "-- no-transaction\nSELECT 1;\nSELECT 2;")],
                "1_a.sql:3 is a second statement",
            ),
            (
                &[("1_a.sql", "\nCREATE UNIQUE INDEX CONCURRENTLY a ON b (c)")],
                "1_a.sql:2 cannot run in a transaction",
            ),
            (
                &[("1_a.sql", "DROP INDEX CONCURRENTLY a")],
                "1_a.sql:1 cannot run in a transaction",
            ),
        ];
        for (files, expected) in cases {
            let error = load(files).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(
            Migrator::load("/no/such/folder")
                .unwrap_err()
                .to_string()
                .contains("/no/such/folder")
        );
    }
}
