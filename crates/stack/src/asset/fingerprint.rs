//! The CDK's fingerprint of a file or directory: the same content gives the same asset hash in both tools.
//!
//! Fields `\x01 key \x02 value \x03` go into one sha256: `options.extra`, `options.follow`, `options.ignoreMode` where it
//! is not glob, then for each file its path and `size:sha256`, with line ends normalized in text, for each link its
//! target (aws-cdk-lib 2.276 `core/lib/fs/fingerprint.js`). Modes and times do not count, nor do empty folders.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::options::{AssetOptions, IgnoreMode};
use super::walk::{Entry, walk};

/// The chunk in which content is looked at; part of the format, since a text file is told by its first chunk and a
/// carriage return at the end of a chunk is carried over.
const CHUNK: usize = 8 * 1024;

/// A hash, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// 64 hexadecimal digits.
    pub hash: String,
    /// In the order in which they were hashed: `options.…`, `file:PATH` with `SIZE:SHA256`, `link:PATH` with its target.
    pub fields: Vec<(String, String)>,
}

/// The fingerprint of the file or directory at `path`.
///
/// # Errors
/// What the file system says about a file that cannot be read; a link to something that is neither file nor directory,
/// or that the options forbid; a pattern that cannot be understood.
pub fn fingerprint(path: &Path, options: &AssetOptions) -> io::Result<Fingerprint> {
    let root = fs::canonicalize(path)?;
    let mut fields = vec![
        ("options.extra".to_owned(), options.extra_hash.clone()),
        ("options.follow".to_owned(), options.follow.as_str().to_owned()),
    ];
    if options.ignore_mode != IgnoreMode::Glob {
        fields.push(("options.ignoreMode".to_owned(), options.ignore_mode.as_str().to_owned()));
    }
    if root.is_dir() {
        for entry in walk(&root, options)? {
            match entry {
                Entry::Directory { .. } => {}
                Entry::File { path, real } => fields.push((format!("file:{path}"), content(&real)?)),
                Entry::Link { path, target, inside } => {
                    let shown = match inside {
                        Some(inside) if target.is_absolute() => inside,
                        _ => target,
                    };
                    fields.push((format!("link:{path}"), shown.to_string_lossy().into_owned()));
                }
            }
        }
    } else {
        fields.push(("file:".to_owned(), content(&root)?));
    }
    let mut hash = Sha256::new();
    for (key, value) in &fields {
        field(&mut hash, key, value);
    }
    Ok(Fingerprint {
        hash: hex::encode(hash.finalize()),
        fields,
    })
}

/// What an asset is known by when its author says it instead of its content: the sha256 of that text.
pub(crate) fn custom(hash: &str) -> String {
    hex::encode(Sha256::digest(hash))
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

    fn hash(path: &Path, extra: &str) -> String {
        fingerprint(path, &AssetOptions::new().extra_hash(extra)).unwrap().hash
    }

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
            hash(asset.path(), ""),
            "4d3da2b079ef430bb2038338e4557f6965fe82a6d70f2e7f0e166c4a80752e48"
        );
    }

    #[test]
    fn line_ends_do_not_count_in_text() {
        let unix = folder(&[("a.txt", b"one\ntwo\n")]);
        let windows = folder(&[("a.txt", b"one\r\ntwo\r\n")]);
        assert_eq!(hash(unix.path(), ""), hash(windows.path(), ""));
    }

    #[test]
    fn they_count_in_binaries() {
        let unix = folder(&[("a.bin", b"\0one\n")]);
        let windows = folder(&[("a.bin", b"\0one\r\n")]);
        assert_ne!(hash(unix.path(), ""), hash(windows.path(), ""));
    }

    #[test]
    fn the_name_the_place_and_the_extra_count() {
        let one = hash(folder(&[("a", b"x")]).path(), "");
        assert_ne!(one, hash(folder(&[("b", b"x")]).path(), ""));
        assert_ne!(one, hash(folder(&[("d/a", b"x")]).path(), ""));
        assert_ne!(one, hash(folder(&[("a", b"x")]).path(), "salt"));
    }
}
