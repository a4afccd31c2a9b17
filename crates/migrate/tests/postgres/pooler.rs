//! A pooler in transaction mode: each transaction may meet another of the server's sessions.
//!
//! Once a pooler of our own, which lets two clients swap their sessions whenever both are idle, and once PgBouncer, which
//! left alone lends a lone client the same session again and again.

use std::process::{Child, Stdio};

use migrate::{Database, Options, Password, Silent};
use test_postgres::PASSWORD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::world::{World, hasty};

/// The answer to a wish for TLS: no.
const NO_TLS: &[u8] = b"N";
const SSL_REQUEST: i32 = 80_877_103;

/// Where a message comes from.
#[derive(Clone, Copy)]
enum From {
    Client(usize),
    Server(usize),
}

/// Listens on a loopback port of its own. Two of its clients share their sessions.
async fn pooler(server_port: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (sender, mut messages) = mpsc::unbounded_channel();
        let (mut clients, mut servers) = (Vec::new(), Vec::new());
        // Which server each client has now, and whether the server told it that no transaction is open.
        let (mut has, mut is_idle) = (Vec::new(), Vec::new());
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let number = clients.len();
                    let (mut client, _) = accepted.unwrap();
                    let mut server = TcpStream::connect(("127.0.0.1", server_port)).await.unwrap();
                    begin(&mut client, &mut server).await;
                    clients.push(watch(client, From::Client(number), &sender));
                    servers.push(watch(server, From::Server(number), &sender));
                    has.push(number);
                    is_idle.push(false);
                }
                Some((from, message)) = messages.recv() => match from {
                    From::Client(client) => {
                        is_idle[client] = false;
                        let server: usize = has[client];
                        let _ = servers[server].write_all(&message).await;
                    }
                    From::Server(server) => {
                        let client = has.iter().position(|has| *has == server).unwrap();
                        let _ = clients[client].write_all(&message).await;
                        is_idle[client] = message.first() == Some(&b'Z') && message.last() == Some(&b'I');
                        if is_idle == [true, true] {
                            has.reverse();
                        }
                    }
                },
            }
        }
    });
    port
}

/// Passes the client's first message on, which has no kind.
async fn begin(client: &mut TcpStream, server: &mut TcpStream) {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length).await.unwrap();
        let mut start = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap() - 4];
        client.read_exact(&mut start).await.unwrap();
        if start[..4] == SSL_REQUEST.to_be_bytes() {
            client.write_all(NO_TLS).await.unwrap();
            continue;
        }
        server.write_all(&length).await.unwrap();
        server.write_all(&start).await.unwrap();
        return;
    }
}

/// Sends every whole message on, and gives back what answers are written to.
fn watch(stream: TcpStream, from: From, messages: &mpsc::UnboundedSender<(From, Vec<u8>)>) -> OwnedWriteHalf {
    let (mut read, write) = stream.into_split();
    let messages = messages.clone();
    tokio::spawn(async move {
        loop {
            let mut message = vec![0; 5];
            if read.read_exact(&mut message).await.is_err() {
                return;
            }
            let length = i32::from_be_bytes([message[1], message[2], message[3], message[4]]);
            message.resize(1 + usize::try_from(length).unwrap(), 0);
            if read.read_exact(&mut message[5..]).await.is_err() || messages.send((from, message)).is_err() {
                return;
            }
        }
    });
    write
}

async fn is_refused(world: &World, port: u16) {
    let database = Database::new("127.0.0.1", port, "postgres", "postgres", Password::new(PASSWORD));
    let error = world.migrator().up(&database, &hasty(), &Silent).await.unwrap_err();
    assert_eq!(error.kind(), "session_not_kept", "{error}");
    assert!(
        error
            .to_string()
            .contains("a pooler in transaction mode stands before the database"),
        "{error}"
    );
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_tables WHERE tablename = 'a'")
            .await,
        0
    );
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused_with_the_reason() {
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    // Its clients are the run itself and its second connection.
    is_refused(&world, pooler(world.postgres.port()).await).await;
}

/// PgBouncer, gone when it is dropped.
struct PgBouncer(Child);

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// On the machine, or where `cargo xtask test` says that it is.
fn program() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
}

impl PgBouncer {
    /// In transaction mode, on a loopback port of its own.
    async fn start(program: &std::path::Path, world: &World) -> (Self, u16) {
        let port = test_postgres::free_port();
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=postgres password='{PASSWORD}'\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\n\
             ignore_startup_parameters = extra_float_digits\n",
            world.postgres.port()
        );
        let file = world.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        // It refuses root, and another user has to read its settings.
        for (path, mode) in [(world.path(), 0o755), (file.as_path(), 0o644)] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        let mut command = world.postgres.as_server_s_user(program);
        let mut child = command.arg(&file).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..60_000 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return (Self(child), port);
            }
            assert!(child.try_wait().unwrap().is_none(), "{program:?} ended");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{program:?} does not answer");
    }
}

#[tokio::test]
async fn pgbouncer_in_transaction_mode_is_refused_and_nothing_stays_in_its_pool() {
    let Some(program) = program() else {
        let excused = std::env::var_os("LLAMA_TEST_NO_PGBOUNCER").is_some();
        assert!(
            excused,
            "install pgbouncer, or run `cargo xtask test`, which says what is missing"
        );
        return;
    };
    let world = World::new(&[("10_a.expand.sql", "CREATE TABLE a (b int)")]).await;
    let (_pgbouncer, port) = PgBouncer::start(&program, &world).await;
    for _ in 0..3 {
        is_refused(&world, port).await;
    }
    assert_eq!(
        world
            .number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            .await,
        0
    );
    let at_once = Options {
        lock_wait: std::time::Duration::ZERO,
        ..hasty()
    };
    assert_eq!(world.applies(&at_once).await, ["10_a.expand.sql"]);
}
