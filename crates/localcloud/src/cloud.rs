//! Starts the whole cloud in one folder: state, services, server; and ends it.
//!
//! The CLI and the tests call it. One running cloud owns its folder by a lock on `<folder>/lock`, which the operating
//! system drops with the process, and tells where it listens in `<folder>/endpoint.json`.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::apigateway::{self, ApiGateway, ApiGatewayProvider};
use crate::apigatewayv2::{self, ApiGatewayV2, ApiGatewayV2Provider, Connections};
use crate::cloudformation::{CloudFormation, CustomResources};
use crate::cloudwatch::{CloudWatch, EVALUATION_INTERVAL};
use crate::context::{Clock, Context};
use crate::dynamodb::DynamoDb;
use crate::elasticache::ElastiCache;
use crate::lambda::{self, Lambda, LambdaProvider};
use crate::logs::Logs;
use crate::rds::Rds;
use crate::s3::S3;
use crate::schedules::Schedules;
use crate::secretsmanager::SecretsManager;
use crate::server::{self, Router};
use crate::sqs::Sqs;
use crate::ssm::Ssm;
use crate::store::Store;
use crate::sts::Sts;

#[derive(Clone, Debug)]
pub struct Options {
    /// Everything that the cloud keeps is here; made when missing.
    pub folder: PathBuf,
    /// 0 takes any free port.
    pub port: u16,
    /// For requests that name no region.
    pub region: String,
    /// A Postgres that stands in for those that RDS would start: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub database_url: Option<String>,
}

/// Where a running cloud is found; the content of `endpoint.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// For example `http://127.0.0.1:4566`.
    pub endpoint: String,
    pub pid: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the embedded cloud cannot use its folder {}: is it writable?", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("the folder {} is in use by an embedded cloud that runs already{}: stop that one first", folder.display(), at(running))]
    Locked { folder: PathBuf, running: Option<Endpoint> },
    #[error("port {port} of 127.0.0.1 is taken by another program: choose another one, or 0 for any")]
    PortTaken { port: u16 },
    #[error("the embedded cloud cannot listen on 127.0.0.1:{port}")]
    Listen { port: u16, source: io::Error },
    #[error("the state in {} cannot be read: repair or remove the folder", folder.display())]
    State { folder: PathBuf, source: io::Error },
}

fn at(running: &Option<Endpoint>) -> String {
    running
        .as_ref()
        .map(|running| format!(" ({}, process {})", running.endpoint, running.pid))
        .unwrap_or_default()
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// Where the cloud of a folder says that it listens; it may have been killed since.
pub fn endpoint(folder: &Path) -> Option<Endpoint> {
    serde_json::from_slice(&std::fs::read(folder.join("endpoint.json")).ok()?).ok()
}

/// How long a start waits for the folder.
const LOOKS: usize = 50;
const LOOK: Duration = Duration::from_millis(20);

/// Whether a cloud holds the folder: one that serves, comes up, or is about to end.
pub fn is_held(folder: &Path) -> bool {
    // Where there is no file, nobody holds it.
    File::open(folder.join("lock")).is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

pub struct LocalCloud;

/// A cloud that serves until [`Running::stop`], or until it is dropped with its runtime.
pub struct Running {
    pub endpoint: String,
    folder: PathBuf,
    router: Arc<Router>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    /// Held for its lock.
    _lock: File,
}

impl LocalCloud {
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let Options {
            folder,
            port,
            region,
            database_url,
        } = options;
        let in_folder = |source| StartError::Folder {
            folder: folder.clone(),
            source,
        };
        std::fs::create_dir_all(&folder).map_err(in_folder)?;
        let lock = File::create(folder.join("lock")).map_err(in_folder)?;
        match try_lock(&lock).await {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StartError::Locked {
                    running: endpoint(&folder),
                    folder,
                });
            }
            Err(TryLockError::Error(source)) => return Err(StartError::Folder { folder, source }),
        }
        let listener = match port {
            // It has to be free when the cloud comes back, too.
            0 => crate::process::free_listener().and_then(into_tokio),
            port => TcpListener::bind(("127.0.0.1", port)).await,
        };
        let listener = listener.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::PortTaken { port },
            _ => StartError::Listen { port, source },
        })?;
        let address = listener
            .local_addr()
            .map_err(|source| StartError::Listen { port, source })?;
        let endpoint = format!("http://{address}");
        let context = Context {
            store: Store::open(folder.join("state")).map_err(in_folder)?,
            folder: folder.clone(),
            endpoint: endpoint.clone(),
            region,
            clock: Arc::new(SystemClock),
        };
        let router = router(&context, database_url.as_deref())
            .await
            .map_err(|source| StartError::State {
                folder: folder.clone(),
                source,
            })?;
        let router = Arc::new(router);
        write_endpoint(
            &folder,
            &Endpoint {
                endpoint: endpoint.clone(),
                pid: std::process::id(),
            },
        )
        .map_err(in_folder)?;
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(server::serve(listener, router.clone(), stopped));
        Ok(Running {
            endpoint,
            folder,
            router,
            stop,
            server,
            _lock: lock,
        })
    }
}

impl Running {
    /// Takes no more requests, lets open ones finish, ends what the services started.
    pub async fn stop(self) {
        // The receiver is gone only when the server has ended already.
        let _ = self.stop.send(true);
        if let Err(error) = self.server.await {
            tracing::error!(%error, "the server ended badly");
        }
        self.router.stop().await;
        if let Err(error) = std::fs::remove_file(self.folder.join("endpoint.json")) {
            tracing::debug!(%error, "endpoint.json");
        }
    }
}

fn into_tokio(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Whoever only looks whether somebody holds the folder ([`is_held`]) lets go at once.
async fn try_lock(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..LOOKS {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
            locked => return locked,
        }
    }
    lock.try_lock()
}

fn write_endpoint(folder: &Path, endpoint: &Endpoint) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, endpoint)?;
    file.flush()?;
    file.persist(folder.join("endpoint.json"))?;
    Ok(())
}

/// Every service with what it needs of the others.
async fn router(context: &Context, database_url: Option<&str>) -> io::Result<Router> {
    let (s3, ssm, secrets) = (S3::open(context)?, Ssm::open(context)?, SecretsManager::open(context)?);
    let logs = Logs::open(context)?;
    let cloudwatch = CloudWatch::open(context, EVALUATION_INTERVAL)?;
    let sqs = Sqs::open(context, cloudwatch.clone())?;
    let (rds, caches) = (Rds::open(context, database_url)?, ElastiCache::open(context)?);
    let tables = DynamoDb::open(context)?;
    let ports = lambda::Ports {
        metrics: cloudwatch.clone(),
        logs: logs.clone(),
        objects: s3.clone(),
        queues: sqs.clone(),
    };
    let lambda = Lambda::open(context.clone(), ports, lambda::Settings::default())?;
    let ports = apigateway::Ports {
        metrics: cloudwatch.clone(),
        functions: Arc::new(lambda.clone()),
    };
    let gateway = ApiGateway::open(context.clone(), ports.clone(), apigateway::Settings::default())?;
    let gateway_2 = ApiGatewayV2::open(context.clone(), ports, apigatewayv2::Settings::default())?;
    let schedules = Schedules::open(context, Arc::new(lambda.clone()), cloudwatch.clone())?;
    let mut providers = [
        s3.providers(),
        ssm.providers(),
        sqs.providers(),
        schedules.providers(),
        logs.providers(),
        cloudwatch.providers(),
    ]
    .concat();
    providers.push(Arc::new(LambdaProvider::new(lambda.clone())));
    providers.push(Arc::new(ApiGatewayProvider::new(gateway.clone())));
    providers.push(Arc::new(ApiGatewayV2Provider::new(gateway_2.clone())));
    providers.extend(rds.providers());
    providers.extend(caches.providers());
    providers.extend(tables.providers());
    providers.extend(secrets.providers(rds.clone()));
    let custom = Arc::new(CustomResources::new(context, Arc::new(lambda.clone())));
    providers.push(custom.clone());
    let cloudformation = CloudFormation::open(context, providers, vec![s3.clone(), ssm.clone(), secrets.clone()])?;
    cloudwatch.start();
    sqs.start();
    // Functions that are called from now on expect them.
    tokio::join!(rds.start(), caches.start());
    lambda.start_mappings();
    schedules.start();
    let [rules, scheduler] = schedules.services();
    cloudformation.recover();
    Ok(Router::new(&context.region, context.folder.display().to_string())
        .with_frontend(Arc::new(gateway.clone()))
        .with_frontend(Arc::new(gateway_2.clone()))
        .with_callbacks(custom)
        .with_schedules(schedules)
        .with_service(rules)
        .with_service(scheduler)
        .with_service(Arc::new(gateway))
        .with_service(Arc::new(Connections::new(gateway_2.clone())))
        .with_service(Arc::new(gateway_2))
        .with_service(cloudformation)
        .with_service(cloudwatch)
        .with_service(caches)
        .with_service(tables)
        .with_service(Arc::new(lambda))
        .with_service(logs)
        .with_service(rds.service())
        .with_service(s3)
        .with_service(secrets)
        .with_service(sqs)
        .with_service(ssm)
        .with_service(Sts::open(context)?))
}
