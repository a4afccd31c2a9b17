//! A directory as a zip archive whose bytes depend on nothing but names, modes and content.
//!
//! Entries are sorted, timestamps are 1980-01-01, executables keep their bit. No zip64: Lambda takes 250 MB unzipped.

use std::fs;
use std::io;
use std::path::Path;

/// Level of miniz_oxide's deflate: most of the gain at a third of the time of 9.
const LEVEL: u8 = 6;
/// 1980-01-01 in the DOS format, the earliest that zip can say.
const DOS_DATE: u16 = 0x21;
const DEFLATED: u16 = 8;
/// 2.0, made on Unix so that the mode counts.
const VERSION: u16 = 20;
const MADE_ON_UNIX: u16 = 3 << 8 | VERSION;
const UTF8_NAMES: u16 = 1 << 11;

/// The archive of everything below `directory`; links are followed.
///
/// # Errors
/// What the file system says, and an archive beyond 4 GiB.
pub fn directory(directory: &Path) -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    collect(directory, "", &mut files)?;
    let mut archive = Vec::new();
    let mut central = Vec::new();
    let mut count: u16 = 0;
    for (name, path) in files {
        let content = fs::read(&path)?;
        let offset = length(archive.len())?;
        let compressed = miniz_oxide::deflate::compress_to_vec(&content, LEVEL);
        let mut common = Vec::new();
        for half in [UTF8_NAMES, DEFLATED, 0, DOS_DATE] {
            common.extend_from_slice(&half.to_le_bytes());
        }
        for word in [
            crc32fast::hash(&content),
            length(compressed.len())?,
            length(content.len())?,
        ] {
            common.extend_from_slice(&word.to_le_bytes());
        }
        let name_length = u16::try_from(name.len()).map_err(io::Error::other)?;
        common.extend_from_slice(&name_length.to_le_bytes());
        common.extend_from_slice(&0_u16.to_le_bytes());

        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&VERSION.to_le_bytes());
        archive.extend_from_slice(&common);
        archive.extend_from_slice(name.as_bytes());
        archive.extend_from_slice(&compressed);

        central.extend_from_slice(b"PK\x01\x02");
        central.extend_from_slice(&MADE_ON_UNIX.to_le_bytes());
        central.extend_from_slice(&VERSION.to_le_bytes());
        central.extend_from_slice(&common);
        central.extend_from_slice(&[0; 6]);
        central.extend_from_slice(&(mode(&path)? << 16).to_le_bytes());
        central.extend_from_slice(&offset.to_le_bytes());
        central.extend_from_slice(name.as_bytes());
        count = count
            .checked_add(1)
            .ok_or_else(|| io::Error::other("more files than a zip archive can hold"))?;
    }
    let start = length(archive.len())?;
    archive.extend_from_slice(&central);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    archive.extend_from_slice(&count.to_le_bytes());
    archive.extend_from_slice(&count.to_le_bytes());
    archive.extend_from_slice(&length(central.len())?.to_le_bytes());
    archive.extend_from_slice(&start.to_le_bytes());
    archive.extend_from_slice(&[0; 2]);
    Ok(archive)
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<(String, std::path::PathBuf)>) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

fn length(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| io::Error::other("the archive would exceed 4 GiB"))
}

#[cfg(unix)]
fn mode(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    let executable = fs::metadata(path)?.permissions().mode() & 0o111 != 0;
    Ok(0o100_000 | if executable { 0o755 } else { 0o644 })
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> io::Result<u32> {
    // Without executable bits to read, everything may run: a Lambda `bootstrap` must.
    Ok(0o100_755)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_gives_the_same_bytes_and_unzips() {
        let make = || {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("lib")).unwrap();
            fs::write(folder.path().join("bootstrap"), b"run me").unwrap();
            fs::write(folder.path().join("lib/data.txt"), "x".repeat(5000)).unwrap();
            folder
        };
        let (first, second) = (make(), make());
        let archive = directory(first.path()).unwrap();
        assert_eq!(archive, directory(second.path()).unwrap());
        assert!(archive.len() < 1000, "{} bytes: not compressed", archive.len());

        // The local header is 30 bytes and the name; the content ends where the next header begins.
        let start = 30 + "bootstrap".len();
        let end = start
            + archive[start..]
                .windows(4)
                .position(|window| window == b"PK\x03\x04")
                .unwrap();
        assert_eq!(
            miniz_oxide::inflate::decompress_to_vec(&archive[start..end]).unwrap(),
            b"run me"
        );
    }
}
