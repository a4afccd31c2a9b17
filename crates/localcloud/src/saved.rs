//! A service's state in memory, saved as a whole after each change. For states of at most a few thousand entries;
//! what is larger or changes hundreds of times a second (objects, metrics, log lines) has files of its own.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::service::ApiError;
use crate::store::Store;

pub struct Saved<T> {
    store: Store,
    name: &'static str,
    state: Mutex<T>,
}

impl<T: Serialize + DeserializeOwned + Default> Saved<T> {
    pub fn open(store: &Store, name: &'static str) -> io::Result<Self> {
        Ok(Self {
            store: store.clone(),
            name,
            state: Mutex::new(store.load(name)?),
        })
    }

    /// The state to read. Hold it briefly and never across an await.
    pub fn read(&self) -> MutexGuard<'_, T> {
        // A panic between two fields of a change would be our bug; going on with what is there loses less.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and saves it. The change refuses before it touches anything: a refused one is not undone.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> Result<R, ApiError>) -> Result<R, ApiError> {
        let mut state = self.read();
        let result = change(&mut state)?;
        self.store.save(self.name, &*state).map_err(storage_failure)?;
        Ok(result)
    }
}

/// A failure of our own disk, as the `InternalFailure` that any AWS service may answer.
pub fn storage_failure(error: io::Error) -> ApiError {
    ApiError::new(
        500,
        "InternalFailure",
        format!("the embedded cloud could not use its folder: {error}"),
    )
}
