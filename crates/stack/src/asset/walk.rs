//! What belongs to an asset: every file, folder and link below its root, in the CDK's order, as its options say.
//!
//! The one place that decides what is ignored and which links are followed; fingerprints and staged copies both go by
//! it, so that what was hashed is what is deployed (aws-cdk-lib 2.276 `core/lib/fs/utils.js`).

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::ignore::Ignore;
use super::options::{AssetOptions, SymlinkFollow};

#[derive(Debug)]
pub(crate) enum Entry {
    Directory {
        path: String,
    },
    /// `real` is where the content is read.
    File {
        path: String,
        real: PathBuf,
    },
    /// A link that is kept as one. `inside` is where it points below the root, if it does.
    Link {
        path: String,
        target: PathBuf,
        inside: Option<PathBuf>,
    },
}

/// The entries below the directory `root`, which is canonical. Their paths are relative, with `/`.
pub(crate) fn walk(root: &Path, options: &AssetOptions) -> io::Result<Vec<Entry>> {
    let mut walk = Walk {
        root: root.to_owned(),
        follow: options.follow,
        ignore: Ignore::new(options.ignore_mode, &options.exclude).map_err(io::Error::other)?,
        ancestors: HashSet::new(),
        entries: Vec::new(),
    };
    walk.directory("", root, root.to_owned())?;
    Ok(walk.entries)
}

struct Walk {
    root: PathBuf,
    follow: SymlinkFollow,
    ignore: Ignore,
    ancestors: HashSet<PathBuf>,
    entries: Vec<Entry>,
}

impl Walk {
    /// Visits `real`, known below the root as `relative`; `canonical` tells a cycle of links.
    fn directory(&mut self, relative: &str, real: &Path, canonical: PathBuf) -> io::Result<()> {
        if !self.ancestors.insert(canonical.clone()) {
            return Ok(());
        }
        let mut entries = fs::read_dir(real)?.collect::<Result<Vec<_>, _>>()?;
        // JavaScript compares by UTF-16 unit, which differs from UTF-8 only outside the basic plane.
        entries.sort_by_key(|entry| entry.file_name().to_string_lossy().encode_utf16().collect::<Vec<_>>());
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let child = if relative.is_empty() {
                name.clone()
            } else {
                format!("{relative}/{name}")
            };
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                self.link(child, &entry.path())?;
            } else if kind.is_dir() {
                self.subdirectory(child, &entry.path(), canonical.join(&name))?;
            } else if kind.is_file() {
                self.file(child, entry.path());
            }
        }
        self.ancestors.remove(&canonical);
        Ok(())
    }

    fn subdirectory(&mut self, path: String, real: &Path, canonical: PathBuf) -> io::Result<()> {
        if self.ignore.ignores_all_of(&path) {
            return Ok(());
        }
        if !self.ignore.ignores(&path) {
            self.entries.push(Entry::Directory { path: path.clone() });
        }
        self.directory(&path, real, canonical)
    }

    fn file(&mut self, path: String, real: PathBuf) {
        if !self.ignore.ignores(&path) {
            self.entries.push(Entry::File { path, real });
        }
    }

    fn link(&mut self, path: String, real: &Path) -> io::Result<()> {
        let target = fs::read_link(real)?;
        let resolved = resolve(real, &target);
        let inside = resolved.strip_prefix(&self.root).ok().map(Path::to_owned);
        let follows = match self.follow {
            SymlinkFollow::Always => true,
            SymlinkFollow::External => inside.is_none(),
            SymlinkFollow::BlockExternal => inside.is_some(),
            SymlinkFollow::Never => false,
        };
        let followed = if follows { fs::metadata(&resolved).ok() } else { None };
        match followed {
            None if self.ignore.ignores(&path) => Ok(()),
            None if self.follow == SymlinkFollow::BlockExternal && inside.is_none() => Err(io::Error::other(format!(
                "{path} is a link to {}, outside of the asset, which its option for links forbids",
                resolved.display()
            ))),
            None => {
                self.entries.push(Entry::Link { path, target, inside });
                Ok(())
            }
            Some(metadata) if metadata.is_dir() => {
                let canonical = fs::canonicalize(&resolved)?;
                self.subdirectory(path, &resolved, canonical)
            }
            Some(metadata) if metadata.is_file() => {
                self.file(path, resolved);
                Ok(())
            }
            Some(_) if self.ignore.ignores(&path) => Ok(()),
            Some(_) => Err(io::Error::other(format!("{path} is neither a file nor a directory"))),
        }
    }
}

/// Where a link points, its parent made canonical.
fn resolve(link: &Path, target: &Path) -> PathBuf {
    let joined = link.parent().unwrap_or(Path::new("/")).join(target);
    let mut clean = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    match (clean.parent().map(fs::canonicalize), clean.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => clean,
    }
}

/// Copies what belongs to the asset at `from` to `to`, which is made anew.
pub(crate) fn copy(from: &Path, to: &Path, options: &AssetOptions) -> io::Result<()> {
    let root = fs::canonicalize(from)?;
    if !root.is_dir() {
        return fs::copy(root, to).map(|_| ());
    }
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(to)?,
    }
    for entry in walk(&root, options)? {
        match entry {
            Entry::Directory { path } => fs::create_dir_all(to.join(path))?,
            Entry::File { path, real } => {
                let target = to.join(path);
                // An ignored folder may hold files that are not.
                fs::create_dir_all(target.parent().unwrap_or(to))?;
                fs::copy(real, target)?;
            }
            Entry::Link { path, target, inside } => {
                let place = to.join(&path);
                fs::create_dir_all(place.parent().unwrap_or(to))?;
                // One that names its place absolutely would still point to where the asset was copied from.
                let target = match inside {
                    Some(inside) if target.is_absolute() => up_to_root(&path).join(inside),
                    _ => target,
                };
                symlink(&target, &place)?;
            }
        }
    }
    Ok(())
}

fn up_to_root(path: &str) -> PathBuf {
    "../".repeat(path.matches('/').count()).into()
}

#[cfg(unix)]
fn symlink(target: &Path, place: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, place)
}

#[cfg(not(unix))]
fn symlink(target: &Path, place: &Path) -> io::Result<()> {
    let real = place.parent().unwrap_or(Path::new(".")).join(target);
    fs::copy(real, place).map(|_| ())
}
