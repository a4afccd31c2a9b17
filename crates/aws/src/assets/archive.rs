//! Packs a folder the same way each time: sorted paths, no times, and of a file's mode only whether it may be executed.
//!
//! Symbolic links are followed, and empty folders left out, as the CDK's own publisher does.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A cycle of symbolic links would otherwise never end.
const DEPTH_LIMIT: usize = 64;

pub(crate) fn zip_folder(folder: &Path) -> io::Result<Vec<u8>> {
    let mut files = BTreeMap::new();
    collect(folder, "", DEPTH_LIMIT, &mut files)?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, path) in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(if executable(&path)? { 0o755 } else { 0o644 });
        archive.start_file(name, options)?;
        archive.write_all(&fs::read(&path)?)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Names are relative, separated by `/` on every system.
fn collect(folder: &Path, prefix: &str, depth: usize, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other(format!(
            "{} is nested too deeply: is there a cycle of links?",
            folder.display()
        )));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().into_string().map_err(|name| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the file name {} is not UTF-8", name.display()),
            )
        })?;
        let name = format!("{prefix}{name}");
        if fs::metadata(&path)?.is_dir() {
            collect(&path, &format!("{name}/"), depth - 1, files)?;
        } else {
            files.insert(name, path);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn executable(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o111 != 0)
}

/// Without execute bits, everything may be executed: a `bootstrap` that may not would fail at its first call.
#[cfg(not(unix))]
fn executable(_: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn the_same_content_gives_the_same_bytes_whenever_it_was_written() {
        let pack = |names: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("sub")).unwrap();
            for name in names {
                fs::write(folder.path().join(name), name).unwrap();
            }
            zip_folder(folder.path()).unwrap()
        };
        assert_eq!(pack(&["a", "sub/b", "c"]), pack(&["c", "sub/b", "a"]));
        assert_ne!(pack(&["a", "c"]), pack(&["a", "b"]));
    }

    #[test]
    fn times_and_the_umask_do_not_count() {
        let pack = |mode: u32, seconds: u64| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("a");
            fs::write(&file, "a").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::open(&file).unwrap().set_modified(time).unwrap();
            zip_folder(folder.path()).unwrap()
        };
        assert_eq!(pack(0o644, 1_000_000_000), pack(0o600, 1_700_000_000));
        assert_eq!(pack(0o755, 1_000_000_000), pack(0o700, 1_700_000_000));
        assert_ne!(pack(0o644, 1_000_000_000), pack(0o755, 1_000_000_000));
    }

    #[test]
    fn keeps_the_execute_bit_and_follows_links() {
        let folder = tempfile::tempdir().unwrap();
        let bootstrap = folder.path().join("bootstrap");
        fs::write(&bootstrap, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o700)).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/table.txt"), "x".repeat(10_000)).unwrap();
        symlink("data/table.txt", folder.path().join("link.txt")).unwrap();

        let bytes = zip_folder(folder.path()).unwrap();
        assert!(bytes.len() < 5_000, "{} bytes are not compressed", bytes.len());
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["bootstrap", "data/table.txt", "link.txt"]);
        assert_eq!(
            archive.by_name("bootstrap").unwrap().unix_mode().unwrap() & 0o777,
            0o755
        );
        assert_eq!(
            archive.by_name("data/table.txt").unwrap().unix_mode().unwrap() & 0o777,
            0o644
        );
        let mut link = String::new();
        archive.by_name("link.txt").unwrap().read_to_string(&mut link).unwrap();
        assert_eq!(link.len(), 10_000);
    }

    #[test]
    fn a_cycle_of_links_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        symlink(folder.path(), folder.path().join("again")).unwrap();
        assert!(zip_folder(folder.path()).is_err());
    }
}
