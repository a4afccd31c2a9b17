//! Buckets on disk: `bucket.json` for the settings, a record a key in `records/`, contents in `contents/`, unfinished
//! multipart uploads in `uploads/`.
//!
//! A record names its content file, and a write makes the content first and then replaces the record, so that
//! `kill -9` leaves the old object or the new one. Contents without a record go at the next start.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::chance;

/// What is known of an object beside its bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ObjectRecord {
    pub key: String,
    /// The file in `contents/`; a new one for each write, so it tells one write from another.
    pub content: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified: Timestamp,
    /// `ContentType`, `CacheControl` and their like, by member name.
    pub headers: Map<String, Value>,
    /// The caller's own `x-amz-meta-…`.
    pub metadata: Map<String, Value>,
    /// `ChecksumCRC32` and its like, as the writer gave them.
    pub checksums: Map<String, Value>,
    pub tags: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub created: Timestamp,
    pub region: String,
    /// By the setting's name, as the put operation brought it.
    pub values: Map<String, Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub modified: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub key: String,
    pub started: Timestamp,
    pub headers: Map<String, Value>,
    pub metadata: Map<String, Value>,
    pub tags: Value,
    pub parts: BTreeMap<u32, Part>,
}

pub(super) struct Bucket {
    folder: PathBuf,
    pub settings: Settings,
    pub objects: BTreeMap<String, ObjectRecord>,
    pub uploads: BTreeMap<String, Upload>,
}

impl Bucket {
    pub(super) fn create(folder: PathBuf, settings: Settings) -> io::Result<Self> {
        for part in ["records", "contents", "uploads"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let bucket = Self {
            folder,
            settings,
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        };
        bucket.save_settings()?;
        Ok(bucket)
    }

    /// `None` for a folder that a crash left before the bucket was whole.
    pub(super) fn load(folder: PathBuf) -> io::Result<Option<Self>> {
        let settings = match fs::read(folder.join("bucket.json")) {
            Ok(bytes) => parse(&folder, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut objects = BTreeMap::new();
        for entry in fs::read_dir(folder.join("records"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let record: ObjectRecord = parse(&path, &fs::read(&path)?)?;
                objects.insert(record.key.clone(), record);
            }
        }
        let known: HashSet<&str> = objects.values().map(|record| record.content.as_str()).collect();
        for entry in fs::read_dir(folder.join("contents"))? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| known.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        let mut uploads = BTreeMap::new();
        for entry in fs::read_dir(folder.join("uploads"))? {
            let entry = entry?;
            match fs::read(entry.path().join("upload.json")) {
                Ok(bytes) => {
                    let id = entry.file_name().to_string_lossy().into_owned();
                    uploads.insert(id, parse(&entry.path(), &bytes)?);
                }
                Err(_) => fs::remove_dir_all(entry.path())?,
            }
        }
        Ok(Some(Self {
            folder,
            settings,
            objects,
            uploads,
        }))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn save_settings(&self) -> io::Result<()> {
        replace(&self.folder, "bucket.json", &self.settings)
    }

    /// Makes the record current; the content that it replaces goes.
    pub(super) fn commit(&mut self, record: ObjectRecord) -> io::Result<()> {
        replace(&self.folder.join("records"), &record_file(&record.key), &record)?;
        let content = record.content.clone();
        if let Some(old) = self
            .objects
            .insert(record.key.clone(), record)
            .filter(|old| old.content != content)
        {
            fs::remove_file(self.folder.join("contents").join(old.content))?;
        }
        Ok(())
    }

    /// Removing what is not there succeeds.
    pub(super) fn remove(&mut self, key: &str) -> io::Result<()> {
        if let Some(record) = self.objects.remove(key) {
            fs::remove_file(self.folder.join("records").join(record_file(key)))?;
            fs::remove_file(self.folder.join("contents").join(record.content))?;
        }
        Ok(())
    }

    pub(super) fn open_content(&self, record: &ObjectRecord) -> io::Result<fs::File> {
        fs::File::open(self.folder.join("contents").join(&record.content))
    }

    pub(super) fn save_upload(&self, id: &str) -> io::Result<()> {
        let folder = self.upload_folder(id);
        fs::create_dir_all(&folder)?;
        match self.uploads.get(id) {
            Some(upload) => replace(&folder, "upload.json", upload),
            None => Ok(()),
        }
    }

    pub(super) fn remove_upload(&mut self, id: &str) -> io::Result<()> {
        self.uploads.remove(id);
        fs::remove_dir_all(self.upload_folder(id))
    }

    pub(super) fn upload_folder(&self, id: &str) -> PathBuf {
        self.folder.join("uploads").join(id)
    }
}

/// Writes a content file of its own name under a bucket's folder and tells the name.
pub(super) fn write_content(bucket_folder: &Path, bytes: &[u8]) -> io::Result<String> {
    let name = chance::uuid()?;
    let mut file = fs::File::create_new(bucket_folder.join("contents").join(&name))?;
    file.write_all(bytes)?;
    Ok(name)
}

/// Keys may hold anything; a file's name may not.
fn record_file(key: &str) -> String {
    format!("{}.json", hex::encode(Sha256::digest(key)))
}

fn replace(folder: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&bytes)?;
    file.persist(folder.join(name))?;
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display())))
}
