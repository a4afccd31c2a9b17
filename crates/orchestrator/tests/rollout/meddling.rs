//! A ledger whose answers somebody meddles with: at each call the test may let time pass, take the lock, or look.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use orchestrator::driver::Rollouts;

use crate::world::World;

/// What was done to the ledger, with the object's or the folder's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    Written(String),
    Listed(String),
}

type Meddle = dyn Fn(&World, &Access) + Send + Sync;

/// Calls `meddle` after each access, before its answer is given.
pub struct MeddlingStore {
    inner: Arc<InMemory>,
    world: Arc<World>,
    meddle: Arc<Meddle>,
}

/// Runs whose ledger is meddled with.
pub fn meddled(
    rollouts: Rollouts,
    world: &Arc<World>,
    meddle: impl Fn(&World, &Access) + Send + Sync + 'static,
) -> Rollouts {
    let mut rollouts = rollouts;
    rollouts.ports.ledger = Arc::new(MeddlingStore {
        inner: world.store.clone(),
        world: world.clone(),
        meddle: Arc::new(meddle),
    });
    rollouts
}

impl fmt::Debug for MeddlingStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MeddlingStore")
    }
}

impl fmt::Display for MeddlingStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "meddled {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for MeddlingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let result = self.inner.put_opts(location, payload, options).await;
        if result.is_ok() {
            (self.meddle)(&self.world, &Access::Written(location.to_string()));
        }
        result
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let found = self.inner.list(prefix);
        let folder = prefix.map(ToString::to_string).unwrap_or_default();
        (self.meddle)(&self.world, &Access::Listed(folder));
        found.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
