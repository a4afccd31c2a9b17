//! A folder of numbered objects, each created only if absent.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

/// The store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger object {object} cannot be read or written; check that its folder or bucket can be reached")]
    Store {
        object: String,
        #[source]
        source: object_store::Error,
    },
    #[error(
        "the ledger object {object} does not read as {what}; if it was damaged, see `status` for where the traffic is \
         and move the object aside"
    )]
    Damaged {
        object: String,
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the ledger object {object} is of version {version}, this program reads up to {known}: use a newer one")]
    TooNew { object: String, version: u32, known: u32 },
    #[error("another run wrote the ledger object {object} first")]
    Lost { object: String },
}

/// What came of creating an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    Yes,
    /// It is there already, with other content.
    Taken,
}

pub(crate) struct Sequence<'a> {
    store: &'a dyn ObjectStore,
    folder: String,
    digits: usize,
}

impl<'a> Sequence<'a> {
    pub(crate) fn new(store: &'a dyn ObjectStore, folder: String, digits: usize) -> Sequence<'a> {
        Sequence { store, folder, digits }
    }

    pub(crate) fn object(&self, number: u64) -> String {
        format!("{}/{number:0digits$}.json", self.folder, digits = self.digits)
    }

    fn error(&self, object: String) -> impl FnOnce(object_store::Error) -> LedgerError {
        move |source| LedgerError::Store { object, source }
    }

    /// The numbers that are there, in order. Objects with other names are passed over.
    pub(crate) async fn numbers(&self) -> Result<Vec<u64>, LedgerError> {
        let folder = Path::from(self.folder.as_str());
        let found: Vec<_> = self
            .store
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(self.error(self.folder.clone()))?;
        let mut numbers: Vec<u64> = found
            .iter()
            .filter_map(|meta| meta.location.filename()?.strip_suffix(".json")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    pub(crate) async fn read(&self, number: u64) -> Result<Option<Bytes>, LedgerError> {
        let object = self.object(number);
        let path = Path::from(object.as_str());
        match self.store.get(&path).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(self.error(object))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.error(object)(source)),
        }
    }

    /// Creates the object if it is absent. One that is there with the same content is ours: the response to an earlier
    /// attempt was lost.
    pub(crate) async fn create(&self, number: u64, content: Bytes) -> Result<Created, LedgerError> {
        let object = self.object(number);
        let path = Path::from(object.as_str());
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(&path, PutPayload::from_bytes(content.clone()), options)
            .await
        {
            Ok(_) => Ok(Created::Yes),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                let ours = self.read(number).await?.is_some_and(|there| there == content);
                Ok(if ours { Created::Yes } else { Created::Taken })
            }
            Err(source) => Err(self.error(object)(source)),
        }
    }

    pub(crate) async fn delete(&self, number: u64) -> Result<(), LedgerError> {
        let object = self.object(number);
        match self.store.delete(&Path::from(object.as_str())).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.error(object)(source)),
        }
    }
}
