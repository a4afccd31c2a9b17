//! A function's code: the zip, its hash as AWS computes it, and the folder that it is unpacked into once.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::configuration::invalid;
use super::record::Code;
use crate::service::ApiError;

/// Lambda quotas: 250 MB for the unpacked deployment package.
const UNPACKED_LIMIT: u64 = 262_144_000;

/// Where unpacked code lies, one folder a hash.
#[derive(Clone)]
pub(crate) struct CodeFolder {
    folder: PathBuf,
}

impl CodeFolder {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub fn path(&self, code: &Code) -> PathBuf {
        self.folder.join(&code.folder)
    }

    /// The zip itself, which `GetFunction` offers for download.
    pub fn archive(&self, code: &Code) -> PathBuf {
        self.folder.join(format!("{}.zip", code.folder))
    }

    /// Unpacks `archive`; the same archive twice is unpacked once.
    pub async fn unpack(&self, archive: Bytes) -> Result<Code, ApiError> {
        let folder = self.folder.clone();
        let unpacked = tokio::task::spawn_blocking(move || unpack(&folder, &archive)).await;
        unpacked.map_err(|error| ApiError::new(500, "ServiceException", error.to_string()))?
    }
}

fn unpack(folder: &Path, archive: &[u8]) -> Result<Code, ApiError> {
    let digest = Sha256::digest(archive);
    let code = Code {
        sha256: STANDARD.encode(digest),
        size: archive.len() as u64,
        folder: hex::encode(digest),
        image_uri: None,
    };
    let target = folder.join(&code.folder);
    if target.is_dir() {
        return Ok(code);
    }
    let unwritable = |error: std::io::Error| {
        ApiError::new(
            500,
            "ServiceException",
            format!("code cannot be unpacked into {}: {error}", folder.display()),
        )
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    // Unpacked beside its place and then renamed: a folder with a hash for a name is complete.
    let unfinished = tempfile::Builder::new()
        .prefix("unpacking-")
        .tempdir_in(folder)
        .map_err(unwritable)?;
    extract(unfinished.path(), archive)?;
    std::fs::write(folder.join(format!("{}.zip", code.folder)), archive).map_err(unwritable)?;
    match std::fs::rename(unfinished.path(), &target) {
        Ok(()) => {
            // The folder has moved; there is nothing left to remove under its old name.
            let _moved = unfinished.keep();
            set_mode(&target, 0o755).map_err(unwritable)?;
        }
        // Somebody else was faster with the same archive.
        Err(_) if target.is_dir() => {}
        Err(error) => return Err(unwritable(error)),
    }
    Ok(code)
}

fn extract(target: &Path, archive: &[u8]) -> Result<(), ApiError> {
    let broken = |error: String| {
        invalid(format!(
            "Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"
        ))
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(|error| broken(error.to_string()))?;
    if archive.is_empty() {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    let mut left = UNPACKED_LIMIT;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| broken(error.to_string()))?;
        let Some(path) = entry.enclosed_name() else {
            return Err(broken(format!("entry {index} points outside")));
        };
        let path = target.join(path);
        if entry.is_dir() {
            std::fs::create_dir_all(&path).map_err(|error| broken(error.to_string()))?;
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| broken(error.to_string()))?;
        }
        let mut content = Vec::new();
        (&mut entry)
            .take(left + 1)
            .read_to_end(&mut content)
            .map_err(|error| broken(error.to_string()))?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| invalid(format!("Unzipped size must be smaller than {UNPACKED_LIMIT} bytes")))?;
        if entry.is_symlink() {
            link(&content, &path, target).map_err(broken)?;
            continue;
        }
        std::fs::write(&path, content).map_err(|error| broken(error.to_string()))?;
        // Archives made without Unix modes would leave a bootstrap that cannot run; AWS wants 755 there too.
        set_mode(&path, entry.unix_mode().unwrap_or(0o755) & 0o777 | 0o400)
            .map_err(|error| broken(error.to_string()))?;
    }
    Ok(())
}

/// Links inside the archive are kept; one that leaves it is refused.
fn link(content: &[u8], path: &Path, root: &Path) -> Result<(), String> {
    let destination = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    let mut depth = path
        .strip_prefix(root)
        .map_err(|error| error.to_string())?
        .components()
        .count() as i64
        - 1;
    for component in Path::new(destination).components() {
        depth += match component {
            std::path::Component::Normal(_) => 1,
            std::path::Component::CurDir => 0,
            std::path::Component::ParentDir => -1,
            _ => return Err(format!("the link {destination} points outside")),
        };
        if depth < 0 {
            return Err(format!("the link {destination} points outside"));
        }
    }
    std::os::unix::fs::symlink(destination, path).map_err(|error| error.to_string())
}

fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer
                .start_file(*name, zip::write::SimpleFileOptions::default().unix_permissions(0o755))
                .unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn an_archive_is_unpacked_once_and_hashed_as_aws_does() {
        let folder = tempfile::tempdir().unwrap();
        let archive = archive(&[("bootstrap", "#!/bin/sh"), ("lib/a.txt", "a")]);
        let code = unpack(folder.path(), &archive).unwrap();
        assert_eq!(code.sha256, STANDARD.encode(Sha256::digest(&archive)));
        let file = folder.path().join(&code.folder).join("lib/a.txt");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a");
        std::fs::write(&file, "touched").unwrap();
        unpack(folder.path(), &archive).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "touched");
    }

    #[test]
    fn what_is_no_archive_or_leaves_its_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for bad in [b"no zip".to_vec(), archive(&[]), archive(&[("../escape", "x")])] {
            assert_eq!(
                unpack(folder.path(), &bad).err().unwrap().code,
                "InvalidParameterValueException"
            );
        }
        assert!(
            std::fs::read_dir(folder.path()).unwrap().next().is_none(),
            "nothing half done stays"
        );
    }
}
