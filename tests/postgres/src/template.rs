//! Keeps one new cluster and copies it: `initdb` takes longer than most tests.
//!
//! It lies in `target/test-postgres`, a folder for each version of the server, and may be deleted at any time.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Binaries;

/// Where the cluster of this server's version is kept; `None` if the server does not tell its version.
pub(crate) fn place(binaries: &Binaries) -> Option<PathBuf> {
    let output = Command::new(binaries.program("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let version: String = String::from_utf8(output.stdout)
        .ok()?
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-postgres");
    Some(folder.join(version.trim_matches('-')))
}

/// Keeps a copy of the cluster in `data`. Of several that do so at once the first wins; a copy that is not whole never
/// has the name.
pub(crate) fn keep(data: &Path, place: &Path) -> io::Result<()> {
    let parent = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(parent)?;
    let partial = tempfile::Builder::new().prefix(".partial-").tempdir_in(parent)?;
    let owner = fs::metadata(parent)?;
    copy(data, &partial.path().join("data"), (owner.uid(), owner.gid()))?;
    fs::rename(partial.path().join("data"), place)
}

/// Copies a cluster, with private folders and files, all of this user and group.
pub(crate) fn copy(from: &Path, to: &Path, owner: (u32, u32)) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, owner)?;
        } else {
            fs::copy(entry.path(), &target)?;
            own(&target, owner, 0o600)?;
        }
    }
    own(to, owner, 0o700)
}

fn own(path: &Path, (user, group): (u32, u32), mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    let now = fs::metadata(path)?;
    if (now.uid(), now.gid()) == (user, group) {
        return Ok(());
    }
    chown(path, Some(user), Some(group))
}
