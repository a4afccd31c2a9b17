//! The ledger's store as a process meets it: in memory, with the faults of every call, and the world looking on.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::met::Met;
use crate::process::{Call, Kind, Process};

#[derive(Debug)]
pub struct SimulatedLedger {
    process: Arc<Process>,
    store: Arc<InMemory>,
}

impl SimulatedLedger {
    pub fn new(process: Arc<Process>) -> SimulatedLedger {
        let store = process.world.store.clone();
        SimulatedLedger { process, store }
    }
}

impl fmt::Display for SimulatedLedger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the simulated ledger")
    }
}

fn failed(call: &Call, why: &str) -> Error {
    Error::Generic {
        store: "simulated",
        source: format!("{}: {why}", call.what).into(),
    }
}

impl Process {
    async fn ledger_call(&self, what: String, kind: Kind) -> Result<Call> {
        let call = self.begin(what, kind).await;
        if self.refusal(&call).is_some() || self.world.lock().ledger_down {
            self.end(&call).await;
            return Err(failed(&call, "a planned fault"));
        }
        Ok(call)
    }

    async fn ledger_answer<T>(&self, call: &Call, result: Result<T>) -> Result<T> {
        let succeeded = result.is_ok();
        self.world.lock().trace.line(|| {
            let outcome = if succeeded { "" } else { ": not done" };
            format!("{} call {} ({}){outcome}", call.process, call.number, call.what)
        });
        if matches!(&result, Err(Error::AlreadyExists { path, .. }) if path.contains("/lock/")) {
            self.world.lock().met.insert(Met::LockContended);
        }
        if self.end(call).await {
            if succeeded && call.what.starts_with("write") {
                self.world.lock().met.insert(Met::LostRecord);
            }
            return Err(failed(call, "the response was lost"));
        }
        result
    }
}

#[async_trait]
impl ObjectStore for SimulatedLedger {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        // Neither is fenced by what it follows from: only the lease says that it may be begun.
        let path = location.as_ref();
        let is_beginning = path.ends_with("/000000.json") || path.contains("/standings/");
        let kind = if is_beginning { Kind::Change } else { Kind::WriteLedger };
        let call = self.process.ledger_call(format!("write {location}"), kind).await?;
        let there = self.store.head(location).await.is_ok();
        let content: Vec<u8> = payload.iter().flatten().copied().collect();
        let result = self.store.put_opts(location, payload, options).await;
        if result.is_ok() {
            self.process
                .world
                .lock()
                .written(&call, location.as_ref(), &content, there);
        }
        self.process.ledger_answer(&call, result).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let call = self
            .process
            .ledger_call(format!("read {location}"), Kind::ReadLedger)
            .await?;
        let result = self.store.get_opts(location, options).await;
        self.process.ledger_answer(&call, result).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (process, store) = (self.process.clone(), self.store.clone());
        locations
            .and_then(move |location| {
                let (process, store) = (process.clone(), store.clone());
                async move {
                    let call = process
                        .ledger_call(format!("delete {location}"), Kind::WriteLedger)
                        .await?;
                    let result = store.delete(&location).await.map(|()| location);
                    process.ledger_answer(&call, result).await
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (process, store) = (self.process.clone(), self.store.clone());
        let prefix = prefix.cloned();
        stream::once(async move {
            let what = prefix.as_ref().map_or("", |prefix| prefix.as_ref());
            let call = process.ledger_call(format!("list {what}"), Kind::ReadLedger).await?;
            let found: Vec<_> = store.list(prefix.as_ref()).collect().await;
            let found = process.ledger_answer(&call, Ok(found)).await?;
            Ok::<_, Error>(stream::iter(found))
        })
        .try_flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let call = self
            .process
            .ledger_call(
                format!("list {}", prefix.map_or("", |prefix| prefix.as_ref())),
                Kind::ReadLedger,
            )
            .await?;
        let result = self.store.list_with_delimiter(prefix).await;
        self.process.ledger_answer(&call, result).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
