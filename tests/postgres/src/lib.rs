//! A private PostgreSQL server for tests: started on a free loopback port, gone when it is dropped.
//!
//! Tests of `migrate` and of the functions use it. A test that finds no PostgreSQL fails and says what to install:
//! a skipped test proves nothing.

#[cfg(feature = "tls")]
mod authority;
mod binaries;
mod template;

#[cfg(feature = "tls")]
pub use authority::{Authority, Certified};
pub use binaries::{Binaries, Missing};

use std::fs::{File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

/// The password of the superuser `postgres`. The server listens on loopback only and lives for one test.
pub const PASSWORD: &str = "correct horse battery staple";

/// A port that was free may be taken before the server binds it; then the next try takes another.
const STARTS: u32 = 5;
/// Ports that a system gives to nobody who asks for any, nor to the near end of a connection: Linux begins at 32768, IANA at
/// 49152.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// Two minutes, for a machine that is busy.
const START_POLLS: u32 = 4800;
const START_POLL: Duration = Duration::from_millis(25);

/// A running server.
pub struct TestPostgres {
    server: Child,
    folder: TempDir,
    binaries: Binaries,
    port: u16,
}

impl TestPostgres {
    /// Makes a cluster and starts its server, as another user where this one is root (PostgreSQL refuses root).
    ///
    /// # Panics
    /// When there is no PostgreSQL or it does not start; the message says why.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with server settings, `name=value`.
    pub async fn start_with(settings: &[&str]) -> Self {
        Self::start_in(prepared(&[]), settings).await
    }

    /// The same with TLS, and the root certificate (PEM) that vouches for `127.0.0.1`.
    #[cfg(feature = "tls")]
    pub async fn start_tls() -> (Self, String) {
        let authority = Authority::new("a test's own authority");
        (
            Self::start_certified(&authority, &["127.0.0.1"]).await,
            authority.root(),
        )
    }

    /// A server of these names, by the word of this authority. What connects to it by TLS is in its log.
    #[cfg(feature = "tls")]
    pub async fn start_certified(authority: &Authority, names: &[&str]) -> Self {
        let Certified { certificate, key } = authority.certify(names);
        let files = [("server.crt", certificate), ("server.key", key)];
        // The server looks for them from its data folder.
        let settings = [
            "ssl=on",
            "ssl_cert_file=../server.crt",
            "ssl_key_file=../server.key",
            "log_connections=on",
        ];
        Self::start_in(prepared(&files), &settings).await
    }

    async fn start_in(folder: TempDir, settings: &[&str]) -> Self {
        let binaries = Binaries::find().unwrap_or_else(|missing| panic!("{missing}"));
        initialize(&binaries, folder.path());
        for start in 1..=STARTS {
            let port = free_port();
            let mut server = launch(&binaries, folder.path(), port, settings);
            if is_up(&mut server, folder.path()).await {
                return Self {
                    server,
                    folder,
                    binaries,
                    port,
                };
            }
            let _ = server.kill();
            let _ = server.wait();
            assert!(start < STARTS, "PostgreSQL does not start: {}", log(folder.path()));
        }
        unreachable!("the last start returns or panics")
    }

    /// How to connect to the database `postgres` as the superuser.
    pub fn options(&self) -> PgConnectOptions {
        options(self.port)
    }

    /// The loopback port that the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of `pg_dump` and its kin, of the server's version.
    pub fn binaries(&self) -> &Path {
        self.binaries.folder()
    }

    /// What the server wrote into its log.
    pub fn log(&self) -> String {
        log(self.folder.path())
    }

    /// The program, to be run as the user who runs the server.
    pub fn as_server_s_user(&self, program: &Path) -> Command {
        as_owner_of(self.folder.path(), program.to_owned())
    }

    /// Gives a folder to the user who runs the server, as a tablespace has to be.
    ///
    /// # Panics
    /// When it cannot be given away.
    pub fn give(&self, folder: &Path) {
        let owner = std::fs::metadata(self.folder.path()).expect("the cluster's folder");
        chown(folder, Some(owner.uid()), Some(owner.gid())).expect("root gives its folders away");
    }

    /// A new connection to the database `postgres`.
    pub async fn connect(&self) -> PgConnection {
        self.options().connect().await.expect("a connection to the test server")
    }

    /// Makes an empty database and says how to connect to it.
    pub async fn database(&self, name: &str) -> PgConnectOptions {
        let mut connection = self.connect().await;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE \"{name}\"")))
            .execute(&mut connection)
            .await
            .expect("a new database");
        self.options().database(name)
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        // Immediate: nothing of the cluster is needed again. Asking politely first lets it free its shared memory.
        let mut stop = as_owner_of(self.folder.path(), self.binaries.program("pg_ctl"));
        stop.args(["stop", "--mode=immediate", "--silent", "--pgdata"])
            .arg(data(self.folder.path()));
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn options(port: u16) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("postgres")
        .password(PASSWORD)
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A port on which nothing listens, by chance, so that two tests that look for one do not meet.
///
/// # Panics
/// When a hundred tries find none.
pub fn free_port() -> u16 {
    let tried = std::iter::repeat_with(|| fastrand::u16(PORTS)).take(100);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    tried.into_iter().find(is_free).expect("one of so many ports is free")
}

/// The program, run as the user who owns `folder`.
fn as_owner_of(folder: &Path, program: PathBuf) -> Command {
    let owner = std::fs::metadata(folder).expect("the cluster's folder");
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    if is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A folder with the superuser's password, an empty log and these files, all of the user who will run the server.
fn prepared(files: &[(&str, String)]) -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("test-postgres-")
        .tempdir()
        .expect("a temporary folder");
    let ours = [("password", PASSWORD.to_owned()), ("log", String::new())];
    let mut paths = vec![folder.path().to_owned()];
    for (name, text) in ours.iter().chain(files) {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file in the new folder");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a private file");
        paths.push(path);
    }
    if is_root() {
        let (user, group) = unprivileged_user();
        for path in paths {
            chown(path, Some(user), Some(group)).expect("root gives its files away");
        }
    }
    folder
}

/// Makes the cluster, from the kept one where there is one.
fn initialize(binaries: &Binaries, folder: &Path) {
    let place = template::place(binaries);
    if let Some(place) = place.as_deref().filter(|place| place.is_dir()) {
        let owner = std::fs::metadata(folder).expect("the cluster's folder");
        if template::copy(place, &data(folder), (owner.uid(), owner.gid())).is_ok() {
            return;
        }
        // Another user's, or being deleted: make a new one.
        let _ = std::fs::remove_dir_all(data(folder));
    }
    run_initdb(binaries, folder);
    if let Some(place) = place {
        // Without it the next test takes longer, and nothing else.
        let _ = template::keep(&data(folder), &place);
    }
}

fn run_initdb(binaries: &Binaries, folder: &Path) {
    let output = File::options()
        .append(true)
        .open(folder.join("log"))
        .expect("the log that was prepared");
    let mut initdb = as_owner_of(folder, binaries.program("initdb"));
    initdb
        .args([
            "--no-sync",
            "--no-instructions",
            "--encoding=UTF8",
            "--locale=C",
            "--username=postgres",
        ])
        .args(["--auth=scram-sha-256", "--pwfile"])
        .arg(folder.join("password"))
        .arg("--pgdata")
        .arg(data(folder))
        .stdout(output.try_clone().expect("a second handle"))
        .stderr(output);
    let status = initdb
        .status()
        .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", initdb.get_program()));
    assert!(status.success(), "initdb failed ({status}): {}", log(folder));
}

fn launch(binaries: &Binaries, folder: &Path, port: u16, settings: &[&str]) -> Child {
    let output = File::options()
        .append(true)
        .open(folder.join("log"))
        .expect("the log that was prepared");
    let mut server = as_owner_of(folder, binaries.program("postgres"));
    server.arg("-D").arg(data(folder)).args(["-p", &port.to_string()]);
    let ours = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=32MB",
        // Nobody but the test works in it, however long it takes.
        "autovacuum=off",
    ];
    for setting in ours.iter().chain(settings) {
        server.args(["-c", setting]);
    }
    server
        .stdout(output.try_clone().expect("a second handle"))
        .stderr(output);
    server
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", server.get_program()))
}

/// Waits until the server says in its folder that it takes connections; false when it ends instead. An answer on the port
/// would not tell: it could be another server's, which was faster there.
async fn is_up(server: &mut Child, folder: &Path) -> bool {
    for _ in 0..START_POLLS {
        if server.try_wait().is_ok_and(|status| status.is_some()) {
            return false;
        }
        // The first line is the process, the last one its state.
        let told = std::fs::read_to_string(data(folder).join("postmaster.pid")).unwrap_or_default();
        let is_its = told.lines().next() == Some(&*server.id().to_string());
        if is_its && told.lines().last().is_some_and(|state| state.trim() == "ready") {
            return true;
        }
        tokio::time::sleep(START_POLL).await;
    }
    false
}

/// The user and group `postgres`, else `nobody`.
fn unprivileged_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let fields: Vec<&str> = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?
            .split(':')
            .collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).unwrap_or((65534, 65534))
}
