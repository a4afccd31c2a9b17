//! The CDK's fingerprint of a file or directory: the same content gives the same asset hash in both tools.
//!
//! Fields `\x01 key \x02 value \x03` go into one sha256: `options.extra`, `options.follow`, then for each file its path
//! and `size:sha256`, with line ends normalized in text (aws-cdk-lib 2.276 `core/lib/fs/fingerprint.js`). Ignore patterns
//! and modes other than following external links are not offered.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

/// The chunk in which content is looked at; part of the format, since a text file is told by its first chunk and a
/// carriage return at the end of a chunk is carried over.
const CHUNK: usize = 8 * 1024;

/// Hex sha256 of the file or directory at `path`, with `extra` hashed in front.
///
/// # Errors
/// What the file system says about a file that cannot be read, and a link to something that is neither file nor directory.
pub fn fingerprint(path: &Path, extra: &str) -> io::Result<String> {
    let root = fs::canonicalize(path)?;
    let mut hash = Sha256::new();
    field(&mut hash, "options.extra", extra);
    field(&mut hash, "options.follow", "external");
    if root.is_dir() {
        let mut walk = Walk {
            root: root.clone(),
            ancestors: HashSet::new(),
            hash: &mut hash,
        };
        walk.directory("", &root, root.clone())?;
    } else {
        field(&mut hash, "file:", &content(&root)?);
    }
    Ok(hex::encode(hash.finalize()))
}

struct Walk<'a> {
    root: PathBuf,
    ancestors: HashSet<PathBuf>,
    hash: &'a mut Sha256,
}

impl Walk<'_> {
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
                self.link(&child, &entry.path())?;
            } else if kind.is_dir() {
                self.directory(&child, &entry.path(), canonical.join(&name))?;
            } else if kind.is_file() {
                field(self.hash, &format!("file:{child}"), &content(&entry.path())?);
            }
        }
        self.ancestors.remove(&canonical);
        Ok(())
    }

    /// A link that leaves the root is followed, one that stays inside is hashed as a link.
    fn link(&mut self, relative: &str, real: &Path) -> io::Result<()> {
        let target = fs::read_link(real)?;
        let resolved = resolve(real, &target);
        let internal = resolved.starts_with(&self.root);
        let followed = if internal { None } else { fs::metadata(&resolved).ok() };
        match followed {
            None => {
                let shown = match resolved.strip_prefix(&self.root) {
                    Ok(inside) if internal && target.is_absolute() => inside.to_string_lossy().into_owned(),
                    _ => target.to_string_lossy().into_owned(),
                };
                field(self.hash, &format!("link:{relative}"), &shown);
                Ok(())
            }
            Some(metadata) if metadata.is_dir() => {
                let canonical = fs::canonicalize(&resolved)?;
                self.directory(relative, &resolved, canonical)
            }
            Some(metadata) if metadata.is_file() => {
                field(self.hash, &format!("file:{relative}"), &content(&resolved)?);
                Ok(())
            }
            Some(_) => Err(io::Error::other(format!(
                "{} is neither a file nor a directory",
                real.display()
            ))),
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

/// `size:sha256` of a file's content, CRLF read as LF unless the first chunk holds a NUL.
fn content(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut binary = None;
    let mut carried = String::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = fill(&mut file, &mut chunk)?;
        if read == 0 {
            break;
        }
        let bytes = &chunk[..read];
        // `size === 0` decides in the original, so a text whose first chunks were carried over is looked at again.
        let is_binary = if size == 0 {
            *binary.insert(bytes.contains(&0))
        } else {
            binary.unwrap_or(false)
        };
        if is_binary {
            size += read;
            hash.update(bytes);
            continue;
        }
        // Each chunk is decoded by itself, as the original does: a character across the border becomes U+FFFD.
        carried.push_str(&String::from_utf8_lossy(bytes));
        if bytes.last() == Some(&b'\r') {
            continue;
        }
        let normalized = std::mem::take(&mut carried).replace("\r\n", "\n");
        size += normalized.len();
        hash.update(&normalized);
    }
    hash.update(&carried);
    Ok(format!("{size}:{}", hex::encode(hash.finalize())))
}

/// Reads until `chunk` is full or the file ends; a short read in the middle must not move the chunk borders.
fn fill(file: &mut fs::File, chunk: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < chunk.len() {
        match file.read(&mut chunk[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

fn field(hash: &mut Sha256, key: &str, value: &str) {
    hash.update(b"\x01");
    hash.update(key);
    hash.update(b"\x02");
    hash.update(value);
    hash.update(b"\x03");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    /// As aws-cdk-lib 2.276 fingerprints a function's folder with this one file.
    #[test]
    fn agrees_with_the_cdk() {
        let file: &[u8] = b"exports.handler = async () => ({ statusCode: 200, body: 'authorizer' });\n";
        let asset = folder(&[("index.js", file)]);
        assert_eq!(
            fingerprint(asset.path(), "").unwrap(),
            "4d3da2b079ef430bb2038338e4557f6965fe82a6d70f2e7f0e166c4a80752e48"
        );
    }

    #[test]
    fn line_ends_do_not_count_in_text() {
        let unix = folder(&[("a.txt", b"one\ntwo\n")]);
        let windows = folder(&[("a.txt", b"one\r\ntwo\r\n")]);
        assert_eq!(
            fingerprint(unix.path(), "").unwrap(),
            fingerprint(windows.path(), "").unwrap()
        );
    }

    #[test]
    fn they_count_in_binaries() {
        let unix = folder(&[("a.bin", b"\0one\n")]);
        let windows = folder(&[("a.bin", b"\0one\r\n")]);
        assert_ne!(
            fingerprint(unix.path(), "").unwrap(),
            fingerprint(windows.path(), "").unwrap()
        );
    }

    #[test]
    fn the_name_the_place_and_the_extra_count() {
        let one = fingerprint(folder(&[("a", b"x")]).path(), "").unwrap();
        assert_ne!(one, fingerprint(folder(&[("b", b"x")]).path(), "").unwrap());
        assert_ne!(one, fingerprint(folder(&[("d/a", b"x")]).path(), "").unwrap());
        assert_ne!(one, fingerprint(folder(&[("a", b"x")]).path(), "salt").unwrap());
    }
}
